// Metrics that apps have made themselves: what a worker tells the master of them, and the rules both keep. May not know
// prom-client, nor where a metric comes from.
import { LabelCounter } from './label-counter.ts';
import { Ledger } from './ledger.ts';

export const APP_TYPES = ['counter', 'gauge', 'histogram', 'summary'] as const;
export type AppType = (typeof APP_TYPES)[number];

/** How the values of a gauge in several workers become one, by the names prom-client has for it. */
export const AGGREGATORS = ['sum', 'first', 'min', 'max', 'average'] as const;
export type Aggregator = (typeof AGGREGATORS)[number];

/** limit: there are too many. name: the name is not for apps. invalid: not what a metric looks like, or of two minds. */
export const DROPPED_REASONS = ['limit', 'name', 'invalid'] as const;
export type DroppedReason = (typeof DROPPED_REASONS)[number];

/** The labels of a series as one text, equal for equal labels: pairs as JSON, sorted by label. */
export type SeriesKey = string;

/** What one worker has to say of one metric. Plain data: it crosses a process boundary. */
export interface AppDelta {
  readonly kind: 'app';
  /** Which of the worker's registries has it: there may be several copies of prom-client. */
  readonly source: number;
  readonly name: string;
  readonly help: string;
  readonly type: AppType;
  readonly aggregator: Aggregator;
  /** Upper bounds of a histogram, without +Inf. */
  readonly bounds: readonly number[];
  /**
   * What has changed. A gauge: its value. Others: what was added since the last time; a histogram's cumulative buckets,
   * +Inf among them, then its sum; a summary's count, then its sum.
   */
  readonly series: readonly (readonly [key: SeriesKey, ...values: number[]])[];
  /** Series that the app has removed. */
  readonly gone: readonly SeriesKey[];
}

/** Series an app may have; a histogram counts as one. Apps of a worker share what they have together. */
const SERIES_PER_MOUNT = 500;

/** @param mounts those that run JavaScript */
export const appSeriesLimit = (mounts: number): number => SERIES_PER_MOUNT * Math.max(1, mounts);

const METRIC_NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]{0,199}$/;
const LABEL_NAME = /^[a-zA-Z_][a-zA-Z0-9_]{0,99}$/;
const MAX_LABELS = 30;
const MAX_LABEL_VALUE = 1024;
/** viaduct's own. */
const RESERVED = /^(viaduct|http_server)_/;
/** prom-client's default metrics, which many apps turn on: the master has its own of these names. */
const DEFAULTS = /^(process|nodejs)_/;

export const isMetricName = (name: unknown): name is string =>
  typeof name === 'string' && METRIC_NAME.test(name);

/** What becomes of a metric by its name alone; `skip`: left out, and nobody has to know. */
export function judgeName(name: unknown): 'take' | 'skip' | DroppedReason {
  if (!isMetricName(name)) return 'invalid';
  if (RESERVED.test(name)) return 'name';
  return DEFAULTS.test(name) ? 'skip' : 'take';
}

/** null where labels are not fit for a series of that type. */
export function seriesKey(labels: Readonly<Record<string, unknown>>, type: AppType): SeriesKey | null {
  const pairs = Object.entries(labels).map(([name, value]) => [name, String(value)] as const);
  if (pairs.length > 1) pairs.sort(([a], [b]) => (a < b ? -1 : 1));
  return areLabels(pairs, type) ? JSON.stringify(pairs) : null;
}

/** The labels that a key of somebody else's making stands for; null: none. */
export function labelsOf(key: unknown, type: AppType): Record<string, string> | null {
  const pairs = typeof key === 'string' ? parse(key) : null;
  return Array.isArray(pairs) && areLabels(pairs, type) ? Object.fromEntries(pairs) : null;
}

function areLabels(pairs: readonly unknown[], type: AppType): boolean {
  const own = OWN_LABELS[type];
  return (
    pairs.length <= MAX_LABELS &&
    pairs.every((pair) => {
      const [name, value] = Array.isArray(pair) ? (pair as readonly unknown[]) : [];
      const isName = typeof name === 'string' && LABEL_NAME.test(name) && name !== own;
      return isName && typeof value === 'string' && value.length <= MAX_LABEL_VALUE;
    })
  );
}

/** Labels that a type gives its samples itself. */
const OWN_LABELS: Readonly<Record<AppType, string | null>> = {
  counter: null,
  gauge: null,
  histogram: 'le',
  summary: 'quantile',
};

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}

/** Series of apps that were left out, by reason. */
export class DroppedSeries {
  readonly #counter = new LabelCounter('reason', DROPPED_REASONS);
  readonly ledger = new Ledger(() => []);

  constructor() {
    this.ledger.track('dropped', this.#counter.slots);
  }

  inc(reason: DroppedReason, by = 1): void {
    this.#counter.inc(reason, by);
  }

  samples(): ReturnType<LabelCounter<DroppedReason>['samples']> {
    return this.#counter.samples({});
  }
}
