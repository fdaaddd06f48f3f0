// What /status.json, `viaduct status` and the supervisor's metrics show, from the master's own tables. Asks nobody.
import type { LoadedConfig } from '../config/load.ts';
import { formatAddress } from '../config/address.ts';
import type { History } from '../observe/history.ts';
import type { ConnectionState, ListenerMetrics } from '../observe/listener-metrics.ts';
import type { MetricSlots } from '../observe/metric-slots.ts';
import type { ErrorEntry } from '../observe/recent-errors.ts';
import type {
  ListenerStatus,
  ReloadStatus,
  RunningStatus,
  Status,
  WorkerStatus,
} from '../observe/status-data.ts';
import type { WorkerRow } from '../observe/supervisor-metrics.ts';
import type { Child } from './child.ts';
import type { CpuShares } from './cpu-shares.ts';
import type { Generation } from './generation.ts';
import type { Pool } from './python/pool.ts';
import type { SocketSet } from './sockets.ts';
import { VERSION } from './version.ts';

export interface StatusSource {
  readonly loaded: LoadedConfig;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  readonly generations: readonly Generation[];
  /** The one that serves; null: none yet. */
  readonly current: Generation | null;
  readonly unready: readonly string[];
  readonly reloads: {
    readonly counts: Readonly<Record<'ok' | 'rejected', number>>;
    readonly last: ReloadStatus | null;
  };
  readonly metrics: MetricSlots;
  readonly history: History;
  readonly cpu: Pick<CpuShares<object>, 'share'>;
  readonly errors: readonly ErrorEntry[];
  /** The most at a time, as seen once a second. */
  readonly maxActiveWorkers: number;
  /** By whomever. */
  readonly logLinesDropped: number;
}

/** Running requests that are shown, of all workers. */
const MOST_RUNNING = 100;

export function statusOf(source: StatusSource): Status {
  const { loaded, history, reloads, generations, current, unready } = source;
  const now = performance.now();
  const children = generations.flatMap((generation) => generation.children);
  return {
    version: VERSION,
    node: process.version,
    time: new Date().toISOString(),
    started_at: new Date(source.startedAt).toISOString(),
    pid: process.pid,
    uptime_seconds: (Date.now() - source.startedAt) / 1000,
    config: loaded.file,
    ready: unready.length === 0,
    reasons: unready,
    generation: current?.id ?? 0,
    reloads: reloads.counts,
    last_reload: reloads.last,
    requests_in_flight: children.reduce((total, { stats }) => total + stats.inFlight, 0),
    totals: {
      ...history.total(now),
      slow: sumOf(source.metrics.mounts, (mount) => mount.slowRequests),
      waited: sumOf(source.metrics.mounts, (mount) => mount.waited),
      max_queue_depth: history.maxQueueDepth,
      max_active_workers: source.maxActiveWorkers,
    },
    master: masterOf(source.cpu, now),
    workers: generations.flatMap((each) => [
      ...workersOf(each, source.cpu, now),
      ...pythonOf(each, source.cpu, now),
    ]),
    listeners: current === null ? [] : listenersOf(current.sockets, source.metrics),
    mounts: loaded.config.mounts.map(({ name, path, host, interface: kind }) => ({
      name,
      path,
      host,
      interface: kind,
      ...history.mount(name, now),
    })),
    unmatched: history.unmatched(now),
    running: runningIn(children, now),
    errors: source.errors,
    log_lines_dropped: source.logLinesDropped,
  };
}

/** Processes that have a request, of either kind. */
export function activeWorkers(generations: readonly Generation[]): number {
  const processes = generations.flatMap(({ children, pools }) => [
    ...children,
    ...pools.flatMap((pool) => pool.processes),
  ]);
  return processes.filter(({ stats }) => stats.inFlight > 0).length;
}

const sumOf = <T>(list: Iterable<T>, read: (item: T) => number): number => {
  let sum = 0;
  for (const item of list) sum += read(item);
  return sum;
};

function masterOf(cpu: StatusSource['cpu'], now: number): Status['master'] {
  const { user, system } = process.cpuUsage();
  const seconds = (user + system) / 1e6;
  return {
    rss_bytes: process.memoryUsage.rss(),
    cpu_seconds: seconds,
    cpu_share: cpu.share(process, seconds, now),
  };
}

/** Of one that has not answered since, requests go on to age. */
function runningIn(children: readonly Child[], now: number): RunningStatus[] {
  const seconds = (milliseconds: number): number => Math.round(milliseconds) / 1000;
  return children
    .flatMap(({ slot, running, runningAt }) =>
      running.map((request) => ({
        worker: slot,
        mount: request.mount,
        request_id: request.requestId,
        method: request.method,
        uri: request.uri,
        phase: request.phase,
        age_seconds: seconds(request.age + now - runningAt),
        queue_seconds: seconds(request.queued),
        bytes_in: request.bytesIn,
        bytes_out: request.bytesOut,
      })),
    )
    .toSorted((a, b) => b.age_seconds - a.age_seconds)
    .slice(0, MOST_RUNNING);
}

function connectionsOf(listener: ListenerMetrics | undefined): ListenerStatus['connections'] {
  const samples = listener?.stateSamples() ?? [];
  const of = (state: ConnectionState): number =>
    samples.find(({ labels }) => labels['state'] === state)?.value ?? 0;
  return { idle: of('idle'), reading: of('reading'), active: of('active') };
}

function listenersOf(sockets: SocketSet, metrics: MetricSlots): ListenerStatus[] {
  const counted = new Map([...metrics.listeners].map((listener) => [listener.label, listener]));
  return listening(sockets).map((where, at): ListenerStatus => {
    const configured = sockets.listeners[at];
    // Counted under the address as it is written in the file: its port may be 0.
    const listener = configured && counted.get(formatAddress(configured.address));
    return {
      ...where,
      connections: connectionsOf(listener),
      accepted: listener?.acceptedTotal ?? 0,
      dropped: sumOf(listener?.droppedSamples() ?? [], ({ value }) => value),
      protocol_errors: sumOf(listener?.errorSamples() ?? [], ({ value }) => value),
    };
  });
}

/** Where connections come in, with the ports that the kernel chose. */
export function listening({ addresses, listeners }: SocketSet): { address: string; protocol: string }[] {
  return addresses.map((address, at) => ({
    address: formatAddress(address),
    protocol: listeners[at]?.protocol ?? '',
  }));
}

const DEAD = { state: 'dead', residentBytes: null, cpuSeconds: 0, statsAge: null, heapUsed: null } as const;

/** One row a process, and one a place that waits for its next. */
export function* rowsOf(generations: readonly Generation[]): Iterable<WorkerRow> {
  const now = performance.now();
  for (const { slots, pools } of generations) {
    yield* pythonRows(pools, now);
    for (const { index: slot, children, state: place } of slots) {
      for (const { shownState: state, usage, heardAt, stats } of children) {
        const { heapUsed } = stats;
        const statsAge = (now - heardAt) / 1000;
        const row = { kind: 'node', slot, state, residentBytes: usage.rss, cpuSeconds: usage.cpu } as const;
        yield { ...row, statsAge, heapUsed: heapUsed === 0 ? null : heapUsed };
      }
      if (place === 'waiting') yield { kind: 'node', slot, ...DEAD };
    }
  }
}

function* pythonRows(pools: readonly Pool[], now: number): Iterable<WorkerRow> {
  for (const { firstPlace, slots } of pools) {
    for (const { index, children, state: place } of slots) {
      const slot = firstPlace + index;
      for (const { state, usage, heardAt } of children) {
        const statsAge = (now - heardAt) / 1000;
        const row = { kind: 'python', slot, state, residentBytes: usage.rss, cpuSeconds: usage.cpu } as const;
        yield { ...row, statsAge, heapUsed: null };
      }
      if (place === 'waiting') yield { kind: 'python', slot, ...DEAD };
    }
  }
}

function pythonOf({ id, pools }: Generation, cpu: StatusSource['cpu'], now: number): WorkerStatus[] {
  return pools.flatMap(({ mount, firstPlace, slots }) =>
    slots.flatMap(({ index, children, state: place }): WorkerStatus[] => {
      const slot = firstPlace + index;
      const rows = children.map((child): WorkerStatus => ({
        slot,
        kind: 'python',
        mount,
        pid: child.pid,
        state: child.state,
        uptime_seconds: (now - child.startedAt) / 1000,
        requests: child.stats.requests,
        rss_bytes: child.usage.rss,
        cpu_seconds: child.usage.cpu,
        cpu_share: cpu.share(child, child.usage.cpu, now),
        in_flight: child.stats.inFlight,
        generation: id,
      }));
      return place === 'waiting' ? [...rows, { ...deadPlace(slot, id), kind: 'python', mount }] : rows;
    }),
  );
}

function workersOf(generation: Generation, cpu: StatusSource['cpu'], now: number): WorkerStatus[] {
  return generation.slots.flatMap(({ index, children, state: place }): WorkerStatus[] => {
    const rows = children.map((child): WorkerStatus => ({
      slot: index,
      kind: 'node',
      pid: child.pid,
      state: child.shownState,
      uptime_seconds: (now - child.startedAt) / 1000,
      requests: child.stats.requests,
      rss_bytes: child.usage.rss,
      cpu_seconds: child.usage.cpu,
      cpu_share: cpu.share(child, child.usage.cpu, now),
      in_flight: child.stats.inFlight,
      generation: generation.id,
    }));
    return place === 'waiting' ? [...rows, deadPlace(index, generation.id)] : rows;
  });
}

const deadPlace = (slot: number, generation: number): WorkerStatus => ({
  slot,
  kind: 'node',
  pid: null,
  state: 'dead',
  uptime_seconds: 0,
  requests: 0,
  rss_bytes: 0,
  cpu_seconds: 0,
  cpu_share: null,
  in_flight: 0,
  generation,
});
