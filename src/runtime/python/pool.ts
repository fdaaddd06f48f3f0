// The Python processes of one mount in one generation: kept at their number, replaced without a gap, and in the end ended
// together. Knows the workers only as numbers.
import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import {
  type LaneAddress,
  type LaneChange,
  type Overdue,
  type PoolState,
} from '../../apps/python/lane-server.ts';
import type { MountConfig, PythonConfig, Recycle } from '../../config/types.ts';
import type { ExitReason } from '../../observe/supervisor-metrics.ts';
import type { BootFailure } from '../boot.ts';
import { Slot, type SlotOwner, type Verdict } from '../slot.ts';
import type { Lanes } from './control.ts';
import { PythonProcess, type PythonProcessOptions } from './process.ts';

/** What a pool tells whoever runs it. */
export interface PoolEvents {
  spawned(process: PythonProcess): void;
  serving(process: PythonProcess): void;
  exited(process: PythonProcess, reason: ExitReason): void;
  /** Every worker is to know it. */
  state(state: PoolState): void;
}

export interface PoolOptions {
  readonly mount: MountConfig;
  readonly python: PythonConfig;
  /** The number of its first process among those of all pools, for metrics. */
  readonly firstPlace: number;
  /** The lane socket of a worker, by its place. */
  readonly lanePath: (worker: number) => string;
  /** How many workers there are. */
  readonly workers: number;
  /** Milliseconds for requests in flight in a process that is replaced. */
  readonly graceful: number;
  /** Whether a failure to boot is logged again at each try. */
  readonly repeats: boolean;
  readonly ids: { readonly uid: number; readonly gid: number } | null;
  readonly logs: { readonly logger: Logger };
  readonly events: PoolEvents;
  /** Starts a process; default: a real one. */
  readonly start?: (options: PythonProcessOptions) => PythonProcess;
}

export class Pool implements SlotOwner<PythonProcess> {
  readonly mount: string;
  readonly firstPlace: number;
  readonly slots: readonly Slot<PythonProcess>[];
  readonly #options: PoolOptions;
  readonly #token = randomBytes(16).toString('hex');
  /** By their places. */
  #workers: readonly number[];
  /** Why the app does not load; null: it does, or that is not known yet. */
  #failure: BootFailure | null = null;
  #sent = '';
  #settle: ((failure: BootFailure | null) => void) | null = null;
  #whenChanged: (() => void)[] = [];

  constructor(options: PoolOptions) {
    this.#options = options;
    this.mount = options.mount.name;
    this.firstPlace = options.firstPlace;
    this.#workers = Array.from({ length: options.workers }, (_, place) => place);
    this.slots = Array.from({ length: options.python.processes }, (_, at) => new Slot(at, this));
  }

  get recycle(): Recycle {
    return this.#options.python.recycle;
  }

  get processes(): PythonProcess[] {
    return this.slots.flatMap((slot) => slot.children);
  }

  /** Why requests cannot be served; null: they can. */
  get unready(): string | null {
    if (this.slots.some(({ current }) => current !== null)) return null;
    if (this.#failure === null) return `mount ${this.mount}: no Python process is ready`;
    return `mount ${this.mount} did not boot: ${this.#failure.message.split('\n', 1)[0]}`;
  }

  get state(): PoolState {
    const { mount } = this;
    if (this.#failure === null || this.unready === null) return { mount, isDown: false };
    return { mount, isDown: true, failure: this.#failure.message };
  }

  /** Where the threads meet the worker in that place. */
  address(worker: number): LaneAddress {
    return { mount: this.mount, path: this.#options.lanePath(worker), token: this.#token };
  }

  /**
   * Starts every process. Resolves with null once each has loaded the app and has its lanes, or with why the first one
   * that failed did; they are tried again then, until kill().
   */
  boot(): Promise<BootFailure | null> {
    const settled = new Promise<BootFailure | null>((resolve) => {
      this.#settle = resolve;
    });
    for (const slot of this.slots) slot.start();
    return settled;
  }

  /** Once a second: looks for processes that are due. Starts one replacement at a time. */
  tick(now: number): void {
    if (this.slots.some(({ state }) => state === 'replacing')) return;
    for (const slot of this.slots) {
      const reason = slot.due(now);
      if (reason === null) continue;
      const { logger } = this.#options.logs;
      logger.info({ mount: this.mount, process: slot.index, reason }, 'Replacing a Python process');
      slot.replace(reason);
      return;
    }
  }

  laneChanged({ pid, thread, open }: LaneChange, worker: number): void {
    const found = this.processes.find((each) => each.pid === pid);
    if (open) found?.laneOpened(thread, worker);
    else found?.laneClosed(thread, worker);
  }

  /** A worker process is gone. */
  workerGone(worker: number): void {
    for (const each of this.processes) each.workerGone(worker);
  }

  /** A request took longer than timeouts.request, and its thread does not come back: the process is replaced. */
  overdue({ pid, thread, requestId, method, uri }: Overdue): void {
    const found = this.processes.find((each) => each.pid === pid);
    if (found === undefined) return;
    const { logger } = this.#options.logs;
    const line = { mount: this.mount, process: found.number, process_pid: pid, thread };
    logger.error(
      { ...line, request_id: requestId, method, uri },
      `A Python thread is still busy after timeouts.request: ${method} ${uri}`,
    );
    found.askStacks(thread);
    found.isStuck = true;
    this.tick(performance.now());
  }

  /** There are more or fewer workers, these by their places: threads go where they are wanted as their lanes end. */
  deal(workers: readonly number[]): void {
    this.#workers = workers;
    for (const each of this.processes) each.redirect(this.#lanes(each.number));
  }

  /** Ends every process once its workers are gone; resolves when all are. */
  async drain(reason: ExitReason): Promise<void> {
    this.#giveUp(reason);
    for (const each of this.processes) each.drain(reason, 0);
    await this.#empty();
  }

  /** Resolves when all are gone. */
  async kill(reason: ExitReason): Promise<void> {
    this.#giveUp(reason);
    for (const each of this.processes) each.kill(reason);
    await this.#empty();
  }

  spawn(slot: Slot<PythonProcess>): PythonProcess {
    const { mount, python, ids, logs, events } = this.#options;
    const start = this.#options.start ?? ((options): PythonProcess => new PythonProcess(options));
    const started = start({
      mount,
      python,
      number: slot.index,
      lanes: this.#lanes(slot.index),
      token: this.#token,
      ids,
      logs,
      owner: slot,
    });
    events.spawned(started);
    return started;
  }

  judge(): Verdict {
    return 'serve';
  }

  failed(): void {
    // exited() has said it.
  }

  changed(): void {
    this.#tell();
    for (const resolve of this.#whenChanged.splice(0)) resolve();
  }

  serving(process: PythonProcess): void {
    this.#failure = null;
    this.#options.events.serving(process);
    if (this.slots.every(({ current }) => current !== null)) this.#settled(null);
  }

  exited(process: PythonProcess, reason: ExitReason): void {
    const { failure } = process;
    if (process.servingSince === null && failure !== null && reason === 'boot_error') {
      const isNews = this.#failure?.message !== failure.message;
      this.#failure = failure;
      const line = { mount: this.mount, process: process.number };
      // Where somebody waits for the outcome, that is who says it.
      if (this.#settle === null && (isNews || this.#options.repeats))
        this.#options.logs.logger.error(line, `Mount ${this.mount} did not boot: ${failure.message}`);
      this.#settled(failure);
    }
    this.#options.events.exited(process, reason);
  }

  retire(process: PythonProcess, reason: ExitReason): void {
    process.drain(reason, this.#options.graceful);
  }

  /** Every thread to a worker, in turn, so that each worker has as many threads of as many processes as can be. */
  #lanes(number: number): Lanes {
    const { threads } = this.#options.python;
    return Array.from({ length: threads }, (_, thread) => {
      const turn = (number * threads + thread) % this.#workers.length;
      return this.#options.lanePath(this.#workers[turn] ?? 0);
    });
  }

  #tell(): void {
    const { state } = this;
    const text = JSON.stringify(state);
    if (text === this.#sent) return;
    this.#sent = text;
    this.#options.events.state(state);
  }

  #settled(failure: BootFailure | null): void {
    this.#settle?.(failure);
    this.#settle = null;
  }

  #giveUp(reason: ExitReason): void {
    for (const slot of this.slots) slot.giveUp();
    this.#settled({ mount: this.mount, message: `it was told to end (${reason})` });
  }

  async #empty(): Promise<void> {
    while (this.processes.length > 0) await new Promise<void>((resolve) => this.#whenChanged.push(resolve));
  }
}
