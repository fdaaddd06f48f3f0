// One metric of an app, read from prom-client (or whatever has its interface) into plain numbers by series. May not trust
// what it reads: it is an app's.
import {
  AGGREGATORS,
  APP_TYPES,
  type Aggregator,
  type AppType,
  seriesKey,
  type SeriesKey,
} from './app-metrics.ts';

/** A metric in a registry, as far as it is read. */
export interface AppMetric {
  readonly name?: unknown;
  /** Brings the values up to date; may take long, and may be somebody's database. */
  readonly collect?: unknown;
  get?(): unknown;
  /** As get(), a histogram's labels in one object for all of its buckets; since prom-client 15. */
  getForPromString?(): unknown;
}

export interface AppSnapshot {
  readonly help: string;
  readonly type: AppType;
  readonly aggregator: Aggregator;
  readonly bounds: readonly number[];
  /** A gauge's value; a counter's; a histogram's cumulative buckets and sum; a summary's count and sum. */
  readonly series: ReadonlyMap<SeriesKey, readonly number[]>;
  /** How many had labels or values that cannot be. */
  readonly invalid: number;
}

interface Value {
  readonly value?: unknown;
  readonly labels?: Readonly<Record<string, unknown>>;
  readonly sharedLabels?: Readonly<Record<string, unknown>>;
  readonly metricName?: unknown;
}

const MAX_HELP = 1000;

/**
 * @param defaults labels that its registry gives to all
 * @returns null where it is meant to be left out (`aggregator: 'omit'`), or is no metric
 */
export async function readMetric(
  metric: AppMetric,
  defaults: Readonly<Record<string, unknown>>,
): Promise<AppSnapshot | null> {
  const read = (await (metric.getForPromString?.() ?? metric.get?.())) as Partial<Record<string, unknown>>;
  const type = APP_TYPES.find((each) => each === read['type']);
  if (type === undefined || read['aggregator'] === 'omit' || !Array.isArray(read['values'])) return null;
  const values = read['values'] as readonly Value[];
  const about = {
    help: typeof read['help'] === 'string' ? read['help'].slice(0, MAX_HELP) : '',
    type,
    aggregator: AGGREGATORS.find((each) => each === read['aggregator']) ?? 'sum',
  };
  return { ...about, ...READERS[type](values, new Keys(type, defaults)) };
}

type Contents = Pick<AppSnapshot, 'bounds' | 'series' | 'invalid'>;

const READERS: Readonly<Record<AppType, (values: readonly Value[], keys: Keys) => Contents>> = {
  counter: readPlain,
  gauge: readPlain,
  histogram: readHistogram,
  summary: readSummary,
};

/** From the labels of values to keys of series. */
class Keys {
  readonly #type: AppType;
  readonly #defaults: Readonly<Record<string, unknown>>;
  // The buckets of a histogram follow one another with one object of labels for all.
  #lastShared: object | undefined;
  #lastKey: SeriesKey | null = null;

  constructor(type: AppType, defaults: Readonly<Record<string, unknown>>) {
    this.#type = type;
    this.#defaults = defaults;
  }

  of({ labels, sharedLabels }: Value): SeriesKey | null {
    if (sharedLabels !== undefined && sharedLabels === this.#lastShared) return this.#lastKey;
    const { le, quantile, ...own } = { ...this.#defaults, ...sharedLabels, ...labels };
    const kept: Record<string, unknown> = own;
    if (this.#type !== 'histogram' && le !== undefined) kept['le'] = le;
    if (this.#type !== 'summary' && quantile !== undefined) kept['quantile'] = quantile;
    this.#lastShared = sharedLabels;
    return (this.#lastKey = seriesKey(kept, this.#type));
  }
}

function readPlain(values: readonly Value[], keys: Keys): Contents {
  const series = new Map<SeriesKey, number[]>();
  let invalid = 0;
  for (const each of values) {
    const key = keys.of(each);
    if (key === null || typeof each.value !== 'number') invalid += 1;
    else series.set(key, [each.value]);
  }
  return { bounds: [], series, invalid };
}

interface HistogramParts {
  readonly buckets: Map<number, number>;
  sum: number;
}

function readHistogram(values: readonly Value[], keys: Keys): Contents {
  const found = new Map<SeriesKey, HistogramParts>();
  let invalid = 0;
  for (const each of values) {
    const key = keys.of(each);
    const { value, metricName } = each;
    if (key === null || typeof value !== 'number') {
      invalid += 1;
      continue;
    }
    let parts = found.get(key);
    if (parts === undefined) found.set(key, (parts = { buckets: new Map(), sum: 0 }));
    const le = each.labels?.['le'];
    if (String(metricName).endsWith('_sum')) parts.sum = value;
    else if (le !== undefined) parts.buckets.set(le === '+Inf' ? Infinity : Number(le), value);
  }
  const [first] = found.values();
  const bounds = [...(first?.buckets.keys() ?? [])].toSorted((a, b) => a - b);
  const series = new Map<SeriesKey, number[]>();
  for (const [key, { buckets, sum }] of found)
    series.set(key, [...bounds.map((bound) => buckets.get(bound) ?? 0), sum]);
  return { bounds: bounds.filter((bound) => bound !== Infinity), series, invalid };
}

function readSummary(values: readonly Value[], keys: Keys): Contents {
  const series = new Map<SeriesKey, number[]>();
  let invalid = 0;
  for (const each of values) {
    const part = /_(count|sum)$/.exec(String(each.metricName))?.[1];
    // Quantiles of several workers cannot be put together.
    if (part === undefined) continue;
    const key = keys.of(each);
    if (key === null || typeof each.value !== 'number') {
      invalid += 1;
      continue;
    }
    const known = series.get(key) ?? [0, 0];
    known[part === 'count' ? 0 : 1] = each.value;
    series.set(key, known);
  }
  return { bounds: [], series, invalid };
}
