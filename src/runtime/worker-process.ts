// The inside of a worker process: takes the master's orders, gives up root, runs one Worker, and reports. What serving
// means is the Worker's.
import { sharedRegistries } from '../apps/metrics/registries.ts';
import type { PoolState } from '../apps/python/lane-server.ts';
import type { Config } from '../config/types.ts';
import { type AccessLog, createAccessLog } from '../observe/access-log.ts';
import { AppCollector } from '../observe/app-collector.ts';
import type { AppDelta } from '../observe/app-metrics.ts';
import { loggable, sayThrown } from '../observe/describe-error.ts';
import { ErrorReporter } from '../observe/error-report.ts';
import { createLogger, type Log } from '../observe/logger.ts';
import { MetricSlots } from '../observe/metric-slots.ts';
import { seriesLimitOf } from './app-series.ts';
import { mountOf } from './blame.ts';
import { giveTo, Outbox } from './handover.ts';
import { keepRequestsYoung, usedHeap } from './heap.ts';
import {
  accessLogDescriptor,
  FIRST_LISTENER_DESCRIPTOR,
  LOG_DESCRIPTOR,
  type ToMaster,
  type ToWorker,
  watchdogDescriptor,
} from './ipc.ts';
import { dropPrivileges } from './privileges.ts';
import { oldestOf } from './running.ts';
import { startWatchdog, type Watchdog } from './watchdog.ts';
import { Worker } from './worker.ts';

type BootOrder = Extract<ToWorker, { kind: 'boot' }>;

/** Milliseconds between two reports. */
const REPORT_INTERVAL = 1000;
/** Milliseconds for requests in flight, and until it ends whatever happens, once the master is gone. */
const ORPHAN_GRACE = 500;
const ORPHAN_LIMIT = 900;

/** A worker that has been given what it needs. */
interface Parts {
  readonly config: Config;
  readonly log: Log;
  readonly accessLog: AccessLog;
  readonly metrics: MetricSlots;
  readonly appMetrics: AppCollector;
  readonly worker: Worker;
  /** null: timeouts.stuck is 0. */
  readonly watchdog: Watchdog | null;
}

export class WorkerProcess {
  #parts: Parts | null = null;
  /** Connections for the master to pass on. */
  readonly #outbox = new Outbox(process);
  /** What the master has said of the Python processes. */
  readonly #pools = new Map<string, PoolState>();
  #ending = false;
  /** Told to break off what is in flight. */
  #isHurried = false;

  /** Waits for orders, for the life of the process. */
  listen(): void {
    process.on('message', (message, handle) => this.#obey(message as ToWorker, handle));
    process.on('disconnect', () => this.#orphaned());
    for (const signal of ['SIGTERM', 'SIGQUIT'] as const) process.on(signal, () => send({ kind: 'leaves' }));
    // An application that fails in a timer or a forgotten promise costs a log line, not everybody's requests.
    process.on('uncaughtException', (error) =>
      this.#blame(error, 'An application failed outside of any request'),
    );
    process.on('unhandledRejection', (error) =>
      this.#blame(error, 'An application left a rejected promise unhandled'),
    );
  }

  #obey(message: ToWorker, handle: unknown): void {
    switch (message.kind) {
      case 'boot':
        void this.#boot(message).catch((error: unknown) => this.#unfit(error));
        break;
      case 'serve':
        void this.#serve().catch((error: unknown) => this.#unfit(error));
        break;
      case 'drain':
        void this.#end(message.graceful, message.heirs, message.releases);
        break;
      case 'stop':
        this.#isHurried = true;
        void this.#end(0);
        this.#parts?.worker.stopNow();
        break;
      case 'reopen':
        this.#reopenLogs();
        break;
      case 'flush':
        this.#report(message.id);
        break;
      case 'pool':
        this.#pools.set(message.state.mount, message.state);
        this.#parts?.worker.updatePool(message.state);
        break;
      case 'adopt':
        this.#parts?.worker.adopt(message, handle);
    }
  }

  async #boot({ slot, config, multiprocess, lanes, skip }: BootOrder): Promise<void> {
    keepRequestsYoung();
    // Before root is given up: a pipe that root has made can then no longer be opened.
    const { log, accessLog } = openLogs(config, slot);
    dropPrivileges(config);
    const metrics = new MetricSlots();
    metrics.logs.watch('log', () => log.dropped());
    metrics.logs.watch('access', () => accessLog.dropped());
    const worker = new Worker({
      config,
      logger: log.logger,
      accessLog,
      metrics,
      multiprocess,
      python: {
        addresses: lanes,
        onLane: (change) => send({ kind: 'lane', change }),
        onOverdue: (overdue) => send({ kind: 'overdue', overdue }),
      },
    });
    const watchdog = startWatch(config, slot, worker, log);
    const appMetrics = new AppCollector({
      registries: sharedRegistries,
      limit: seriesLimitOf(config),
      dropped: metrics.droppedSeries,
      warn: (message) => log.logger.warn(message),
    });
    this.#parts = { config, log, accessLog, metrics, appMetrics, worker, watchdog };
    const failures = await worker.boot({ skip, onLoad: (mount) => send({ kind: 'loading', mount }) });
    for (const state of this.#pools.values()) worker.updatePool(state);
    watchdog?.allow(config.timeouts.stuck);
    send({ kind: 'booted', failures });
  }

  async #serve(): Promise<void> {
    if (this.#parts === null || this.#ending) return;
    const { worker, config } = this.#parts;
    await worker.listen(config.listeners.map((_, at) => FIRST_LISTENER_DESCRIPTOR + at));
    setInterval(() => this.#report(null), REPORT_INTERVAL).unref();
    send({ kind: 'serving' });
  }

  /** @param id of the flush it answers; null: nobody has asked */
  #report(id: number | null, sent?: () => void): void {
    if (this.#parts === null) return;
    const { worker, metrics, appMetrics } = this.#parts;
    const tell = (apps: readonly AppDelta[]): void => {
      const stats = { requests: worker.finished, inFlight: worker.active, heapUsed: usedHeap() };
      const own = metrics.takeDelta();
      const delta = apps.length === 0 ? own : [...(own ?? []), ...apps];
      // Only for who asks: every second is often enough for numbers, and too often for lists.
      const running = id === null ? {} : { running: oldestOf(worker.running()) };
      send({ kind: 'stats', id, stats, delta, ...running }, sent);
    };
    const collecting = appMetrics.collect(id !== null || this.#ending);
    if (collecting === null) tell([]);
    else void collecting.then(tell);
  }

  /** Lets what is in flight end for up to `graceful` milliseconds, gives connections to heirs, and exits. */
  async #end(graceful: number, heirs: readonly boolean[] = [], releases = false): Promise<void> {
    if (this.#ending) return;
    this.#ending = true;
    if (this.#parts !== null) {
      const { worker, log, accessLog, watchdog } = this.#parts;
      const clean = await worker.leave(
        graceful,
        heirs.map((isThere, at) => (isThere ? giveTo(this.#outbox, at) : null)),
        releases,
      );
      await this.#outbox.empty();
      // Its clock has stopped with the worker; what is left, the master has a limit for.
      await watchdog?.stop();
      // Whoever told it to break off knows.
      if (!clean && graceful > 0 && !this.#isHurried)
        log.logger.warn(`Requests were cut off, timeouts.graceful is ${graceful} ms`);
      await accessLog.close();
      await new Promise<void>((resolve) => this.#report(null, resolve));
      await log.close();
    }
    if (!process.connected) endGroup();
    process.exit(0);
  }

  /** The master is gone: nobody will hand over sockets or restart us, so the place is cleared for its successor. */
  #orphaned(): void {
    if (this.#ending) return;
    setTimeout(endGroup, ORPHAN_LIMIT);
    this.#parts?.log.logger.error('The master is gone: ending');
    void this.#end(ORPHAN_GRACE);
  }

  #reopenLogs(): void {
    if (this.#parts === null) return;
    const { log, accessLog } = this.#parts;
    for (const each of [log, accessLog]) {
      try {
        each.reopen();
      } catch (error) {
        log.logger.error({ err: error }, 'Cannot reopen a log file, the old one stays in use');
      }
    }
  }

  #blame(error: unknown, what: string): void {
    if (this.#parts === null) throw error;
    const { config, log } = this.#parts;
    const mount = mountOf(error, config.mounts);
    log.logger.error(
      { ...(mount !== undefined && { mount }), err: loggable(error) },
      `${what}: ${sayThrown(error)}`,
    );
  }

  #unfit(error: unknown): void {
    const message = `Cannot work: ${error instanceof Error ? error.message : String(error)}`;
    send({ kind: 'unfit', message }, () => process.exit(1));
  }
}

/** A file that cannot be opened (its folder is gone, say) costs no request: its lines go to the master's stderr. */
function openLogs(config: Config, slot: number): { log: Log; accessLog: AccessLog } {
  const { level, file, access } = config.log;
  const failed = new Map<string, unknown>();
  const errors = new ErrorReporter((report) => send({ kind: 'error', report }));
  const log = createLogger({
    level,
    file,
    stderr: LOG_DESCRIPTOR,
    fields: { worker: slot },
    onError: (about, message) => errors.logged(about, message),
    onUnopened: (error) => failed.set(`log.file ${file}`, error),
  });
  const accessLog = createAccessLog({
    ...access,
    file: access.file ?? file,
    stderr: accessLogDescriptor(config),
    onUnopened: (error) =>
      failed.set(access.file === null ? `log.file ${file}` : `log.access.file ${access.file}`, error),
  });
  for (const [what, error] of failed)
    log.logger.error({ err: error }, `Cannot open ${what}, its lines go to stderr until the next USR1`);
  return { log, accessLog };
}

/** From before the apps are loaded, which may block for timeouts.boot. */
function startWatch(config: Config, slot: number, worker: Worker, { logger }: Log): Watchdog | null {
  const { timeouts, mounts, log } = config;
  if (timeouts.stuck === 0) return null;
  return startWatchdog({
    stuck: Math.max(timeouts.stuck, ...mounts.map((mount) => mount.timeouts.boot)),
    slot,
    logFd: watchdogDescriptor(config),
    logFile: log.file,
    parent: process.ppid,
    ticker: worker.ticker,
    inFlight: () => worker.running(),
    failed: (error) =>
      logger.error({ err: error }, 'The watchdog has failed, nothing ends a stuck event loop now'),
  });
}

/** Ends this process, and what it has started, as the master does it: there is none any more to do that. */
function endGroup(): never {
  try {
    // A group of that number is its own: the master starts each worker as the leader of one (setsid(2)).
    process.kill(-process.pid, 'SIGKILL');
  } catch {
    // ESRCH: it leads none.
  }
  process.exit(1);
}

/** Tells the master, as far as there still is one. `sent` is called once it has gone out, or cannot. */
function send(message: ToMaster, sent: () => void = () => undefined): void {
  if (process.send === undefined || !process.connected) sent();
  else process.send(message, undefined, undefined, sent);
}
