// One worker: its mounts, its listeners, its clock and its logs, from boot to the last response. It does not know who
// started it, nor in which process it is, nor anything of signals and exit codes.
import type { Logger } from 'pino';
import { formatAddress, type ListenAddress } from '../config/address.ts';
import { backgroundWork } from '../apps/background-work.ts';
import type { LaneServer, PoolState } from '../apps/python/lane-server.ts';
import type { Config, ListenerConfig } from '../config/types.ts';
import { environKey } from '../gateway/environ.ts';
import type { RunningRequest } from '../gateway/events.ts';
import { Gateway } from '../gateway/gateway.ts';
import { type Deferred, withResolvers } from '../gateway/with-resolvers.ts';
import { AccessChoice } from '../observe/access-choice.ts';
import type { AccessLog } from '../observe/access-log.ts';
import { type MetricSlots, NO_MOUNT } from '../observe/metric-slots.ts';
import type { Take } from '../transport/context.ts';
import { isHandle } from '../transport/handle.ts';
import {
  type ConnectionCount,
  Listener,
  type ListenerOptions,
  type SharedContext,
} from '../transport/listener.ts';
import { Ticker } from '../transport/timeouts.ts';
import { DEFAULT_LIMITS } from '../protocol/limits.ts';
import { type BootFailure, bootMounts, type BootOptions, type PythonLink } from './boot.ts';
import { connectionsWithin, courtesyWithin, descriptorLimit, DescriptorWatch } from './descriptors.ts';
import type { Crossing } from './handover.ts';
import { LoopDelay } from './loop-delay.ts';
import { RequestLog } from './request-log.ts';
import { ProviderWatch } from './tracing/watch-provider.ts';
import { ownerIds } from './users.ts';

/** Milliseconds for the last bytes and the peers' FINs, once every response has ended. */
const FLUSH_TIME = 2000;

export interface WorkerOptions {
  readonly config: Config;
  readonly logger: Logger;
  readonly accessLog: AccessLog;
  readonly metrics: MetricSlots;
  /** Whether other processes serve the same apps. Default false. */
  readonly multiprocess?: boolean;
  /** How Python threads come here; without it there are no Python apps. */
  readonly python?: PythonLink;
}

export class Worker {
  readonly #config: Config;
  readonly #logger: Logger;
  readonly #metrics: MetricSlots;
  readonly #log: RequestLog;
  /** Runs from listen() to the end of stop(). */
  readonly ticker: Ticker = new Ticker();
  readonly #listeners: Listener[];
  readonly #multiprocess: boolean;
  #gateway: Gateway | null = null;
  readonly #hurry: Deferred = withResolvers();
  readonly #python: PythonLink | undefined;
  /** By mount. */
  #lanes: ReadonlyMap<string, LaneServer> = new Map();

  constructor({ config, logger, accessLog, metrics, multiprocess = false, python }: WorkerOptions) {
    this.#config = config;
    this.#logger = logger;
    this.#python = python;
    this.#multiprocess = multiprocess;
    this.#metrics = metrics;
    this.#log = new RequestLog(logger, accessLog, config.log.slow, metrics, accessChoice(config));
    this.ticker.add(this.#log);
    this.ticker.add(new LoopDelay(metrics.process));
    this.ticker.add(
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

  /** Where it listens, in the order of the configuration. */
  get addresses(): ListenAddress[] {
    return this.#listeners.map((listener) => listener.address);
  }

  /** Requests in flight. */
  get active(): number {
    return this.#gateway?.active ?? 0;
  }

  /** Requests that are over. */
  get finished(): number {
    return this.#log.requests;
  }

  /** Requests in flight, in no order; those that wait for the apps to boot are not told of. */
  running(): RunningRequest[] {
    return this.#gateway?.running() ?? [];
  }

  /**
   * Loads the apps; what cannot be loaded answers 503.
   * @returns the mounts that failed
   */
  async boot(options?: BootOptions): Promise<readonly BootFailure[]> {
    // What only developers may see is not even loaded elsewhere.
    const pages = this.#config.development ? await import('./dev-page/explain.ts') : null;
    const { mounts, failures, lanes } = await bootMounts(this.#config, this.#metrics, {
      python: this.#python,
      explain: pages?.explainBoot,
      ...options,
    });
    this.#lanes = lanes;
    const { requestIdHeader } = this.#config.log;
    const noMount = this.#metrics.mount(NO_MOUNT);
    const gateway = new Gateway(mounts, this.#log, noMount, {
      multiprocess: this.#multiprocess,
      requestIdKey: requestIdHeader === null ? null : environKey(requestIdHeader),
      explain: pages?.explainFailure,
    });
    // The apps are loaded, and what is to trace them most often too.
    const providers = new ProviderWatch(gateway, this.#logger);
    await providers.look();
    this.ticker.add(providers);
    this.ticker.add(gateway);
    this.#gateway = gateway;
    return failures;
  }

  /**
   * Accepts on every address, or none; to be called once it has booted.
   * @param descriptors sockets bound before, one a listener; without them the addresses are bound here
   * @throws {SocketError} or the system's error of the first that failed
   */
  async listen(descriptors: readonly number[] = []): Promise<void> {
    const bound: Listener[] = [];
    try {
      for (const [at, listener] of this.#listeners.entries()) {
        await listener.listen(descriptors[at]);
        bound.push(listener);
      }
    } catch (error) {
      for (const listener of bound) listener.drain();
      throw error;
    }
    this.ticker.start();
  }

  /**
   * Stops accepting, lets what is in flight end for up to `graceful` milliseconds, then cuts it off.
   * Resolves when nothing is left; true if nothing had to be cut off.
   */
  async stop(graceful: number): Promise<boolean> {
    this.#gateway?.drain();
    for (const listener of this.#listeners) listener.drain();
    return this.#end(graceful);
  }

  /** Goes on with a connection that another worker has accepted; `handle` is what came with the message. */
  adopt({ listener, protocol }: Crossing, handle: unknown): void {
    if (!isHandle(handle)) return;
    const adopting = this.#listeners[listener];
    if (adopting === undefined) handle.close();
    else adopting.adopt(handle, protocol);
  }

  /** Takes on what the master says of a mount's Python processes. */
  updatePool(state: PoolState): void {
    this.#lanes.get(state.mount)?.update(state);
  }

  /**
   * As stop(), but the connections live on: each goes to `takes` of its listener, in the order of the configuration, as
   * soon as nothing is in flight on it. null: nobody goes on with that listener, and its connections are closed.
   * `releases`: Python threads go as soon as they are not needed.
   */
  async leave(graceful: number, takes: readonly (Take | null)[], releases = false): Promise<boolean> {
    const leftAt = performance.now();
    this.#gateway?.drain();
    if (releases) for (const lanes of this.#lanes.values()) lanes.release();
    for (const [index, listener] of this.#listeners.entries()) {
      const take = takes[index] ?? null;
      if (take === null) listener.drain();
      else listener.handOver(take);
    }
    await withinTime(this.#closed(), graceful, this.#hurry.promise);
    return this.#end(Math.max(0, graceful - (performance.now() - leftAt)));
  }

  /** Cuts off whatever is in flight, and makes stop() wait for nothing any more, an application that ignores its signal included. */
  stopNow(): void {
    this.#hurry.resolve();
    this.#gateway?.shutdown();
    for (const listener of this.#listeners) listener.destroy();
  }

  /** The end of stop() and leave(): where a request that is cut off gets an answer, its connection closes or leaves like any other. */
  async #end(graceful: number): Promise<boolean> {
    const drained = this.#gateway?.drained().then(() => backgroundWork.idle());
    const clean = drained === undefined || (await withinTime(drained, graceful, this.#hurry.promise));
    if (!clean) this.#gateway?.shutdown();
    await withinTime(this.#closed(), FLUSH_TIME);
    for (const listener of this.#listeners) listener.destroy();
    for (const lanes of this.#lanes.values()) lanes.close();
    this.ticker.stop();
    return clean;
  }

  /** Resolves when no connection is left. */
  async #closed(): Promise<void> {
    await Promise.all(this.#listeners.map((listener) => listener.closed()));
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
      ticker: this.ticker,
      handle: (exchange) => {
        if (this.#gateway === null) exchange.reject(503, 1);
        else this.#gateway.handle(exchange);
      },
      report: (error, protocol, listener) => this.#log.protocolError(error, protocol, listener),
    };
  }
}

function accessChoice({ log, mounts }: Config): AccessChoice {
  const { sample, exclude } = log.access;
  const silent = mounts.filter(({ accessLog }) => !accessLog).map(({ name }) => name);
  return new AccessChoice({
    sample,
    exclude: exclude.map((pattern) => Buffer.from(pattern, 'utf8').toString('latin1')),
    silent: new Set(silent),
    slow: log.slow,
  });
}

function listenerOptions(listener: ListenerConfig): ListenerOptions {
  return { ...listener, file: { mode: listener.mode, ...ownerIds(listener) } };
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
