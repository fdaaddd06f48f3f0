// One worker: its listeners, its mounts, its clock and its logs, from boot to the last response. It does not know who
// started it, nor anything of signals and exit codes.
import type { Logger } from 'pino';
import { type Address, formatAddress } from '../config/address.ts';
import type { Config, ListenerConfig } from '../config/types.ts';
import { Gateway } from '../gateway/gateway.ts';
import { type Deferred, withResolvers } from '../gateway/with-resolvers.ts';
import type { AccessLog } from '../observe/access-log.ts';
import { type Metrics, NO_MOUNT } from '../observe/metrics.ts';
import type { TransportExchange } from '../transport/context.ts';
import {
  type ConnectionCount,
  Listener,
  type ListenerOptions,
  type SharedContext,
} from '../transport/listener.ts';
import { Ticker } from '../transport/timeouts.ts';
import { DEFAULT_LIMITS } from '../protocol/limits.ts';
import { bootMounts } from './boot.ts';
import { connectionsWithin, courtesyWithin, descriptorLimit, DescriptorWatch } from './descriptors.ts';
import { RequestLog } from './request-log.ts';
import { lookupGroup, lookupUser } from './users.ts';

/** Milliseconds for the last bytes and the peers' FINs, once every response has ended. */
const FLUSH_TIME = 2000;

export interface WorkerOptions {
  readonly config: Config;
  readonly logger: Logger;
  readonly accessLog: AccessLog;
  readonly metrics: Metrics;
}

export class Worker {
  readonly #config: Config;
  readonly #metrics: Metrics;
  readonly #log: RequestLog;
  readonly #ticker = new Ticker();
  readonly #listeners: Listener[];
  #gateway: Gateway | null = null;
  /** Requests that came while the apps were still booting. */
  #early: TransportExchange[] = [];
  #draining = false;
  readonly #hurry: Deferred = withResolvers();

  constructor({ config, logger, accessLog, metrics }: WorkerOptions) {
    this.#config = config;
    this.#metrics = metrics;
    this.#log = new RequestLog(logger, accessLog, config.log.slow);
    this.#ticker.add(this.#log);
    this.#ticker.add(
      new DescriptorWatch(() =>
        this.#log.transportWarning(
          'No descriptor is left (RLIMIT_NOFILE): new connections are closed unanswered, and applications cannot open files',
        ),
      ),
    );
    const shared = this.#shared(logger);
    const count: ConnectionCount = { open: 0 };
    this.#listeners = config.listeners.map((listener) => {
      const slots = metrics.listener(formatAddress(listener.address), listener.protocol);
      return new Listener(listenerOptions(listener), shared, slots, count);
    });
  }

  /** Why requests cannot be served now; empty when they can. */
  get unready(): string[] {
    const reasons: string[] = [];
    if (this.#gateway === null) reasons.push('the apps are still booting');
    if (this.#draining) reasons.push('the worker is draining');
    return reasons;
  }

  /** Where it listens, in the order of the configuration. */
  get addresses(): Address[] {
    return this.#listeners.map((listener) => listener.address);
  }

  /** Requests in flight. */
  get active(): number {
    return (this.#gateway?.active ?? 0) + this.#early.length;
  }

  /**
   * Binds every address, or none.
   * @throws {SocketError} or the system's error of the first that failed
   */
  async listen(): Promise<void> {
    const bound: Listener[] = [];
    try {
      for (const listener of this.#listeners) {
        await listener.listen();
        bound.push(listener);
      }
    } catch (error) {
      for (const listener of bound) listener.drain();
      throw error;
    }
    this.#ticker.start();
  }

  /**
   * Boots the apps; what came meanwhile is answered then.
   * @throws {BootError}
   */
  async boot(): Promise<void> {
    const mounts = await bootMounts(this.#config, this.#metrics);
    const gateway = new Gateway(mounts, this.#log, this.#metrics.mount(NO_MOUNT));
    this.#ticker.add(gateway);
    this.#gateway = gateway;
    const early = this.#early;
    this.#early = [];
    for (const exchange of early) if (!exchange.closed) gateway.handle(exchange);
  }

  /**
   * Stops accepting, lets what is in flight end for up to `graceful` milliseconds, then cuts it off.
   * Resolves when nothing is left; true if nothing had to be cut off.
   */
  async stop(graceful: number): Promise<boolean> {
    this.#draining = true;
    for (const listener of this.#listeners) listener.drain();
    for (const exchange of this.#early) exchange.reject(503, 1);
    const drained = this.#gateway?.drained();
    const clean = drained === undefined || (await withinTime(drained, graceful, this.#hurry.promise));
    if (!clean) this.#gateway?.shutdown();
    await withinTime(Promise.all(this.#listeners.map((listener) => listener.closed())), FLUSH_TIME);
    for (const listener of this.#listeners) listener.destroy();
    this.#ticker.stop();
    return clean;
  }

  /** Cuts off whatever is in flight, and makes stop() wait for nothing any more, an application that ignores its signal included. */
  stopNow(): void {
    this.#hurry.resolve();
    this.#gateway?.shutdown();
    for (const listener of this.#listeners) listener.destroy();
  }

  #shared(logger: Logger): SharedContext {
    const { limits, timeouts } = this.#config;
    const descriptors = descriptorLimit();
    const connections = connectionsWithin(descriptors, limits.connections);
    if (connections < limits.connections)
      logger.warn(
        `limits.connections is ${connections} instead of ${limits.connections}: the process may have ${descriptors} descriptors only (RLIMIT_NOFILE)`,
      );
    return {
      limits: {
        ...DEFAULT_LIMITS,
        ...limits,
        connections,
        courtesy: courtesyWithin(descriptors),
        descriptors,
      },
      timeouts,
      ticker: this.#ticker,
      handle: (exchange) => {
        if (this.#gateway === null) this.#early.push(exchange);
        else this.#gateway.handle(exchange);
      },
      report: (error, protocol, listener) => this.#log.protocolError(error, protocol, listener),
      warn: (message) => this.#log.transportWarning(message),
    };
  }
}

function listenerOptions(listener: ListenerConfig): ListenerOptions {
  const uid = listener.owner === null ? -1 : (lookupUser(listener.owner)?.uid ?? -1);
  const gid = listener.group === null ? -1 : (lookupGroup(listener.group)?.gid ?? -1);
  return { ...listener, file: { mode: listener.mode, uid, gid } };
}

/** True when `work` is done within `limit` milliseconds, and before `hurry`. */
async function withinTime(work: Promise<unknown>, limit: number, hurry?: Promise<void>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), limit);
  });
  try {
    const ends = [work.then(() => true), late];
    if (hurry !== undefined) ends.push(hurry.then(() => false));
    return await Promise.race(ends);
  } finally {
    clearTimeout(timer);
  }
}
