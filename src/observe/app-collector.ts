// In a worker: what the metrics of its apps have become since the last time, for the master. May not know where the
// registries come from, nor how the processes talk.
import {
  type AppDelta,
  DROPPED_REASONS,
  type DroppedReason,
  type DroppedSeries,
  judgeName,
  type SeriesKey,
} from './app-metrics.ts';
import { type AppMetric, type AppSnapshot, readMetric } from './app-snapshot.ts';

/** A registry of prom-client, of whatever copy and version. */
export interface AppRegistry {
  getMetricsAsArray(): unknown;
}

export interface AppCollectorOptions {
  /** All there are by now; called before each scrape, so apps may load prom-client late. */
  readonly registries: () => readonly AppRegistry[];
  /** Series that are told of. */
  readonly limit: number;
  readonly dropped: DroppedSeries;
  /** One line for whoever reads the log. */
  readonly warn: (message: string) => void;
}

/** What the master has been told of one metric. */
interface Told {
  /** Values by series; of a gauge the last one. */
  series: Map<SeriesKey, readonly number[]>;
}

interface Source {
  readonly number: number;
  readonly told: Map<string, Told>;
}

type Drops = Record<DroppedReason, number>;

/** Milliseconds that metrics with a collect() of their own may take: a scrape does not wait longer for a worker. */
const PATIENCE = 25;
/** Names that are complained about, once each. */
const MAX_COMPLAINTS = 100;

export class AppCollector {
  readonly #options: AppCollectorOptions;
  #registries: readonly AppRegistry[] | null = null;
  readonly #sources = new Map<AppRegistry, Source>();
  /** Metrics whose get() has not come back; they are not asked again before. */
  readonly #pending = new WeakSet<AppMetric>();
  readonly #complaints = new Set<string>();
  /** The most series that were left out at a time, by reason. */
  readonly #highest: Drops = { limit: 0, name: 0, invalid: 0 };
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: AppCollectorOptions) {
    this.#options = options;
  }

  /**
   * What has changed since the last call; null: there is nothing to ask. Never rejects, and takes no longer than a scrape
   * can wait.
   * @param isAsked somebody waits for it: metrics that have a collect() are read as well
   */
  collect(isAsked: boolean): Promise<readonly AppDelta[]> | null {
    if (isAsked || this.#registries === null) this.#registries = this.#options.registries();
    const registries = this.#registries;
    if (registries.length === 0) return null;
    // One after the other: an older snapshot that came later would look like a counter that was reset.
    const next = this.#last.then(() => this.#collect(registries, isAsked));
    this.#last = next;
    return next;
  }

  async #collect(registries: readonly AppRegistry[], isAsked: boolean): Promise<readonly AppDelta[]> {
    const drops: Drops = { limit: 0, name: 0, invalid: 0 };
    const budget = { left: this.#options.limit };
    const deltas: AppDelta[] = [];
    for (const registry of registries) {
      const source = this.#source(registry);
      const metrics = metricsOf(registry).filter((metric) => this.#isWanted(metric, drops));
      const snapshots = await this.#read(metrics, defaultLabelsOf(registry), isAsked);
      for (const [at, metric] of metrics.entries()) {
        const name = String(metric.name);
        const delta = this.#compare(source, name, snapshots[at] ?? null, budget, drops);
        if (delta !== null) deltas.push(delta);
      }
    }
    this.#count(drops);
    return deltas;
  }

  #isWanted(metric: AppMetric, drops: Drops): boolean {
    const verdict = judgeName(metric.name);
    if (verdict === 'take' || verdict === 'skip') return verdict === 'take';
    drops[verdict] += 1;
    const why = verdict === 'name' ? 'names that begin so belong to viaduct' : 'that is no name for a metric';
    this.#complain(String(metric.name), `Metric "${String(metric.name)}" of an app is left out: ${why}`);
    return false;
  }

  /** null for each that is not read this time, or has failed. */
  async #read(
    metrics: readonly AppMetric[],
    defaults: Readonly<Record<string, unknown>>,
    isAsked: boolean,
  ): Promise<(AppSnapshot | null)[]> {
    const found: (AppSnapshot | null)[] = metrics.map(() => null);
    const reads = metrics.map(async (metric, at) => {
      if (this.#pending.has(metric) || (!isAsked && typeof metric.collect === 'function')) return;
      this.#pending.add(metric);
      try {
        found[at] = await readMetric(metric, defaults);
      } catch (error) {
        this.#complain(
          String(metric.name),
          `Cannot read metric "${String(metric.name)}" of an app: ${String(error)}`,
        );
      } finally {
        this.#pending.delete(metric);
      }
    });
    await withinPatience(Promise.all(reads));
    return [...found];
  }

  #compare(
    source: Source,
    name: string,
    snapshot: AppSnapshot | null,
    budget: { left: number },
    drops: Drops,
  ): AppDelta | null {
    const before = source.told.get(name);
    if (snapshot === null) {
      // Not read now: it keeps the places it has.
      budget.left -= before?.series.size ?? 0;
      return null;
    }
    const { type, help, aggregator, bounds, invalid } = snapshot;
    drops.invalid += invalid;
    const kept = [...snapshot.series].slice(0, Math.max(0, budget.left));
    budget.left -= kept.length;
    drops.limit += snapshot.series.size - kept.length;
    const series = kept.flatMap(([key, now]) => {
      const change = changeOf(type, before?.series.get(key), now);
      return change === null ? [] : [[key, ...change] as const];
    });
    const now = new Map(kept);
    const gone = [...(before?.series.keys() ?? [])].filter((key) => !now.has(key));
    source.told.set(name, { series: now });
    if (series.length === 0 && gone.length === 0) return null;
    return { kind: 'app', source: source.number, name, help, type, aggregator, bounds, series, gone };
  }

  #count(drops: Drops): void {
    for (const reason of DROPPED_REASONS) {
      const more = drops[reason] - this.#highest[reason];
      if (more <= 0) continue;
      this.#options.dropped.inc(reason, more);
      this.#highest[reason] = drops[reason];
    }
    if (drops.limit > 0)
      this.#complain(
        '',
        `Apps have ${this.#options.limit + drops.limit} series of metrics, ${drops.limit} of them are left out: there may be ${this.#options.limit}`,
      );
  }

  #complain(about: string, message: string): void {
    if (this.#complaints.has(about) || this.#complaints.size >= MAX_COMPLAINTS) return;
    this.#complaints.add(about);
    this.#options.warn(message);
  }

  #source(registry: AppRegistry): Source {
    let source = this.#sources.get(registry);
    if (source === undefined)
      this.#sources.set(registry, (source = { number: this.#sources.size, told: new Map() }));
    return source;
  }
}

/** null: nothing to tell. A counter that went back has been reset, and stands for what was added since. */
function changeOf(
  type: AppSnapshot['type'],
  before: readonly number[] | undefined,
  now: readonly number[],
): readonly number[] | null {
  if (before?.length === now.length && before.every((value, at) => Object.is(value, now[at]))) return null;
  if (type === 'gauge' || before === undefined) return now;
  // The last one of a histogram or a summary is a sum, which may fall.
  const counts = type === 'counter' ? now : now.slice(0, -1);
  const isReset = before.length !== now.length || counts.some((value, at) => value < (before[at] ?? 0));
  return isReset ? now : now.map((value, at) => value - (before[at] ?? 0));
}

function metricsOf(registry: AppRegistry): readonly AppMetric[] {
  try {
    const metrics = registry.getMetricsAsArray();
    return Array.isArray(metrics)
      ? metrics.filter((metric): metric is AppMetric => metric !== null && typeof metric === 'object')
      : [];
  } catch {
    return [];
  }
}

// No method of prom-client tells of setDefaultLabels() without reading every metric. Where the field is not there, the
// series come without these labels.
function defaultLabelsOf(registry: AppRegistry): Readonly<Record<string, unknown>> {
  const labels: unknown = Reflect.get(registry, '_defaultLabels');
  return labels !== null && typeof labels === 'object' ? (labels as Record<string, unknown>) : {};
}

async function withinPatience(work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, PATIENCE);
  });
  await Promise.race([work, late]);
  clearTimeout(timer);
}
