// The master: binds the sockets, runs one generation of workers after the other, answers operators. It runs no app code,
// accepts no connection of nginx, and waits for nobody in its event loop.
import type { LoadedConfig } from '../config/load.ts';
import { type Deferred, withResolvers } from '../gateway/with-resolvers.ts';
import type { ExitReason } from '../observe/supervisor-metrics.ts';
import { Admin } from './admin.ts';
import type { Child } from './child.ts';
import { Control } from './control.ts';
import { Flush } from './flush.ts';
import { Generation, type GenerationEvents } from './generation.ts';
import { type HandoverMessage, Relay } from './handover.ts';
import { Logs } from './logs.ts';
import type { PassedSockets } from './passed-sockets.ts';
import { findTarget } from './privileges.ts';
import { Record } from './record.ts';
import { type ReloadOutcome, Reloads } from './reloads.ts';
import { makeRunDir, writePidFile } from './run-dir.ts';
import { Sockets } from './sockets.ts';
import { listening, rowsOf, statusOf } from './status.ts';
import { VERSION } from './version.ts';

export interface MasterOptions {
  readonly loaded: LoadedConfig;
  /**
   * Loads the configuration anew, for a reload.
   * @throws {Error} saying what is wrong with it
   */
  readonly load: () => LoadedConfig;
  /** What systemd:NAME stands for; default: nothing. */
  readonly passed?: PassedSockets | undefined;
}

/** Generations that may drain at a time; a further reload waits until one of them is gone. */
const MAX_DRAINING = 4;
/** Milliseconds between two looks at the workers. */
const TICK = 1000;

export class Master implements GenerationEvents {
  readonly #load: () => LoadedConfig;
  readonly #logs: Logs;
  readonly #record = new Record(() => rowsOf(this.#generations()));
  readonly #sockets: Sockets;
  readonly #flush = new Flush();
  readonly #reloads: Reloads;
  readonly #startedAt = Date.now();
  readonly #gone: Deferred = withResolvers();
  readonly #end: Deferred = withResolvers();
  /** Resolves once a stop has come so far that nothing of viaduct can be seen from outside. */
  readonly gone: Promise<void> = this.#gone.promise;
  /** Resolves when everything is gone after a stop(). */
  readonly stopped: Promise<void> = this.#end.promise;
  #loaded: LoadedConfig;
  #admin: Admin | null = null;
  #control: Control | null = null;
  #removePidFile: (() => void) | null = null;
  #generation: Generation | null = null;
  /** Boots, and is to follow. */
  #coming: Generation | null = null;
  readonly #draining = new Map<Generation, Promise<void>>();
  #lastGeneration = 0;
  #ticker: NodeJS.Timeout | undefined;
  #tickedAt: number = performance.now();
  #stopping = false;

  /** @throws {PrivilegeError}, or the system's error where a log file cannot be opened */
  constructor({ loaded, load, passed }: MasterOptions) {
    findTarget(loaded.config);
    this.#loaded = loaded;
    this.#load = load;
    this.#sockets = new Sockets(passed);
    this.#logs = new Logs(loaded.config);
    this.#record.watch(this.#logs);
    this.#reloads = new Reloads({
      change: () => this.#change(),
      generation: () => this.#lastServing,
      logs: this.#logs,
      record: this.#record,
    });
  }

  /**
   * Binds, starts the workers and resolves once they serve. On an error everything that was opened is closed again.
   * @throws {SocketError} {BootError} or the system's error
   */
  async start(): Promise<void> {
    const { config, file } = this.#loaded;
    this.#ticker = setInterval(() => this.#tick(), TICK);
    try {
      makeRunDir(config);
      const generation = await this.#prepare(this.#loaded);
      this.#admin = await this.#listenAdmin(this.#loaded);
      this.#control = new Control(this);
      await this.#control.listen(config.runDir);
      // Only now: who cannot have the addresses must not take the pid file from the one who has them.
      this.#removePidFile = writePidFile(config.runDir);
      await generation.boot('any');
      this.#generation = generation;
      this.#coming = null;
      await generation.serve();
    } catch (error) {
      if (this.#stopping) return;
      await this.#close();
      throw error;
    }
    const { sockets, slots } = this.#generation;
    const listeners = listening(sockets).map(({ protocol, address }) => `${protocol} ${address}`);
    const workers = slots.length;
    this.#logs.logger.info(
      { version: VERSION, node: process.version, file, listeners, admin: this.#admin?.address, workers },
      'Serving',
    );
  }

  /** Takes on the configuration as it is now. Never rejects; where it cannot, everything stays as it was. */
  reload(): Promise<ReloadOutcome> {
    return this.#reloads.run();
  }

  /** Graceful; a second call, or `now`, does not wait for requests in flight. */
  async stop({ now = false }: { now?: boolean } = {}): Promise<void> {
    const active = this.#inFlight();
    const hurry = now || this.#stopping;
    if (hurry) this.#logs.logger.warn({ active }, 'Stopping at once: requests are cut off');
    else this.#logs.logger.info({ active }, 'Stopping');
    if (this.#stopping) {
      for (const generation of this.#generations()) generation.stop('stop');
      return;
    }
    this.#stopping = true;
    const closed = this.#close();
    if (now) for (const generation of this.#generations()) generation.stop('stop');
    await closed;
    this.#end.resolve();
  }

  /** One worker more (1) or fewer (-1), until the next reload. */
  scale(step: 1 | -1): void {
    if (this.#generation === null || this.#stopping) return;
    const workers = this.#generation.scale(step);
    this.#logs.logger.info({ workers }, `There are to be ${workers} workers`);
  }

  reopenLogs(): void {
    this.#logs.reopen();
    for (const generation of this.#generations()) generation.reopenLogs();
  }

  /** Something failed that nobody expected. */
  report(error: unknown, what: string): void {
    this.#logs.logger.error({ err: error }, what);
  }

  /** As /status.json has it, with fresh numbers. */
  async freshStatus(): Promise<object> {
    await this.#refresh();
    return this.#status();
  }

  spawned(child: Child): void {
    const { slot, pid, generation } = child;
    this.#record.spawned();
    this.#logs.logger.debug({ worker: slot, worker_pid: pid, generation }, 'A worker starts');
  }

  serving(child: Child): void {
    const { slot, pid, generation } = child;
    this.#record.serving(child);
    this.#logs.logger.info({ worker: slot, worker_pid: pid, generation }, 'A worker serves');
  }

  reported(child: Child, id: number | null, delta: unknown): void {
    this.#record.counted(child, delta);
    this.#flush.answered(child, id);
  }

  /** To a worker of the configuration that serves now. */
  gives(child: Child, message: HandoverMessage, handle: unknown): void {
    const { listeners } = child.config;
    const relay = new Relay({
      route: (at) => {
        const listener = listeners[at];
        return listener === undefined || this.#stopping ? null : (this.#generation?.route(listener) ?? null);
      },
      lost: () =>
        this.#logs.logger.debug({ worker: child.slot }, 'Closed a connection that nobody goes on with'),
    });
    relay.pass(message, handle);
  }

  exited(child: Child, reason: ExitReason): void {
    this.#record.exited(child, reason);
    this.#flush.gone(child);
  }

  /** The next configuration instead of this one, or an error and nothing changed. */
  async #change(): Promise<void> {
    const before = this.#generation;
    if (before === null || this.#stopping) throw new Error('Cannot reload: viaduct starts or stops');
    while (this.#draining.size >= MAX_DRAINING) await Promise.race(this.#draining.values());
    const loaded = this.#load();
    const undo: (() => unknown)[] = [];
    try {
      this.#expectSameRunDir(loaded);
      findTarget(loaded.config);
      const logs = this.#logs.stage(loaded.config);
      undo.push(() => logs.undo());
      const generation = await this.#prepare(loaded);
      undo.push(() => generation.sockets.release());
      undo.push(() => generation.kill('boot_error'));
      const admin = await this.#listenAdmin(loaded);
      undo.push(() => (admin === this.#admin ? undefined : admin?.close()));
      await generation.boot('all');
      await generation.serve();
      if (this.#stopping) throw new Error('Cannot reload: viaduct stops');
      logs.commit();
      this.#generation = generation;
      this.#loaded = loaded;
      void this.#retire(before);
      if (admin !== this.#admin) void this.#admin?.close();
      this.#admin = admin;
    } catch (error) {
      for (const step of undo.toReversed()) await step();
      throw error;
    } finally {
      this.#coming = null;
    }
  }

  async #retire(generation: Generation): Promise<void> {
    const gone = generation.drain('reload', this.#loaded.config.listeners);
    this.#draining.set(generation, gone);
    generation.sockets.release();
    await gone;
    this.#draining.delete(generation);
    if (this.#draining.size === 0 && this.#coming === null) this.#record.retain(this.#loaded.config);
  }

  /** A generation with its sockets, and no workers yet. */
  async #prepare(loaded: LoadedConfig): Promise<Generation> {
    const sockets = await this.#sockets.acquire(loaded.config.listeners);
    this.#lastGeneration += 1;
    this.#record.expect(loaded.config);
    this.#coming = new Generation({
      id: this.#lastGeneration,
      loaded,
      sockets,
      logs: this.#logs,
      events: this,
    });
    return this.#coming;
  }

  /** The one there is, where the address stays the same. */
  async #listenAdmin({ config }: LoadedConfig): Promise<Admin | null> {
    if (config.admin === null) return null;
    const { address } = config.admin;
    if (this.#admin?.isAt(address) === true) return this.#admin;
    const admin = new Admin(address, {
      metrics: this.#record.metrics,
      logs: this.#logs,
      unready: () => this.#unready(),
      status: () => this.#status(),
      refresh: () => this.#refresh(),
    });
    await admin.listen();
    return admin;
  }

  #expectSameRunDir({ config }: LoadedConfig): void {
    const { runDir } = this.#loaded.config;
    if (config.runDir === runDir) return;
    throw new Error(
      `Cannot change run_dir from ${runDir} to ${config.runDir} in a reload: stop and start instead`,
    );
  }

  async #close(): Promise<void> {
    const generations = this.#generations();
    // First of all nobody can come in any more: no path, no queue.
    for (const { sockets } of generations) sockets.release();
    await Promise.all([
      this.#coming?.kill('stop'),
      ...generations.map((generation) => generation.drain('stop', [])),
    ]);
    clearInterval(this.#ticker);
    await this.#admin?.close();
    this.#removePidFile?.();
    this.#gone.resolve();
    await this.#control?.close();
    await this.#logs.close();
  }

  #tick(): void {
    const now = performance.now();
    // The master was stopped itself, or the machine slept: what the workers sent meanwhile has not been read yet.
    if (now - this.#tickedAt > 3 * TICK) for (const child of this.#children()) child.heardAt = now;
    this.#tickedAt = now;
    for (const generation of this.#generations()) generation.tick(now);
  }

  #refresh(): Promise<void> {
    const children = this.#children();
    for (const child of children) child.measure();
    return this.#flush.ask(children.filter(({ state }) => state === 'ready' || state === 'draining'));
  }

  /** Every one that has workers. */
  #generations(): Generation[] {
    const found = [this.#generation, this.#coming, ...this.#draining.keys()];
    return found.filter((generation) => generation !== null);
  }

  #children(): Child[] {
    return this.#generations().flatMap((generation) => generation.children);
  }

  get #lastServing(): number {
    return this.#generation?.id ?? 0;
  }

  #inFlight(): number {
    return this.#children().reduce((sum, { stats }) => sum + stats.inFlight, 0);
  }

  #unready(): string[] {
    if (this.#stopping) return ['viaduct is draining: it stops'];
    return this.#generation?.unready ?? ['the apps are still booting'];
  }

  #status(): object {
    return statusOf({
      loaded: this.#loaded,
      startedAt: this.#startedAt,
      generations: this.#generations(),
      current: this.#generation,
      unready: this.#unready(),
      reloads: this.#reloads.counts,
      logLinesDropped: this.#record.droppedLines,
    });
  }
}
