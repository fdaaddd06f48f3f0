// One open log destination: a descriptor, the SonicBoom that feeds it, and what happens when it takes nothing. May not
// know what is written, nor about rotation.
import { constants, fstatSync, openSync } from 'node:fs';
import sonicBoom from 'sonic-boom';

// CommonJS whose names Node does not see; so they are taken from its default export
const { SonicBoom } = sonicBoom;

const FILE_MODE = 0o640;
const FILE_WRITE = 16 * 1024;
// PIPE_BUF on Linux: a write up to this size goes into a pipe whole or not at all (pipe(7)), so that the lines of two
// processes, or of two logs, that share a pipe do not cut into each other.
const PIPE_WRITE = 4096;
const RETRY_BUSY_MS = 50;
const RETRY_FAILED_MS = 1000;
const END_DEADLINE_MS = 1000;

export interface OutletOptions {
  /** null: stderr. */
  readonly file: string | null;
  /** The descriptor that is stderr. Default 2. */
  readonly stderr?: number | undefined;
  /** true: bytes come, and are written in the thread pool even where the event loop could; false: text. */
  readonly blocks: boolean;
  /** Bytes held while the destination takes none; more are dropped. */
  readonly maxBuffered: number;
  /** Told how many lines were given up. */
  readonly onDrop: (lines: number) => void;
}

interface Target {
  readonly fd: number;
  /** A write may wait for a reader, so that the event loop must not make it. */
  readonly blocking: boolean;
  readonly maxWrite: number;
}

export class Outlet {
  /** Bytes that may go into one write. */
  readonly maxWrite: number;
  readonly #boom: InstanceType<typeof SonicBoom>;
  readonly #onDrop: (lines: number) => void;
  #pendingLines = 0;
  #refused = false;
  #failing = false;
  #closed = false;
  #ending = false;
  #retryTimer: NodeJS.Timeout | undefined;

  /** @throws {Error} of node:fs, where the file cannot be opened */
  constructor(options: OutletOptions) {
    const { fd, blocking, maxWrite } =
      options.file === null ? openStderr(options.stderr ?? 2) : openFile(options.file);
    this.maxWrite = maxWrite;
    this.#onDrop = options.onDrop;
    this.#boom = new SonicBoom({
      fd,
      sync: !(options.blocks || blocking),
      contentMode: options.blocks ? 'buffer' : 'utf8',
      maxWrite,
      maxLength: options.maxBuffered,
      // SonicBoom would sleep 100 ms in the event loop, or set a timer that keeps the process alive; see #failed()
      retryEAGAIN: () => false,
    });
    this.#boom.on('error', (error: NodeJS.ErrnoException) => this.#failed(error));
    this.#boom.on('drop', () => (this.#refused = true));
    this.#boom.on('write', () => {
      this.#failing = false;
      clearTimeout(this.#retryTimer);
    });
    // Also comes, late, for a write before the one that failed
    this.#boom.on('drain', () => {
      if (!this.#failing) this.#pendingLines = 0;
    });
  }

  /** `lines`, whole ones, as the options say. Never throws; what finds no room, or comes after end(), counts as dropped. */
  write(content: string | Buffer, lines: number): void {
    if (this.#closed || this.#ending) {
      this.#onDrop(lines);
      return;
    }
    this.#pendingLines += lines;
    this.#refused = false;
    // Its types know of text alone; with contentMode "buffer" it takes bytes alone
    this.#boom.write(content as string);
    if (!this.#refused) return;
    this.#pendingLines -= lines;
    this.#onDrop(lines);
  }

  /** One last try, without waiting for anybody: for the `exit` event. */
  flushSync(): void {
    if (this.#closed || this.#pendingLines === 0) return;
    try {
      this.#boom.flushSync();
      this.#pendingLines = 0;
    } catch {
      // A destination that takes nothing must not stop the exit
      this.#giveUp();
    }
  }

  /** Writes what is held, for up to a second, and closes. */
  end(): Promise<void> {
    if (this.#closed || this.#ending) return Promise.resolve();
    return new Promise((resolve) => {
      const deadline = setTimeout(() => {
        this.#abandon();
        resolve();
      }, END_DEADLINE_MS);
      this.#boom.once('close', () => {
        clearTimeout(deadline);
        this.#closed = true;
        resolve();
      });
      this.#ending = true;
      clearTimeout(this.#retryTimer);
      this.#boom.end();
    });
  }

  // SonicBoom keeps what it could not write and tries again with the next line. Should none come, a timer does it; it
  // holds the process only while end() is waiting.
  #failed(error: NodeJS.ErrnoException): void {
    this.#failing = true;
    if (this.#closed) return;
    const busy = error.code === 'EAGAIN' || error.code === 'EBUSY';
    // EPIPE: the reader has gone and will not come back. And who ends does not wait for a disk to be cleared.
    if (error.code === 'EPIPE' || (this.#ending && !busy)) {
      this.#abandon();
      return;
    }
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => this.#boom.flush(), busy ? RETRY_BUSY_MS : RETRY_FAILED_MS);
    if (!this.#ending) this.#retryTimer.unref();
  }

  #abandon(): void {
    this.#closed = true;
    clearTimeout(this.#retryTimer);
    this.#giveUp();
    this.#boom.destroy();
  }

  #giveUp(): void {
    if (this.#pendingLines > 0) this.#onDrop(this.#pendingLines);
    this.#pendingLines = 0;
  }
}

function openFile(file: string): Target {
  // O_NONBLOCK means nothing to a file; without it, a named pipe nobody reads would hold the process here for ever
  const { O_WRONLY, O_APPEND, O_CREAT, O_NONBLOCK, O_NOCTTY } = constants;
  const fd = openSync(file, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY, FILE_MODE);
  return { fd, blocking: false, maxWrite: fstatSync(fd).isFile() ? FILE_WRITE : PIPE_WRITE };
}

// A pipe nobody empties and a terminal under Ctrl-S make a write wait: in the event loop it stops everything, in the
// thread pool it stops the exit, which joins the threads (measured: until the reader left, against at once). Opened
// anew they can be written without waiting; O_NONBLOCK on the descriptor itself would reach every process that shares
// it. A socket (journald's) cannot be opened anew: the thread pool has to do, and a reader that stalls delays the exit.
function openStderr(stderr: number): Target {
  const stat = fstatSync(stderr);
  if (stat.isFile()) return { fd: stderr, blocking: false, maxWrite: FILE_WRITE };
  if (stat.isFIFO() || stat.isCharacterDevice()) {
    try {
      const flags = constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY;
      return { fd: openSync(`/proc/self/fd/${stderr}`, flags), blocking: false, maxWrite: PIPE_WRITE };
    } catch {
      // No /proc, or a pipe made by another user: as with a socket
    }
  }
  return { fd: stderr, blocking: true, maxWrite: PIPE_WRITE };
}
