// One loaded configuration and the workers that serve it: booted together, kept at their number, and in the end drained
// together. Knows nothing of the generation before or after it, nor of who asked.
import { availableParallelism } from 'node:os';
import type { LoadedConfig } from '../config/load.ts';
import type { Config, ListenerConfig, Recycle } from '../config/types.ts';
import type { ExitReason } from '../observe/supervisor-metrics.ts';
import type { LaneChange, Overdue } from '../apps/python/lane-server.ts';
import type { BootFailure } from './boot.ts';
import { Child, type ChildLogs, type ChildOptions } from './child.ts';
import { type Demand, FirstBoot } from './first-boot.ts';
import { type HandoverMessage, isSameListener, type Stop } from './handover.ts';
import type { Pool } from './python/pool.ts';
import { PoolSet, type PythonEvents } from './python/pool-set.ts';
import type { PythonProcessOptions, PythonProcess } from './python/process.ts';
import type { Verdict } from './slot.ts';
import { freePlace, mostDispensable, WorkerSlot, type WorkerSlotOwner } from './worker-slot.ts';
import type { SocketSet } from './sockets.ts';

/** What a generation tells whoever runs it. */
export interface GenerationEvents {
  spawned(child: Child): void;
  serving(child: Child): void;
  reported(child: Child, id: number | null, delta: unknown): void;
  /** It has sent a connection that it gives away. */
  gives(child: Child, message: HandoverMessage, handle: unknown): void;
  exited(child: Child, reason: ExitReason): void;
  readonly python: PythonEvents;
}

export interface GenerationOptions {
  readonly id: number;
  readonly loaded: LoadedConfig;
  readonly sockets: SocketSet;
  readonly logs: ChildLogs;
  readonly events: GenerationEvents;
  /** Starts a worker; default: a process. */
  readonly startChild?: (options: ChildOptions) => Child;
  /** Starts a Python process; default: a real one. */
  readonly startPython?: (options: PythonProcessOptions) => PythonProcess;
}

/** Milliseconds beyond timeouts.stuck: the worker's own watchdog, which can say where it is stuck, goes first. */
const SILENCE_SLACK = 5000;

export class Generation implements WorkerSlotOwner {
  readonly id: number;
  readonly loaded: LoadedConfig;
  readonly sockets: SocketSet;
  /** What a worker is given: listeners as they were bound, of which systemd may pass several under one name. */
  readonly #config: Config;
  readonly #options: GenerationOptions;
  readonly #slots: WorkerSlot[] = [];
  /** Places given up by scale() whose workers are not gone yet. */
  readonly #former = new Set<WorkerSlot>();
  readonly #pools: PoolSet;
  /** Places among which the Python threads are dealt. */
  #dealt: readonly number[];
  #isHurried = false;
  #boot: FirstBoot | null = null;
  #isServing = false;
  #whenChanged: (() => void)[] = [];
  /** Whose turn it is to take a connection in. */
  #turn = 0;

  constructor(options: GenerationOptions) {
    this.id = options.id;
    this.loaded = options.loaded;
    this.sockets = options.sockets;
    this.#options = options;
    this.#config = { ...options.loaded.config, listeners: [...options.sockets.listeners] };
    const { workers } = this.#config;
    const count = workers === 'auto' ? availableParallelism() : workers;
    for (let index = 0; index < count; index += 1) this.#slots.push(new WorkerSlot(index, this));
    this.#dealt = this.#places;
    this.#pools = new PoolSet({
      config: this.#config,
      generation: options.id,
      workers: count,
      logs: options.logs,
      events: options.events.python,
      tell: (state) => this.children.forEach((child) => child.poolIs(state)),
      start: options.startPython,
    });
  }

  get recycle(): Recycle {
    return this.#config.recycle;
  }

  /** Every place, those on their way out last. */
  get slots(): readonly WorkerSlot[] {
    return [...this.#slots, ...this.#former];
  }

  get children(): Child[] {
    return this.slots.flatMap((slot) => slot.children);
  }

  /** Of Python processes, one a Python mount. */
  get pools(): readonly Pool[] {
    return this.#pools.pools;
  }

  /** Why requests cannot be served, or not all; empty when they can. */
  get unready(): string[] {
    const serving = this.#slots.map(({ current }) => current).filter((child) => child !== null);
    if (serving.length === 0) return ['no worker is ready'];
    if (serving.every(({ shownState }) => shownState === 'stuck'))
      return ['no worker is ready: all are stuck'];
    const failed = new Map(
      serving.flatMap(({ failures }) => failures.map(({ mount, message }) => [mount, message] as const)),
    );
    return [
      ...[...failed].map(([mount, message]) => `mount ${mount} did not boot: ${message.split('\n', 1)[0]}`),
      ...this.#pools.unready,
    ];
  }

  /**
   * Starts every worker and Python process and waits until all have loaded the apps. They do not accept before serve().
   * @throws {BootError} or {Error} where the demand cannot be met, or kill() comes before; the workers are killed then
   */
  boot(demand: Demand): Promise<void> {
    const problem = this.#pools.problemWith(this.#slots.length);
    if (problem !== null) return Promise.reject(new Error(problem));
    const boot = new FirstBoot({
      demand: this.#config.development ? 'none' : demand,
      workers: this.#slots.map(({ index }) => index),
      hasPython: this.pools.length > 0,
      mounts: this.#config.mounts.length,
      failures: () => this.children.map(({ failures }) => failures),
      onFailed: () => void this.kill('boot_error'),
    });
    this.#boot = boot;
    for (const slot of this.#slots) slot.start();
    if (this.pools.length > 0) void this.#bootPools(boot);
    return boot.outcome;
  }

  /** Resolves when every worker accepts, or has failed to and will be tried again. */
  async serve(): Promise<void> {
    this.#isServing = true;
    for (const slot of this.#slots) slot.serve();
    while (this.#slots.some(({ state }) => state === 'starting')) await this.#change();
  }

  /**
   * Ends every worker after what it has in flight; resolves when all are gone.
   * @param heirs listeners whose connections others go on with
   */
  async drain(reason: ExitReason, heirs: readonly ListenerConfig[]): Promise<void> {
    for (const slot of this.slots) {
      slot.giveUp();
      for (const child of slot.children) this.#drainChild(child, reason, heirs);
    }
    this.#isServing = false;
    await this.#empty();
    // Only now: what was in flight needed them.
    await (this.#isHurried ? this.#pools.kill(reason) : this.#pools.drain(reason));
  }

  /** Breaks off what is in flight. */
  stop(reason: ExitReason): void {
    this.#isHurried = true;
    for (const slot of this.slots) slot.giveUp();
    for (const child of this.children) child.stop(reason);
    if (this.children.length === 0) void this.#pools.kill(reason);
  }

  /** Resolves when all are gone. */
  async kill(reason: ExitReason): Promise<void> {
    this.#boot?.giveUp(new Error('viaduct was stopped before the workers were ready'));
    for (const slot of this.slots) slot.giveUp();
    for (const child of this.children) child.kill(reason);
    await Promise.all([this.#empty(), this.#pools.kill(reason)]);
  }

  /**
   * One worker more (1) or fewer (-1), first of all one that does not serve; one stays.
   * @returns how many places there are now
   */
  scale(step: 1 | -1): number {
    if (step === 1) {
      const problem = this.#pools.problemWith(this.#slots.length + 1);
      if (problem !== null) {
        this.#options.logs.logger.warn(problem);
        return this.#slots.length;
      }
      const index = freePlace(this.#slots);
      const slot = new WorkerSlot(index, this);
      this.#slots.splice(index, 0, slot);
      slot.start();
    } else if (this.#slots.length > 1) {
      const [slot] = this.#slots.splice(mostDispensable(this.#slots), 1);
      if (slot !== undefined) this.#former.add(slot);
      slot?.giveUp();
      for (const child of slot?.children ?? []) this.retire(child, 'scale_down');
      this.changed();
    }
    return this.#slots.length;
  }

  /** Once a second: looks for workers that are due or silent. Starts one replacement at a time. */
  tick(now: number): void {
    for (const child of this.children) {
      child.measure();
      if (child.state === 'ready' && child.isSilent(SILENCE_SLACK)) child.kill('stuck');
    }
    if (this.#isServing) this.#pools.tick(now);
    // Those that drain for long must not add up.
    const isCrowded = this.children.length >= 2 * this.#slots.length;
    if (!this.#isServing || isCrowded || this.#slots.some(({ state }) => state === 'replacing')) return;
    for (const slot of this.#slots) {
      const reason = slot.due(now);
      // In development the next change is what mends an app.
      if (reason === null || (reason === 'boot_error' && this.#config.development)) continue;
      this.#options.logs.logger.info({ worker: slot.index, reason }, 'Replacing a worker');
      slot.replace(reason);
      return;
    }
  }

  /** The next worker, in turn, that goes on with a connection of `listener`; null where none is ready. */
  route(listener: ListenerConfig): Stop | null {
    const at = this.#config.listeners.findIndex((own) => isSameListener(own, listener));
    const ready = this.#slots.map(({ current }) => current).filter((child) => child?.state === 'ready');
    this.#turn += 1;
    const outbox = ready[this.#turn % ready.length]?.outbox;
    return at === -1 || outbox === undefined ? null : { outbox, listener: at };
  }

  spawn(slot: WorkerSlot, skip: readonly BootFailure[]): Child {
    const { id, sockets, logs, events } = this.#options;
    const start = this.#options.startChild ?? ((options: ChildOptions): Child => new Child(options));
    const child = start({
      slot: slot.index,
      generation: id,
      config: this.#config,
      descriptors: sockets.descriptors,
      multiprocess: this.#slots.length > 1,
      lanes: this.#pools.addresses(slot.index),
      skip,
      logs,
      owner: slot,
    });
    for (const state of this.#pools.states) child.poolIs(state);
    events.spawned(child);
    return child;
  }

  judge(next: Child, current: Child | null, reason: ExitReason): Verdict {
    for (const { mount, message } of next.failures) {
      this.#options.logs.logger.error(
        { worker: next.slot, mount },
        `Mount ${mount} did not boot: ${message}`,
      );
    }
    if (this.#isBooting) return this.#boot?.workerTried(next.slot, next.failures) ?? 'drop';
    if (current === null) return 'serve';
    const missing = new Set(current.failures.map(({ mount }) => mount));
    const isWorse = next.failures.some(({ mount }) => !missing.has(mount));
    const isNoBetter = reason === 'boot_error' && next.failures.length >= missing.size;
    return isWorse || isNoBetter ? 'drop' : 'serve';
  }

  failed(slot: WorkerSlot, culprit: BootFailure | null): void {
    if (this.#isBooting) this.#boot?.workerEnded(slot.index, culprit);
  }

  retire(child: Child, reason: ExitReason): void {
    this.#drainChild(child, reason, this.#config.listeners);
  }

  changed(): void {
    for (const slot of this.#former) if (slot.children.length === 0) this.#former.delete(slot);
    if (this.#isServing) this.#deal();
    for (const resolve of this.#whenChanged.splice(0)) resolve();
  }

  serving(child: Child): void {
    this.#options.events.serving(child);
  }

  reported(child: Child, id: number | null, delta: unknown): void {
    this.#options.events.reported(child, id, delta);
  }

  gives(child: Child, message: HandoverMessage, handle: unknown): void {
    this.#options.events.gives(child, message, handle);
  }

  laneChanged(child: Child, change: LaneChange): void {
    this.#pools.laneChanged(change, child.serial);
  }

  overdue(_child: Child, overdue: Overdue): void {
    this.#pools.overdue(overdue);
  }

  exited(child: Child, reason: ExitReason): void {
    this.#pools.workerGone(child.serial);
    this.#options.events.exited(child, reason);
  }

  async #bootPools(boot: FirstBoot): Promise<void> {
    const failed = (failure: BootFailure): void => {
      boot.pythonFailed(failure);
      const { mount, message } = failure;
      this.#options.logs.logger.error({ mount }, `Mount ${mount} did not boot: ${message}`);
    };
    boot.pythonTried(await this.#pools.boot(failed));
  }

  get #isBooting(): boolean {
    return this.#boot?.isOver === false;
  }

  get #places(): number[] {
    return this.#slots.map(({ index }) => index);
  }

  /** Threads go to the workers there are, once those are there and others gone. */
  #deal(): void {
    const places = this.#places;
    const isNewcomerDue = this.#slots.some(
      ({ index, current }) => current === null && !this.#dealt.includes(index),
    );
    if (this.#former.size > 0 || isNewcomerDue || String(places) === String(this.#dealt)) return;
    this.#dealt = places;
    this.#pools.deal(places);
  }

  #drainChild(child: Child, reason: ExitReason, heirs: readonly ListenerConfig[]): void {
    const { timeouts, listeners } = this.#config;
    const hasHeir = (listener: ListenerConfig): boolean =>
      heirs.some((heir) => isSameListener(heir, listener));
    child.drain(reason, timeouts.graceful, listeners.map(hasHeir));
  }

  async #empty(): Promise<void> {
    while (this.children.length > 0) await this.#change();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#whenChanged.push(resolve));
  }
}
