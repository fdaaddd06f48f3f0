// Where log lines go: gathered or at once, over the rotations of a file. A log that cannot be written costs lines and
// nothing else: no exception, no waiting, no process that will not exit. May not know what the lines say.
import { LineBlock } from './line-block.ts';
import { Outlet } from './outlet.ts';

export interface LineSinkOptions<Entry> {
  /** null: stderr. */
  readonly file: string | null;
  /** The descriptor that is stderr. Default 2. */
  readonly stderr?: number | undefined;
  /**
   * null: lines come by write(), each is written at once and stands in the log even if the process is killed next. Else
   * entries come by gather(), for up to a quarter of a second; this makes their lines, line feeds included, and the
   * thread pool writes them.
   */
  readonly put: ((block: LineBlock, entry: Entry) => void) | null;
  /** Bytes held while the destination takes none; lines beyond are dropped. Default 4 MiB. */
  readonly maxBuffered?: number;
  /** Told why the file cannot be opened: lines go to stderr then, until reopen(). Without it the constructor throws. */
  readonly onUnopened?: ((error: unknown) => void) | undefined;
}

const DEFAULT_MAX_BUFFERED = 4 * 1024 * 1024;
const GATHER_MS = 250;
/** Lines are made of so many entries at a time, while the code for it is in the caches: 2.3 us a line, 3.6 one by one (access-log). */
const BATCH = 64;

export class LineSink<Entry = never> {
  readonly #options: LineSinkOptions<Entry>;
  readonly #entries: Entry[] = [];
  #outlet: Outlet;
  #block: LineBlock;
  #timer: NodeJS.Timeout | undefined;
  #dropped = 0;

  /** @throws {Error} of node:fs, where the file cannot be opened and nobody is to be told */
  constructor(options: LineSinkOptions<Entry>) {
    this.#options = options;
    this.#outlet = this.#openFirst();
    this.#block = new LineBlock(this.#outlet.maxWrite);
    process.on('exit', this.#onExit);
  }

  /** Lines given up so far: no room, a reader that has gone, or the end came first. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Takes one line, its line feed included. Never throws, never waits. */
  write(line: string): void {
    this.#outlet.write(line, 1);
  }

  /** Takes what one line is to be made of. Never waits. */
  gather(entry: Entry): void {
    if (this.#entries.push(entry) === BATCH) this.#makeLines();
    this.#timer ??= setTimeout(this.#pushGathered, GATHER_MS).unref();
  }

  /**
   * Opens the file anew after its rotation: lines up to now go to the old one, lines from now on to the new. Where that
   * fails the old one stays. SonicBoom's own reopen() (5.0.2) closes one descriptor twice when it is called again after
   * it has failed, so a new one takes over instead.
   * @throws {Error} of node:fs, where the file cannot be opened
   */
  reopen(): void {
    if (this.#options.file === null) return;
    const fresh = this.#open();
    this.#pushGathered();
    void this.#outlet.end();
    this.#outlet = fresh;
    this.#block = new LineBlock(fresh.maxWrite);
  }

  /** Writes what is left, for up to a second, and closes. Lines after it are dropped. */
  close(): Promise<void> {
    process.off('exit', this.#onExit);
    this.#pushGathered();
    return this.#outlet.end();
  }

  #openFirst(): Outlet {
    const { file, onUnopened } = this.#options;
    try {
      return this.#open();
    } catch (error) {
      if (file === null || onUnopened === undefined) throw error;
      onUnopened(error);
      return this.#open(null);
    }
  }

  #open(file: string | null = this.#options.file): Outlet {
    return new Outlet({
      file,
      stderr: this.#options.stderr,
      blocks: this.#options.put !== null,
      maxBuffered: this.#options.maxBuffered ?? DEFAULT_MAX_BUFFERED,
      onDrop: (lines) => (this.#dropped += lines),
    });
  }

  readonly #pushGathered = (): void => {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#makeLines();
    this.#pushBlock();
  };

  #makeLines(): void {
    const { put } = this.#options;
    for (const entry of this.#entries) {
      put?.(this.#block, entry);
      if (!this.#block.endLine()) this.#pushBlock();
    }
    this.#entries.length = 0;
  }

  #pushBlock(): void {
    if (this.#block.lines === 0) return;
    const { bytes, lines } = this.#block.take();
    this.#outlet.write(bytes, lines);
  }

  readonly #onExit = (): void => {
    this.#pushGathered();
    this.#outlet.flushSync();
  };
}
