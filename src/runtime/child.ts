// One worker process as the master sees it: started, told what to do, listened to, and in the end gone for certain.
// Knows nothing of places, generations and why it should start or end.
import { killGroup } from './kill-group.ts';
import type { ChildProcess } from 'node:child_process';
import type { Logger } from 'pino';
import type { Config } from '../config/types.ts';
import type { LaneAddress, LaneChange, Overdue, PoolState } from '../apps/python/lane-server.ts';
import type { BootFailure } from './boot.ts';
import type { RunningRequest } from '../gateway/events.ts';
import { readReport } from '../observe/error-report.ts';
import type { RecentErrors } from '../observe/recent-errors.ts';
import type { ExitReason, WorkerState } from '../observe/supervisor-metrics.ts';
import { BOOT_SLACK, describeExit, exitReason, loadingFailure } from './exits.ts';
import { type HandoverMessage, Outbox } from './handover.ts';
import { isToMaster, type ToMaster, type ToWorker, type WorkerStats } from './ipc.ts';
import { captureOutput } from './output.ts';
import { readRunning } from './running.ts';
import { readUsage, type Usage } from './proc.ts';
import type { Occupancy, Occupant } from './slot.ts';
import { startProcess } from './start-process.ts';

export interface ChildOptions {
  readonly slot: number;
  readonly generation: number;
  readonly config: Config;
  /** Listening sockets, in the order of the configuration's listeners. */
  readonly descriptors: readonly number[];
  readonly multiprocess: boolean;
  /** Where its Python threads come to, one a Python mount. */
  readonly lanes: readonly LaneAddress[];
  /** Mounts that are not to be loaded, and why. */
  readonly skip: readonly BootFailure[];
  readonly logs: ChildLogs;
  readonly owner: ChildOwner;
}

/** Where it is written down what becomes of a worker, and what it has to say. */
export interface ChildLogs {
  readonly logger: Logger;
  readonly errors: Pick<RecentErrors, 'add'>;
}

/** What only workers say. */
export interface ChildReports {
  /** It has sent a connection that it gives away. */
  gives(child: Child, message: HandoverMessage, handle: unknown): void;
  /** New numbers are in `child.stats`; `id` is that of the flush() they answer. */
  reported(child: Child, id: number | null, delta: unknown): void;
  /** A Python thread has come to it, or left it. */
  laneChanged(child: Child, change: LaneChange): void;
  /** A Python thread does not come back from a request. */
  overdue(child: Child, overdue: Overdue): void;
}

export type ChildOwner = Occupancy<Child> & ChildReports;

/** Milliseconds for what is no request: last bytes, final numbers, closing of logs. */
const END_TIME = 3000;
/** Milliseconds a worker has to end by itself where nothing is waited for. */
const STOP_TIME = 1000;
/** Milliseconds by which its silence may look shorter: it reports every second, and its watchdog is not so exact. */
const REPORT_SLACK = 500;
/** Milliseconds without a word after which it shows as stuck: three reports that did not come, so none was just late. */
const QUIET_TIME = 3000;
/** Milliseconds after its end in which what it printed last is waited for. */
const LAST_WORDS = 200;

const NO_STATS: WorkerStats = { requests: 0, inFlight: 0, heapUsed: 0 };

let serial = 0;

export class Child implements Occupant {
  /** Its number among all that this master has started. */
  readonly serial: number = (serial += 1);
  readonly slot: number;
  readonly generation: number;
  readonly config: Config;
  readonly startedAt: number = performance.now();
  /** Mounts it does not have; complete once it has booted. */
  failures: readonly BootFailure[];
  stats: WorkerStats = NO_STATS;
  /** Its oldest requests in flight, as of `runningAt`. */
  running: readonly RunningRequest[] = [];
  /** performance.now() */
  runningAt = 0;
  /** As of the last measure(). */
  usage: Usage = { rss: 0, cpu: 0 };
  /** performance.now() of the last sign of life. */
  heardAt: number = performance.now();
  /** Since when it accepts, performance.now(); null: it does not yet. */
  servingSince: number | null = null;
  readonly #options: ChildOptions;
  readonly #process: ChildProcess;
  /** Connections for it. */
  readonly outbox: Outbox;
  /** starting: until it accepts. draining: it accepts no more and ends. stuck: it is being killed for its silence. */
  #state: WorkerState = 'starting';
  #loading: string | null = null;
  /** What it was asked to end for. */
  #asked: ExitReason | null = null;
  #bootTimedOut = false;
  #heapFull = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ChildOptions) {
    const { slot, generation, config, multiprocess, lanes, skip } = options;
    this.slot = slot;
    this.generation = generation;
    this.config = config;
    this.failures = skip;
    this.#options = options;
    this.#process = startProcess(options.descriptors);
    this.outbox = new Outbox(this.#process);
    this.#listen();
    captureOutput(this.#process, {
      logger: this.#logger,
      about: { worker: slot, worker_pid: this.pid },
      what: 'a worker',
      onLine: (line) => {
        if (line.includes('JavaScript heap out of memory')) this.#heapFull = true;
      },
    });
    this.#allow(config.timeouts.boot + BOOT_SLACK, () => this.#bootTooLong());
    this.#send({ kind: 'boot', slot, config, multiprocess, lanes, skip });
  }

  /** 0 where it could not be started. */
  get pid(): number {
    return this.#process.pid ?? 0;
  }

  get state(): WorkerState {
    return this.#state;
  }

  /** Whom to blame where it ended before it had booted: the mount that it was loading, and what happened. */
  get culprit(): BootFailure | null {
    if (this.#loading === null) return null;
    const { exitCode: code, signalCode: signal } = this.#process;
    return loadingFailure(this.#loading, { code, signal }, this.#bootTimedOut);
  }

  /** Whether nothing was heard of it for timeouts.stuck and `more` milliseconds. */
  isSilent(more: number): boolean {
    const { stuck } = this.config.timeouts;
    return stuck > 0 && performance.now() - this.heardAt > stuck + more;
  }

  /** Its state for people: one that does not report shows as stuck until it does, and goes on counting as ready. */
  get shownState(): WorkerState {
    const isQuiet = performance.now() - this.heardAt > QUIET_TIME;
    return this.#state === 'ready' && isQuiet ? 'stuck' : this.#state;
  }

  /** Looks at what it uses. */
  measure(): void {
    this.usage = readUsage(this.pid) ?? this.usage;
  }

  serve(): void {
    this.#send({ kind: 'serve' });
  }

  reopenLogs(): void {
    this.#send({ kind: 'reopen' });
  }

  /** Says what a pool of Python processes is like. */
  poolIs(state: PoolState): void {
    this.#send({ kind: 'pool', state });
  }

  flush(id: number): void {
    this.#send({ kind: 'flush', id });
  }

  /**
   * Lets it end what is in flight within `graceful` milliseconds; one that does not serve yet is killed.
   * @param heirs for each listener, whether another worker goes on with its connections
   */
  drain(reason: ExitReason, graceful: number, heirs: readonly boolean[]): void {
    if (this.#state === 'dead' || this.#asked !== null) return;
    if (this.#state === 'starting') {
      this.kill(reason);
      return;
    }
    this.#asked = reason;
    this.outbox.retire();
    if (this.#state === 'ready') this.#state = 'draining';
    // Whoever follows in its place needs its Python threads; elsewhere they stay to the end.
    const releases = reason !== 'reload' && reason !== 'stop' && reason !== 'scale_down';
    this.#send({ kind: 'drain', graceful, heirs, releases });
    this.#allow(graceful + END_TIME, () => killGroup(this.#process));
  }

  /** Breaks off what is in flight. */
  stop(reason: ExitReason): void {
    if (this.#state === 'dead') return;
    this.#asked ??= reason;
    this.outbox.retire();
    this.#send({ kind: 'stop' });
    this.#allow(STOP_TIME, () => killGroup(this.#process));
  }

  /** Ends it and its descendants without a word. */
  kill(reason: ExitReason): void {
    if (this.#state === 'dead') return;
    this.#asked ??= reason;
    if (reason === 'stuck') this.#state = 'stuck';
    killGroup(this.#process);
  }

  get #logger(): Logger {
    return this.#options.logs.logger;
  }

  #listen(): void {
    const child = this.#process;
    // Apps say things of their own, 'ready' to process managers say; what is none of ours means nothing.
    child.on('message', (message, handle) => {
      if (isToMaster(message)) this.#hear(message, handle);
    });
    // Could not be started, or a message could not be sent to one that is ending: its exit says it all.
    child.on('error', (error) => {
      this.#logger.error({ err: error, worker: this.slot }, 'Cannot start or reach a worker');
      if (child.pid === undefined) this.#ended();
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

  #hear(message: ToMaster, handle: unknown): void {
    const { owner } = this.#options;
    this.heardAt = performance.now();
    switch (message.kind) {
      case 'loading':
        this.#loading = message.mount;
        this.#allow(this.#bootTime(message.mount), () => this.#bootTooLong());
        break;
      case 'booted':
        this.#loading = null;
        clearTimeout(this.#timer);
        this.failures = [...this.#options.skip, ...message.failures];
        owner.booted(this);
        break;
      case 'serving':
        if (this.#state !== 'starting') break;
        this.#state = 'ready';
        this.servingSince = performance.now();
        owner.serving(this);
        break;
      case 'unfit':
        this.#logger.error({ worker: this.slot, worker_pid: this.pid }, message.message);
        break;
      case 'stats':
        this.stats = message.stats;
        if (message.running !== undefined) {
          this.running = readRunning(message.running);
          this.runningAt = this.heardAt;
        }
        owner.reported(this, message.id, message.delta);
        break;
      case 'error': {
        const report = readReport(message.report);
        if (report !== null) this.#options.logs.errors.add(report, this.slot);
        break;
      }
      case 'leaves':
        if (this.#state === 'ready') owner.leaves(this);
        break;
      case 'lane':
        owner.laneChanged(this, message.change);
        break;
      case 'overdue':
        owner.overdue(this, message.overdue);
        break;
      case 'handover':
        owner.gives(this, message, handle);
    }
  }

  #bootTime(name: string): number {
    const mount = this.config.mounts.find((each) => each.name === name);
    return (mount ?? this.config).timeouts.boot + BOOT_SLACK;
  }

  #bootTooLong(): void {
    this.#bootTimedOut = true;
    killGroup(this.#process);
  }

  /** One deadline at a time: the next thing it is told to do replaces it. */
  #allow(milliseconds: number, late: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(late, milliseconds);
  }

  #send(message: ToWorker): void {
    if (!this.#process.connected) return;
    // With a callback a failure goes there instead of becoming an 'error' event: the worker's exit says it too.
    this.#process.send(message, undefined, undefined, () => undefined);
  }

  #ended(): void {
    if (this.#state === 'dead') return;
    const served = this.servingSince !== null;
    this.#state = 'dead';
    clearTimeout(this.#timer);
    const { exitCode: code, signalCode: signal } = this.#process;
    const reason = exitReason({
      asked: this.#asked,
      served,
      code,
      signal,
      silent: this.isSilent(-REPORT_SLACK),
      heapFull: this.#heapFull,
    });
    const line = { worker: this.slot, worker_pid: this.pid, generation: this.generation, reason };
    const how = describeExit({ code, signal });
    if (this.#asked === null) this.#logger.error(line, `A worker ended by ${how}`);
    else this.#logger.info(line, `A worker has ended by ${how}`);
    this.#options.owner.exited(this, reason);
  }
}
