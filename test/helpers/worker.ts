// A real worker in this process: listeners, gateway, limits and timeouts as the product has them, with applications
// that are functions of the test, and everything it logs and counts in reach. Knows no protocol.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { type Address, type ClientRange, formatAddress } from '../../src/config/address.ts';
import type {
  Config,
  Limits,
  ListenerConfig,
  ListenerProtocol,
  MountConfig,
  Timeouts,
} from '../../src/config/types.ts';
import type { Application } from '../../src/gateway/contract.ts';
import type { AccessEntry } from '../../src/observe/access-log.ts';
import type { ListenerMetrics } from '../../src/observe/listener-metrics.ts';
import type { Sample } from '../../src/observe/family.ts';
import { Metrics } from '../../src/observe/metrics.ts';
import { Worker } from '../../src/runtime/worker.ts';
import { Peer } from './peer.ts';
import { makeTempDir, removeTempDir } from './temp.ts';
import { waitFor } from './wait.ts';

export type Over = 'unix' | 'tcp';

export interface TestMount {
  /** `/` unless told. */
  path?: string;
  app: Application;
  limits?: Partial<MountConfig['limits']>;
  timeouts?: Partial<MountConfig['timeouts']>;
}

export interface TestListener {
  protocol: ListenerProtocol;
  /** unix unless told. */
  over?: Over;
  /** TCP only; 127.0.0.1 unless told. */
  host?: string;
  allowedClients?: ClientRange[];
}

export interface WorkerSetup {
  listeners: TestListener[];
  mounts: TestMount[];
  limits?: Partial<Limits>;
  timeouts?: Partial<Timeouts>;
}

export interface LogLine {
  level: string;
  msg: string;
  code?: string;
  [key: string]: unknown;
}

const LIMITS: Limits = {
  bodySize: 0,
  responseHeadersSize: 65_536,
  requests: 1024,
  queue: 256,
  paramsSize: 65_536,
  paramsCount: 1000,
  connections: 4096,
};
/** So long that no test meets them by accident. */
const TIMEOUTS: Timeouts = {
  params: 30_000,
  body: 30_000,
  send: 30_000,
  request: 30_000,
  queue: 30_000,
  idle: 30_000,
  stuck: 0,
  boot: 10_000,
  graceful: 30_000,
};

/** Where the module that a mount names finds the test's functions. */
const APPS = Symbol.for('viaduct.test.apps');

export class TestWorker {
  readonly worker: Worker;
  readonly metrics = new Metrics();
  /** Lines of the log. */
  readonly lines: LogLine[] = [];
  /** Entries of the access log. */
  readonly requests: AccessEntry[] = [];
  readonly #folder: string;
  readonly #slots: ReadonlySet<ListenerMetrics>;
  readonly #peers: Peer[] = [];
  #stopped = false;

  constructor(setup: WorkerSetup, folder: string) {
    this.#folder = folder;
    const log = { write: (line: string) => void this.lines.push(JSON.parse(line) as LogLine) };
    const config = configOf(setup, folder);
    this.#slots = new Set(
      config.listeners.map(({ address, protocol }) =>
        this.metrics.listener(formatAddress(address), protocol),
      ),
    );
    this.worker = new Worker({
      config,
      logger: pino({ level: 'trace', formatters: { level: (label) => ({ level: label }) } }, log),
      accessLog: {
        enabled: true,
        write: (entry) => void this.requests.push(entry),
        reopen: () => undefined,
        close: () => Promise.resolve(),
        dropped: () => 0,
      },
      metrics: this.metrics,
    });
  }

  /** Where listener number `at` listens. */
  address(at = 0): Address {
    const address = this.worker.addresses[at];
    if (address === undefined || address.kind === 'systemd') {
      throw new Error(`Cannot connect: the worker has no address to connect to for listener ${at}`);
    }
    return address;
  }

  /** Connects to listener number `at`; stop() takes the peer away. */
  async connect(at = 0): Promise<Peer> {
    const peer = await Peer.connect(this.address(at));
    this.#peers.push(peer);
    return peer;
  }

  /** viaduct_protocol_errors_total as { "protocol reason": count }. */
  get protocolErrors(): Record<string, number> {
    const found: Record<string, number> = {};
    for (const { labels, value } of this.#samples((slots) => slots.errorSamples()))
      found[`${labels['protocol']} ${labels['reason']}`] = value;
    return found;
  }

  /** viaduct_connections_dropped_total by reason, without those at 0. */
  get dropped(): Record<string, number> {
    const found: Record<string, number> = {};
    for (const { labels, value } of this.#samples((slots) => slots.droppedSamples()))
      if (value > 0) found[String(labels['reason'])] = value;
    return found;
  }

  /** viaduct_connections_accepted_total of all listeners. */
  get accepted(): number {
    return [...this.#slots].reduce((sum, slots) => sum + slots.acceptedTotal, 0);
  }

  /** viaduct_connections by state. */
  get connections(): Record<string, number> {
    const found: Record<string, number> = {};
    for (const { labels, value } of this.#samples((slots) => slots.stateSamples())) {
      const state = String(labels['state']);
      found[state] = (found[state] ?? 0) + value;
    }
    return found;
  }

  /** Waits until no connection is open, and fails where the gauges do not agree. */
  async quiet(): Promise<void> {
    const none = JSON.stringify({ idle: 0, reading: 0, active: 0 });
    await waitFor(() => JSON.stringify(this.connections) === none, {
      what: `all connections to be gone, with ${JSON.stringify(this.connections)}`,
    });
  }

  hasLine(part: string): boolean {
    return this.lines.some((line) => line.msg.includes(part) || line.code === part);
  }

  /** Stops at once unless the test has stopped it before. */
  async stop(graceful = 0): Promise<boolean> {
    if (this.#stopped) return true;
    this.#stopped = true;
    const stopping = this.worker.stop(graceful);
    if (graceful === 0) for (const peer of this.#peers) peer.destroy();
    const clean = await stopping;
    for (const peer of this.#peers) peer.destroy();
    await removeTempDir(this.#folder);
    return clean;
  }

  #samples(read: (slots: ListenerMetrics) => Sample[]): Sample[] {
    return [...this.#slots].flatMap(read);
  }
}

function configOf(setup: WorkerSetup, folder: string): Config {
  const limits = { ...LIMITS, ...setup.limits };
  const timeouts = { ...TIMEOUTS, ...setup.timeouts };
  const apps = setup.mounts.map(({ app }) => app);
  return {
    listeners: setup.listeners.map((listener, at) => listenerConfig(listener, join(folder, `${at}.sock`))),
    workers: 1,
    runDir: folder,
    user: null,
    group: null,
    limits,
    timeouts,
    recycle: { maxRequests: 0, maxAge: 0, maxMemory: 0, jitter: 0 },
    mounts: setup.mounts.map((mount, at) => ({
      path: mount.path ?? '/',
      host: null,
      name: mount.path ?? '/',
      app: { kind: 'file', file: moduleOf(apps, folder), exportName: `app${at}` },
      interface: 'wsgi',
      env: {},
      accessLog: true,
      middleware: [],
      python: null,
      limits: { ...limits, ...mount.limits },
      timeouts: { ...timeouts, ...mount.timeouts },
    })),
    admin: null,
    development: false,
    log: {
      level: 'trace',
      file: null,
      access: { enabled: true, file: null, format: 'json', sample: 1, exclude: [] },
      requestIdHeader: 'X-Request-ID',
      slow: 0,
    },
  };
}

function listenerConfig(
  { protocol, over, host, allowedClients }: TestListener,
  path: string,
): ListenerConfig {
  return {
    address: over === 'tcp' ? { kind: 'tcp', host: host ?? '127.0.0.1', port: 0 } : { kind: 'unix', path },
    protocol,
    mode: 0o600,
    owner: null,
    group: null,
    backlog: 511,
    allowedClients: allowedClients ?? null,
  };
}

/** A mount names a file: this one exports functions of this process. */
function moduleOf(apps: readonly Application[], folder: string): string {
  const file = join(folder, 'apps.mjs');
  Object.assign(globalThis, { [APPS]: { ...Reflect.get(globalThis, APPS), [folder]: apps } });
  const found = `globalThis[Symbol.for(${JSON.stringify(APPS.description)})][${JSON.stringify(folder)}]`;
  writeFileSync(file, apps.map((_, at) => `export const app${at} = ${found}[${at}];\n`).join(''));
  return file;
}

/** Starts a worker; stop() it in the end. */
export async function startWorker(setup: WorkerSetup): Promise<TestWorker> {
  const started = new TestWorker(setup, await makeTempDir());
  await started.worker.boot();
  await started.worker.listen();
  return started;
}
