// What /status.json, `viaduct status` and the supervisor's metrics show, from the master's own tables. Asks nobody.
import type { LoadedConfig } from '../config/load.ts';
import { formatAddress } from '../config/address.ts';
import type { WorkerKind, WorkerRow } from '../observe/supervisor-metrics.ts';
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
  readonly reloads: Readonly<Record<'ok' | 'rejected', number>>;
  /** By whomever. */
  readonly logLinesDropped: number;
}

export interface WorkerStatus {
  readonly slot: number;
  readonly kind: WorkerKind;
  /** Of a Python process: whose it is. */
  readonly mount?: string;
  /** null: none runs there now, the next one starts after a pause. */
  readonly pid: number | null;
  readonly state: WorkerRow['state'];
  readonly uptime_seconds: number;
  readonly requests: number;
  readonly rss_bytes: number;
  readonly in_flight: number;
  readonly generation: number;
}

export interface Status {
  readonly version: string;
  readonly node: string;
  /** The master's. */
  readonly pid: number;
  readonly uptime_seconds: number;
  /** The file. */
  readonly config: string;
  readonly ready: boolean;
  readonly reasons: readonly string[];
  readonly generation: number;
  readonly reloads: Readonly<Record<'ok' | 'rejected', number>>;
  readonly requests_in_flight: number;
  readonly workers: readonly WorkerStatus[];
  readonly listeners: readonly { readonly address: string; readonly protocol: string }[];
  readonly mounts: readonly {
    readonly name: string;
    readonly path: string;
    readonly host: string | null;
    readonly interface: string;
  }[];
  readonly log_lines_dropped: number;
}

export function statusOf(source: StatusSource): Status {
  const { config, file } = source.loaded;
  const children = source.generations.flatMap((generation) => generation.children);
  const sum = (read: (child: (typeof children)[number]) => number): number =>
    children.reduce((total, child) => total + read(child), 0);
  return {
    version: VERSION,
    node: process.version,
    pid: process.pid,
    uptime_seconds: (Date.now() - source.startedAt) / 1000,
    config: file,
    ready: source.unready.length === 0,
    reasons: source.unready,
    generation: source.current?.id ?? 0,
    reloads: source.reloads,
    requests_in_flight: sum(({ stats }) => stats.inFlight),
    workers: source.generations.flatMap((each) => [...workersOf(each), ...pythonOf(each)]),
    listeners: source.current === null ? [] : listening(source.current.sockets),
    mounts: config.mounts.map(({ name, path, host, interface: kind }) => ({
      name,
      path,
      host,
      interface: kind,
    })),
    log_lines_dropped: source.logLinesDropped,
  };
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

function pythonOf({ id, pools }: Generation): WorkerStatus[] {
  const now = performance.now();
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
        in_flight: child.stats.inFlight,
        generation: id,
      }));
      return place === 'waiting' ? [...rows, { ...deadPlace(slot, id), kind: 'python', mount }] : rows;
    }),
  );
}

function workersOf(generation: Generation): WorkerStatus[] {
  const now = performance.now();
  return generation.slots.flatMap(({ index, children, state: place }): WorkerStatus[] => {
    const rows = children.map((child): WorkerStatus => ({
      slot: index,
      kind: 'node',
      pid: child.pid,
      state: child.shownState,
      uptime_seconds: (now - child.startedAt) / 1000,
      requests: child.stats.requests,
      rss_bytes: child.usage.rss,
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
  in_flight: 0,
  generation,
});
