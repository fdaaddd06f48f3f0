// The process that serves: logs, sockets, one worker, the admin server and signals, from start to stop.
import type { LoadedConfig } from '../config/load.ts';
import { type AccessLog, createAccessLog } from '../observe/access-log.ts';
import { createLogger, type Log } from '../observe/logger.ts';
import { Metrics } from '../observe/metrics.ts';
import { formatAddress } from '../config/address.ts';
import { type Deferred, withResolvers } from '../gateway/with-resolvers.ts';
import { Admin } from './admin.ts';
import { writePidFile } from './pid-file.ts';
import { dropPrivileges } from './privileges.ts';
import { VERSION } from './version.ts';
import { Worker } from './worker.ts';

export class Daemon {
  readonly #loaded: LoadedConfig;
  readonly #log: Log;
  readonly #accessLog: AccessLog;
  readonly #worker: Worker;
  readonly #admin: Admin | null;
  readonly #startedAt = Date.now();
  readonly #end: Deferred = withResolvers();
  /** Resolves when everything is closed after a stop(). */
  readonly stopped: Promise<void> = this.#end.promise;
  #removePidFile: (() => void) | null = null;
  #stopping = false;

  /** @throws {Error} of node:fs, where a log file cannot be opened */
  constructor(loaded: LoadedConfig) {
    const { config } = loaded;
    const metrics = new Metrics({ version: VERSION });
    this.#loaded = loaded;
    this.#log = createLogger({ level: config.log.level, file: config.log.file });
    this.#accessLog = createAccessLog({
      ...config.log.access,
      file: config.log.access.file ?? config.log.file,
    });
    const { logger } = this.#log;
    this.#worker = new Worker({ config, logger, accessLog: this.#accessLog, metrics });
    this.#admin =
      config.admin === null
        ? null
        : new Admin(config.admin.address, {
            metrics,
            logger,
            unready: () => this.#worker.unready,
            status: () => this.#status(),
          });
  }

  /**
   * Binds, drops rights, boots the apps. On an error everything that was opened is closed again.
   * @throws {SocketError} {PrivilegeError} {BootError} or the system's error
   */
  async start(): Promise<void> {
    const { config, file } = this.#loaded;
    const { logger } = this.#log;
    try {
      await this.#worker.listen();
      await this.#admin?.listen();
      // Only now: who cannot have the addresses must not take the pid file from the one who has them.
      this.#removePidFile = writePidFile(config.runDir);
      dropPrivileges(config);
      await this.#worker.boot();
    } catch (error) {
      await this.#close(0);
      throw error;
    }
    const listeners = this.#listening().map(({ protocol, address }) => `${protocol} ${address}`);
    logger.info(
      { version: VERSION, node: process.version, file, listeners, admin: this.#admin?.address },
      'Serving',
    );
  }

  /** Graceful; a second call does not wait for requests in flight. */
  async stop(): Promise<void> {
    if (this.#stopping) {
      this.#log.logger.warn({ active: this.#worker.active }, 'Stopping at once: requests are cut off');
      this.#worker.stopNow();
      return;
    }
    this.#stopping = true;
    this.#log.logger.info({ active: this.#worker.active }, 'Stopping');
    await this.#close(this.#loaded.config.timeouts.graceful);
    this.#end.resolve();
  }

  reopenLogs(): void {
    for (const log of [this.#log, this.#accessLog]) {
      try {
        log.reopen();
      } catch (error) {
        this.#log.logger.error({ err: error }, 'Cannot reopen a log file, the old one stays in use');
      }
    }
  }

  /** Something failed outside of any request. */
  report(error: unknown, what: string): void {
    this.#log.logger.error({ err: error }, what);
  }

  async #close(graceful: number): Promise<void> {
    const clean = await this.#worker.stop(graceful);
    if (!clean) this.#log.logger.warn(`Requests were cut off, timeouts.graceful is ${graceful} ms`);
    await this.#admin?.close();
    this.#removePidFile?.();
    await this.#accessLog.close();
    await this.#log.close();
  }

  /** With the ports that the kernel chose. */
  #listening(): { address: string; protocol: string }[] {
    const { listeners } = this.#loaded.config;
    return this.#worker.addresses.map((address, at) => ({
      address: formatAddress(address),
      protocol: listeners[at]?.protocol ?? '',
    }));
  }

  #status(): object {
    const { config, file } = this.#loaded;
    const { active, unready } = this.#worker;
    return {
      version: VERSION,
      node: process.version,
      pid: process.pid,
      uptime_seconds: (Date.now() - this.#startedAt) / 1000,
      config: file,
      ready: unready.length === 0,
      requests_in_flight: active,
      listeners: this.#listening(),
      mounts: config.mounts.map(({ name, path, host, interface: kind }) => ({
        name,
        path,
        host,
        interface: kind,
      })),
      log_lines_dropped: this.#log.dropped() + this.#accessLog.dropped(),
    };
  }
}
