// What the master does with its workers, and what they cost, under its names on /metrics. May not know processes: the
// master tells what happened, and shows its table of workers at each scrape.
import type { Registry } from 'prom-client';
import { Family, registerFamily } from './family.ts';
import type { FamilyType, Sample } from './family.ts';
import { SlotHistogram } from './histogram.ts';
import { LabelCounter } from './label-counter.ts';

/** node: runs JavaScript apps, and talks to nginx. python: runs one Python app. */
export const WORKER_KINDS = ['node', 'python'] as const;
export type WorkerKind = (typeof WORKER_KINDS)[number];

/** stuck: it does not report, or is being killed for that. dead: a place whose process has ended and is not started again yet. */
export const WORKER_STATES = ['starting', 'ready', 'draining', 'stuck', 'dead'] as const;
export type WorkerState = (typeof WORKER_STATES)[number];

export const EXIT_REASONS = [
  'max_requests',
  'max_memory',
  'max_age',
  'reload',
  'scale_down',
  'stop',
  'stuck',
  'crash',
  'oom',
  'boot_error',
  'signal',
] as const;
export type ExitReason = (typeof EXIT_REASONS)[number];

export const RELOAD_RESULTS = ['ok', 'rejected'] as const;
export type ReloadResult = (typeof RELOAD_RESULTS)[number];

/** Bucket bounds in seconds: of a boot, and of a reload, most of which is boots. */
const BOOT_BUCKETS: readonly number[] = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** Slots with series of their own: per-worker numbers are for a handful of workers, and may not flood a scraper. */
const MAX_SLOTS = 64;

/** One process in the master's table, or a dead place in it. */
export interface WorkerRow {
  readonly kind: WorkerKind;
  /** 0..N-1, the `worker` label. Two processes share it while one replaces the other. */
  readonly slot: number;
  readonly state: WorkerState;
  /** null: not known yet. */
  readonly residentBytes: number | null;
  /** Seconds this process has used so far; never less than before. */
  readonly cpuSeconds: number;
  /** Seconds since its last numbers came; null: none yet. */
  readonly statsAge: number | null;
  /** Bytes of its JavaScript heap; null: not known yet, or it has none. */
  readonly heapUsed: number | null;
}

/** ready: wherever it is to be. degraded: some processes lack it. failed: nobody serves it. */
export const MOUNT_STATES = ['ready', 'degraded', 'failed'] as const;

export interface MountRow {
  /** Its name. */
  readonly mount: string;
  readonly state: (typeof MOUNT_STATES)[number];
}

export type PlaceCount = Readonly<Record<WorkerKind, number>>;

/** What the master shows at each scrape; each is called a few times then, so it measures nothing. */
export interface SupervisorTables {
  readonly workers: () => Iterable<WorkerRow>;
  readonly mounts: () => Iterable<MountRow>;
  /** How many processes there are to be. */
  readonly places: () => PlaceCount;
  /** The generation that serves; 0: none yet. */
  readonly generation: () => number;
}

export class SupervisorMetrics {
  readonly #tables: SupervisorTables;
  readonly #spawns = new LabelCounter('kind', WORKER_KINDS);
  readonly #exits = byKind(() => new LabelCounter('reason', EXIT_REASONS));
  readonly #boots = byKind(() => new SlotHistogram(BOOT_BUCKETS));
  readonly #reloads = new LabelCounter('result', RELOAD_RESULTS);
  readonly #reloadTimes = RELOAD_RESULTS.map((result) => ({
    result,
    times: new SlotHistogram(BOOT_BUCKETS),
  }));
  /** CPU seconds of the processes a slot had before. */
  readonly #pastCpu = byKind(() => new Map<number, number>());
  #lastReload: ReloadResult = 'ok';
  /** Unix time. The start counts: it took a configuration. */
  #lastSuccess = Date.now() / 1000;

  /** @param registry where the families go */
  constructor(registry: Registry, tables: SupervisorTables) {
    this.#tables = tables;
    for (const [name, type, help, samples] of this.#families()) {
      registerFamily(registry, new Family(type, name, help, () => samples(name)));
    }
  }

  /** A process was started. Each is followed by one exited(). */
  spawned(kind: WorkerKind): void {
    this.#spawns.inc(kind);
  }

  /** A worker has become ready, `seconds` after its spawn. */
  booted(kind: WorkerKind, seconds: number): void {
    this.#boots[kind].observe(seconds);
  }

  /** A process has ended; by the next scrape its row is gone from the table, or dead. */
  exited(worker: Pick<WorkerRow, 'kind' | 'slot' | 'cpuSeconds'>, reason: ExitReason): void {
    this.#exits[worker.kind].inc(reason);
    const past = this.#pastCpu[worker.kind];
    if (hasSeries(worker)) past.set(worker.slot, (past.get(worker.slot) ?? 0) + worker.cpuSeconds);
  }

  /** A reload is over, `seconds` after it began. */
  reloaded(result: ReloadResult, seconds: number): void {
    this.#reloads.inc(result);
    this.#reloadTimes.find((each) => each.result === result)?.times.observe(seconds);
    this.#lastReload = result;
    if (result === 'ok') this.#lastSuccess = Date.now() / 1000;
  }

  #families(): [name: string, type: FamilyType, help: string, samples: (name: string) => Sample[]][] {
    const one = (value: number): Sample[] => [{ labels: {}, value }];
    return [
      ['viaduct_workers', 'gauge', 'Workers now, by state', () => this.#stateSamples()],
      [
        'viaduct_workers_wanted',
        'gauge',
        'Workers there are to be',
        () => WORKER_KINDS.map((kind) => ({ labels: { kind }, value: this.#tables.places()[kind] })),
      ],
      ['viaduct_worker_spawns_total', 'counter', 'Workers started', () => this.#spawns.samples({})],
      ['viaduct_worker_exits_total', 'counter', 'Workers that ended, by reason', () => this.#exitSamples()],
      [
        'viaduct_worker_boot_seconds',
        'histogram',
        'Seconds from the start of a worker until it is ready',
        (name) => WORKER_KINDS.flatMap((kind) => this.#boots[kind].samples(name, { kind })),
      ],
      [
        'viaduct_worker_resident_memory_bytes',
        'gauge',
        'Resident memory, by worker',
        () => this.#bySlot(({ residentBytes }) => residentBytes, add),
      ],
      [
        'viaduct_worker_heap_used_bytes',
        'gauge',
        'JavaScript heap in use, by worker',
        () => this.#bySlot(({ heapUsed }) => heapUsed, add),
      ],
      ['viaduct_worker_cpu_seconds_total', 'counter', 'CPU time used, by worker', () => this.#cpuSamples()],
      [
        'viaduct_worker_stats_age_seconds',
        'gauge',
        'Seconds since the numbers of a worker came',
        () => this.#bySlot(({ statsAge }) => statsAge, Math.max),
      ],
      ['viaduct_mount_state', 'gauge', 'Whether a mount can be served', () => this.#mountSamples()],
      ['viaduct_generation', 'gauge', 'The generation that serves', () => one(this.#tables.generation())],
      ['viaduct_reloads_total', 'counter', 'Reloads, by result', () => this.#reloads.samples({})],
      [
        'viaduct_reload_duration_seconds',
        'histogram',
        'Seconds a reload took',
        (name) => this.#reloadTimes.flatMap(({ result, times }) => times.samples(name, { result })),
      ],
      [
        'viaduct_config_last_reload_successful',
        'gauge',
        'Whether the last reload, or the start, took its configuration',
        () => one(this.#lastReload === 'ok' ? 1 : 0),
      ],
      [
        'viaduct_config_last_reload_success_timestamp_seconds',
        'gauge',
        'Unix time of the last reload, or start, that took its configuration',
        () => one(this.#lastSuccess),
      ],
    ];
  }

  // Counted anew from the table each time: a gauge that is raised and lowered drifts with the first event that is missed.
  #stateSamples(): Sample[] {
    const counts = byKind(() => new LabelCounter('state', WORKER_STATES));
    for (const { kind, state } of this.#tables.workers()) counts[kind].inc(state);
    return WORKER_KINDS.flatMap((kind) => counts[kind].samples({ kind }));
  }

  #mountSamples(): Sample[] {
    return [...this.#tables.mounts()].flatMap(({ mount, state: now }) =>
      MOUNT_STATES.map((state) => ({ labels: { mount, state }, value: state === now ? 1 : 0 })),
    );
  }

  #exitSamples(): Sample[] {
    return WORKER_KINDS.flatMap((kind) => this.#exits[kind].samples({ kind }));
  }

  #cpuSamples(): Sample[] {
    return this.#bySlot(({ cpuSeconds }) => cpuSeconds, add, this.#pastCpu);
  }

  /** One sample a slot, `combine` making one number of its processes' and of what `past` has. */
  #bySlot(
    read: (worker: WorkerRow) => number | null,
    combine: (a: number, b: number) => number,
    past: Readonly<Record<WorkerKind, ReadonlyMap<number, number>>> = byKind(() => new Map<number, number>()),
  ): Sample[] {
    const values = byKind((kind) => new Map(past[kind]));
    for (const worker of this.#tables.workers()) {
      const value = worker.state === 'dead' || !hasSeries(worker) ? null : read(worker);
      const slots = values[worker.kind];
      if (value !== null) slots.set(worker.slot, combine(slots.get(worker.slot) ?? 0, value));
    }
    return WORKER_KINDS.flatMap((kind) =>
      [...values[kind]].map(([slot, value]) => ({ labels: { kind, worker: slot }, value })),
    );
  }
}

const add = (a: number, b: number): number => a + b;

const hasSeries = ({ slot }: Pick<WorkerRow, 'slot'>): boolean => slot < MAX_SLOTS;

const byKind = <T>(make: (kind: WorkerKind) => T): Record<WorkerKind, T> => ({
  node: make('node'),
  python: make('python'),
});
