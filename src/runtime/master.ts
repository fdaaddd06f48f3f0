// The master: binds the sockets, runs one generation of workers after the other, answers operators. It runs no app code,
// accepts no connection of nginx, and waits for nobody in its event loop.
import type { LoadedConfig } from '../config/load.ts';
import { type Deferred, withResolvers } from '../gateway/with-resolvers.ts';
import type { Status } from '../observe/status-data.ts';
import type { ExitReason } from '../observe/supervisor-metrics.ts';
import { Admin } from './admin.ts';
import type { Child } from './child.ts';
import { Control } from './control.ts';
import { Flush } from './flush.ts';
import { Generation, type GenerationEvents } from './generation.ts';
import { Generations } from './generations.ts';
import type { HandoverMessage } from './handover.ts';
import { Logs } from './logs.ts';
import { LostSockets } from './lost-sockets.ts';
import type { PassedSockets } from './passed-sockets.ts';
import { findTarget } from './privileges.ts';
import { logPython } from './python/log.ts';
import type { PythonEvents } from './python/pool-set.ts';
import { Record } from './record.ts';
import { type ReloadOutcome, Reloads } from './reloads.ts';
import { makeLaneFolder, makeRunDir, removeLanes, writePidFile } from './run-dir.ts';
import { Sockets } from './sockets.ts';
import { listening } from './status.ts';
import { StatusBoard } from './status-board.ts';
import { supervisorTables } from './supervisor-tables.ts';
import { SystemdNotifier } from './systemd.ts';
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

/** Milliseconds between two looks at the workers. */
const TICK = 1000;

export class Master implements GenerationEvents {
  readonly #load: () => LoadedConfig;
  readonly #logs: Logs;
  readonly #generations = new Generations();
  readonly #record = new Record(supervisorTables(this.#generations));
  readonly #sockets: Sockets;
  readonly #flush = new Flush();
  readonly #reloads: Reloads;
  readonly #board: StatusBoard;
  readonly #systemd: SystemdNotifier;
  readonly #lostSockets: LostSockets;
  readonly python: PythonEvents;
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
  #lastGeneration = 0;
  #ticker: NodeJS.Timeout | undefined;
  #tickedAt: number = performance.now();
  /** The next change is only of sockets: the configuration stays the one that serves. */
  #rebinding = false;
  #starting: Promise<unknown> = Promise.resolve();
  #stopping = false;

  /** @throws {PrivilegeError}, or the system's error where run_dir cannot be made or a log file cannot be opened */
  constructor({ loaded, load, passed }: MasterOptions) {
    findTarget(loaded.config);
    this.#loaded = loaded;
    this.#load = load;
    this.#sockets = new Sockets(passed);
    // The log may lie in it.
    makeRunDir(loaded.config);
    this.#logs = new Logs(loaded.config);
    this.#systemd = new SystemdNotifier(process.env, (message) => this.#logs.logger.warn(message));
    this.#record.watch(this.#logs);
    this.python = logPython(this.#record, this.#logs);
    this.#reloads = new Reloads({
      change: () => this.#changeAloud(),
      generation: () => this.#generations.current?.id ?? 0,
      logs: this.#logs,
      record: this.#record,
    });
    this.#board = new StatusBoard({
      loaded: () => this.#loaded,
      unready: () => this.#unready(),
      generations: this.#generations,
      flush: this.#flush,
      record: this.#record,
      reloads: this.#reloads,
      logs: this.#logs,
    });
    this.#lostSockets = new LostSockets({
      lost: () => this.#sockets.lost(),
      rebind: () => this.#rebind(),
      logs: this.#logs,
    });
  }

  /**
   * Binds, starts the workers and resolves once they serve. On an error everything that was opened is closed again.
   * @throws {SocketError} {BootError} or the system's error
   */
  async start(): Promise<void> {
    this.#ticker = setInterval(() => this.#tick(), TICK);
    const opening = this.#open();
    this.#starting = Promise.allSettled([opening]);
    try {
      await opening;
    } catch (error) {
      // stop() clears up then.
      if (this.#stopping) return;
      await this.#close();
      throw error;
    }
    this.#systemd.ready(this.#generations.summary);
    this.#systemd.startWatchdog();
  }

  /** Takes on the configuration as it is now. Never rejects; where it cannot, everything stays as it was. */
  reload(): Promise<ReloadOutcome> {
    this.#rebinding = false;
    return this.#reloads.run();
  }

  /** Graceful; a second call, or `now`, does not wait for requests in flight. */
  async stop({ now = false }: { now?: boolean } = {}): Promise<void> {
    const isFirst = !this.#stopping;
    this.#stopping = true;
    if (now || !isFirst) this.#logs.logger.warn('Stopping at once: requests are cut off');
    else this.#logs.logger.info('Stopping');
    if (isFirst) {
      this.#systemd.stopping();
      void this.#generations.coming?.kill('stop');
      await this.#starting;
    }
    const closed = isFirst ? this.#close() : null;
    if (now || !isFirst) this.#generations.stop();
    await closed;
    if (isFirst) this.#end.resolve();
  }

  /** One worker more (1) or fewer (-1), until the next reload. */
  scale(step: 1 | -1): void {
    if (this.#generations.current === null || this.#stopping) return;
    const workers = this.#generations.current.scale(step);
    this.#logs.logger.info({ workers }, `There are to be ${workers} workers`);
  }

  reopenLogs(): void {
    this.#logs.reopen();
    for (const child of this.#generations.children) child.reopenLogs();
  }

  /** Something failed that nobody expected. */
  report(error: unknown, what: string): void {
    this.#logs.logger.error({ err: error }, what);
  }

  /** As /status.json has it, with fresh numbers. */
  freshStatus(): Promise<Status> {
    return this.#board.fresh();
  }

  spawned(child: Child): void {
    const { slot, pid, generation } = child;
    this.#record.spawned('node');
    this.#logs.logger.debug({ worker: slot, worker_pid: pid, generation }, 'A worker starts');
  }

  serving(child: Child): void {
    const { slot, pid, generation } = child;
    this.#record.serving('node', child);
    this.#logs.logger.info({ worker: slot, worker_pid: pid, generation }, 'A worker serves');
  }

  reported(child: Child, id: number | null, delta: unknown): void {
    this.#record.counted(child, delta);
    this.#flush.answered(child, id);
  }

  gives(child: Child, message: HandoverMessage, handle: unknown): void {
    this.#generations.pass(child, message, handle, () =>
      this.#logs.logger.debug({ worker: child.slot }, 'Closed a connection that nobody goes on with'),
    );
  }

  exited(child: Child, reason: ExitReason): void {
    this.#record.exited(child, reason);
    this.#flush.gone(child);
  }

  async #open(): Promise<void> {
    const { config, file } = this.#loaded;
    const generation = await this.#prepare(this.#loaded);
    this.#admin = await this.#listenAdmin(this.#loaded);
    this.#control = new Control(this);
    await this.#control.listen(config.runDir);
    // Only now: who cannot have the addresses must not take the pid file from the one who has them.
    this.#removePidFile = writePidFile(config.runDir);
    removeLanes(config.runDir);
    this.#expectNoStop();
    makeLaneFolder(config);
    await generation.boot('any');
    await generation.serve();
    this.#expectNoStop();
    await this.#generations.succeed(generation);
    const listeners = listening(generation.sockets).map(({ protocol, address }) => `${protocol} ${address}`);
    const { length: workers } = generation.slots;
    this.#logs.logger.info(
      { version: VERSION, node: process.version, file, listeners, admin: this.#admin?.address, workers },
      'Serving',
    );
  }

  async #changeAloud(): Promise<void> {
    this.#systemd.reloading();
    try {
      await this.#change();
    } finally {
      if (!this.#stopping) this.#systemd.ready(this.#generations.summary);
    }
  }

  /** The next configuration instead of this one, or an error and nothing changed. */
  async #change(): Promise<void> {
    await this.#starting;
    await this.#generations.room();
    this.#expectNoStop();
    const loaded = this.#rebinding ? this.#loaded : this.#load();
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
      this.#expectNoStop();
      makeLaneFolder(loaded.config);
      await generation.boot('all');
      await generation.serve();
      this.#expectNoStop();
      logs.commit();
      this.#loaded = loaded;
      if (admin !== this.#admin) void this.#admin?.close();
      this.#admin = admin;
      void this.#takeOver(generation);
    } catch (error) {
      for (const step of undo.toReversed()) await step();
      this.#generations.coming = null;
      throw error;
    }
  }

  async #takeOver(generation: Generation): Promise<void> {
    await this.#generations.succeed(generation);
    if (this.#generations.isSingle) this.#record.retain(this.#loaded.config);
  }

  /** A generation with its sockets, and no workers yet. */
  async #prepare(loaded: LoadedConfig): Promise<Generation> {
    const sockets = await this.#sockets.acquire(loaded.config.listeners);
    this.#lastGeneration += 1;
    const options = { id: this.#lastGeneration, loaded, sockets, logs: this.#logs, events: this };
    const generation = new Generation(options);
    this.#record.expect(loaded.config);
    this.#generations.coming = generation;
    return generation;
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
      status: () => this.#board.status(),
      refresh: () => this.#board.refresh(),
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

  #expectNoStop(): void {
    if (this.#stopping) throw new Error('Cannot go on: viaduct is told to stop');
  }

  async #close(): Promise<void> {
    // First of all nobody can come in any more: no path, no queue.
    for (const { sockets } of this.#generations.all) sockets.release();
    await Promise.all([this.#generations.drain(), this.#reloads.idle()]);
    clearInterval(this.#ticker);
    await this.#admin?.close();
    this.#removePidFile?.();
    this.#gone.resolve();
    await this.#control?.close();
    await this.#systemd.stop();
    await this.#logs.close();
  }

  #tick(): void {
    const now = performance.now();
    // The master was stopped itself, or the machine slept: what the workers sent meanwhile has not been read yet.
    if (now - this.#tickedAt > 3 * TICK) for (const child of this.#generations.children) child.heardAt = now;
    this.#tickedAt = now;
    for (const generation of this.#generations.all) generation.tick(now);
    this.#board.tick(now);
    if (this.#generations.current !== null && !this.#stopping) this.#lostSockets.tick(now);
  }

  #rebind(): void {
    if (this.#reloads.busy) return;
    this.#rebinding = true;
    void this.#reloads.run();
  }

  #unready(): string[] {
    if (this.#stopping) return ['viaduct is draining: it stops'];
    return this.#generations.current?.unready ?? ['the apps are still booting'];
  }
}
