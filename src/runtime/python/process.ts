// One Python process as the master sees it: started, given its app and its lanes, listened to, and in the end gone for
// certain. Knows nothing of its pool and of why it should start or end.
import { killGroup } from '../kill-group.ts';
import type { ChildProcess } from 'node:child_process';
import { Duplex } from 'node:stream';
import type { Logger } from 'pino';
import { formatReference } from '../../config/reference.ts';
import type { MountConfig, PythonConfig } from '../../config/types.ts';
import type { ExitReason, WorkerState } from '../../observe/supervisor-metrics.ts';
import type { BootFailure } from '../boot.ts';
import { describeExit, exitReason } from '../exits.ts';
import { readUsage, type Usage } from '../proc.ts';
import type { Occupancy, Occupant } from '../slot.ts';
import { CONTROL_DESCRIPTOR, startPython } from './start-python.ts';
import { type FromPython, type Lanes, PythonControl, type ThreadStack } from './control.ts';
import { captureOutput } from '../output.ts';

export interface PythonProcessOptions {
  readonly mount: MountConfig;
  readonly python: PythonConfig;
  /** 0..processes-1 */
  readonly number: number;
  /** Where its threads connect. */
  readonly lanes: Lanes;
  readonly token: string;
  /** Whom it becomes; null: it stays who we are. */
  readonly ids: { readonly uid: number; readonly gid: number } | null;
  readonly logs: { readonly logger: Logger };
  readonly owner: Occupancy<PythonProcess>;
}

/** Milliseconds for what is no request: the last lines, the interpreter's own end. */
const END_TIME = 3000;
/** Milliseconds after its end in which what it printed last is waited for. */
const LAST_WORDS = 200;
/** Milliseconds for an answer to `stacks`, before a signal asks that needs no cooperation. */
const STACKS_TIME = 1000;
/** Lines of what it printed that go into the reason of a failed start. */
const SHOWN_LINES = 20;

export class PythonProcess implements Occupant {
  /** The name of its mount. */
  readonly mount: string;
  readonly number: number;
  readonly startedAt: number = performance.now();
  /** A process whose app does not load ends: one that is there lacks nothing. */
  readonly failures: readonly BootFailure[] = [];
  readonly culprit: null = null;
  stats = { requests: 0, inFlight: 0 };
  /** As of the last measure(). */
  usage: Usage = { rss: 0, cpu: 0 };
  /** performance.now() of its last numbers. */
  heardAt: number = performance.now();
  servingSince: number | null = null;
  /** A request in it took too long: its thread may never come back. */
  isStuck = false;
  /** Why it did not get as far as serving; null: it has, or may yet. */
  failure: BootFailure | null = null;
  readonly #options: PythonProcessOptions;
  readonly #process: ChildProcess;
  readonly #control: PythonControl | null;
  #state: WorkerState = 'starting';
  #isReady = false;
  /** Threads that have a lane, and the worker at its other end. */
  readonly #lanes = new Map<number, number>();
  /** What it was asked to end for. */
  #asked: ExitReason | null = null;
  #timer: NodeJS.Timeout | undefined;
  #stacksTimer: NodeJS.Timeout | undefined;
  #lastLines: string[] = [];
  /** What it has not done in time. */
  #late: string | null = null;

  constructor(options: PythonProcessOptions) {
    this.#options = options;
    this.mount = options.mount.name;
    this.number = options.number;
    const { mount, python, ids } = options;
    this.#process = startPython(python, mount, ids);
    const channel = this.#process.stdio[CONTROL_DESCRIPTOR];
    this.#control =
      channel instanceof Duplex ? new PythonControl(channel, (message) => this.#hear(message)) : null;
    this.#listen();
    captureOutput(this.#process, {
      logger: this.#logger,
      about: this.#about,
      what: 'a Python process',
      onLine: (line) => this.#remember(line),
    });
    this.#allow(mount.timeouts.boot, () => this.#bootTooLong());
    this.#configure();
  }

  /** 0 where it could not be started. */
  get pid(): number {
    return this.#process.pid ?? 0;
  }

  get state(): WorkerState {
    return this.#state;
  }

  /** Threads that have a lane. */
  get lanes(): number {
    return this.#lanes.size;
  }

  /** Looks at what it uses. */
  measure(): void {
    this.usage = readUsage(this.pid) ?? this.usage;
  }

  /** From now on it counts as serving once each of its threads has a lane. */
  serve(): void {
    this.#isReady = true;
    this.#allow(this.#options.mount.timeouts.boot, () => this.#bootTooLong());
    this.#look();
  }

  laneOpened(thread: number, worker: number): void {
    this.#lanes.set(thread, worker);
    this.#look();
  }

  laneClosed(thread: number, worker: number): void {
    if (this.#lanes.get(thread) === worker) this.#lanes.delete(thread);
  }

  /** A worker is gone, and its lanes with it. */
  workerGone(worker: number): void {
    for (const [thread, at] of this.#lanes) if (at === worker) this.#lanes.delete(thread);
  }

  /** Threads are to connect elsewhere, when their lanes end. */
  redirect(lanes: Lanes): void {
    this.#control?.send({ kind: 'lanes', lanes });
  }

  /** Asks where a thread stands; the answer goes to the log, with what is known of its request. */
  askStacks(thread: number): void {
    this.#control?.send({ kind: 'stacks', thread });
    // The signal's handler needs no interpreter lock, which an extension in C may hold for good; it writes to stderr.
    this.#stacksTimer ??= setTimeout(() => {
      this.#stacksTimer = undefined;
      this.#signal('SIGUSR1');
    }, STACKS_TIME);
  }

  /**
   * Lets it end what is in flight within `graceful` milliseconds. What a worker sends it from now on comes back to that
   * worker, for another thread.
   */
  drain(reason: ExitReason, graceful: number): void {
    if (this.#state === 'dead' || this.#asked !== null) return;
    this.#asked = reason;
    if (this.#state === 'starting') {
      killGroup(this.#process);
      return;
    }
    this.#state = 'draining';
    this.#allow(graceful + END_TIME, () => killGroup(this.#process));
    this.#control?.send({ kind: 'drain' });
  }

  /** Ends it and what it has started without a word. */
  kill(reason: ExitReason): void {
    if (this.#state === 'dead') return;
    this.#asked ??= reason;
    killGroup(this.#process);
  }

  get #logger(): Logger {
    return this.#options.logs.logger;
  }

  get #about(): Record<string, unknown> {
    return { mount: this.mount, process: this.number, process_pid: this.pid };
  }

  #configure(): void {
    const { mount, python, number, lanes, token } = this.#options;
    this.#control?.send({
      kind: 'config',
      app: formatReference(mount.app),
      path: python.path.length > 0 ? python.path : [python.chdir],
      chdir: python.chdir,
      process: number,
      threads: python.threads,
      lanes,
      token,
      multiprocess: python.processes > 1,
      environ: {},
      limits: { response_headers_size: mount.limits.responseHeadersSize },
    });
  }

  #listen(): void {
    const child = this.#process;
    child.on('error', (error: NodeJS.ErrnoException) => {
      if (child.pid !== undefined) return;
      this.#fail(`cannot start ${this.#options.python.executable}: ${error.code ?? error.message}`);
      this.#ended();
    });
    child.once('exit', () => {
      killGroup(this.#process);
      const lastWords = setTimeout(() => this.#ended(), LAST_WORDS);
      child.once('close', () => {
        clearTimeout(lastWords);
        this.#ended();
      });
    });
  }

  #hear(message: FromPython): void {
    switch (message.kind) {
      case 'ready':
        if (this.#state === 'starting') this.#options.owner.booted(this);
        break;
      case 'load_error':
        this.#fail(`${message.type}: ${message.message}\n${message.traceback.trimEnd()}`);
        break;
      case 'stats':
        this.heardAt = performance.now();
        this.stats = { requests: message.requests, inFlight: message.busy };
        break;
      case 'stacks':
        this.#logStacks(message.threads);
    }
  }

  #logStacks(threads: readonly ThreadStack[]): void {
    clearTimeout(this.#stacksTimer);
    this.#stacksTimer = undefined;
    for (const { thread, busy, stack } of threads) {
      const line = { ...this.#about, thread, stack };
      this.#logger.warn(line, `Python thread ${thread ?? '?'} is ${busy ? 'busy here' : 'idle'}`);
    }
  }

  /** The lanes have changed, or what they mean has. */
  #look(): void {
    const { python, owner } = this.#options;
    if (this.#state === 'starting' && this.#isReady && this.#lanes.size === python.threads) {
      clearTimeout(this.#timer);
      this.#state = 'ready';
      this.servingSince = performance.now();
      owner.serving(this);
    }
  }

  /** It is asked where it stands before it is killed: the answer comes on stderr. */
  #bootTooLong(): void {
    const { boot } = this.#options.mount.timeouts;
    const what = this.#isReady
      ? `only ${this.#lanes.size} of its ${this.#options.python.threads} threads reached a worker`
      : 'it did not finish loading';
    this.#late = `${what} within timeouts.boot, ${boot} ms`;
    this.#signal('SIGUSR1');
    this.#allow(LAST_WORDS, () => killGroup(this.#process));
  }

  /** The first reason counts: the others follow from it. */
  #fail(message: string): void {
    this.failure ??= { mount: this.mount, message };
  }

  #remember(line: string): void {
    if (this.#state !== 'starting') return;
    this.#lastLines = [...this.#lastLines, line].slice(-SHOWN_LINES);
  }

  /** One deadline at a time: the next thing it is told to do replaces it. */
  #allow(milliseconds: number, late: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(late, milliseconds);
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.#state !== 'dead') this.#process.kill(signal);
  }

  #ended(): void {
    if (this.#state === 'dead') return;
    const served = this.servingSince !== null;
    this.#state = 'dead';
    clearTimeout(this.#timer);
    clearTimeout(this.#stacksTimer);
    const { exitCode: code, signalCode: signal } = this.#process;
    const how = describeExit({ code, signal });
    if (!served) this.#fail([this.#late ?? `its process ended by ${how}`, ...this.#lastLines].join('\n'));
    const asked = this.#asked;
    const reason = exitReason({ asked, served, code, signal, silent: false, heapFull: false });
    const line = { ...this.#about, reason };
    if (asked !== null) this.#logger.info(line, `A Python process has ended by ${how}`);
    else if (served) this.#logger.error(line, `A Python process ended by ${how}`);
    this.#options.owner.exited(this, reason);
  }
}
