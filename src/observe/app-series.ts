// In the master: one metric of the apps, put together from what the workers have told. May not know workers beyond a name
// for each, nor what is measured.
import {
  type Aggregator,
  AGGREGATORS,
  APP_TYPES,
  type AppType,
  labelsOf,
  type SeriesKey,
} from './app-metrics.ts';
import { Family, type Labels, type Sample } from './family.ts';

/** What a metric is, apart from its values. */
export interface AppShape {
  readonly help: string;
  readonly type: AppType;
  readonly aggregator: Aggregator;
  readonly bounds: readonly number[];
}

interface Series {
  readonly labels: Labels;
  /** Of all that is no gauge: what was added up over all workers, those that are gone included. */
  readonly totals: Float64Array;
  /** Who has it now, the oldest first; of a gauge with the value there. */
  readonly owners: Map<string, number>;
  /** When the last owner went. */
  orphanedAt: number;
}

const MAX_BOUNDS = 200;

export class AppFamily {
  readonly shape: AppShape;
  readonly family: Family;
  readonly #series = new Map<SeriesKey, Series>();

  constructor(name: string, shape: AppShape) {
    this.shape = shape;
    this.family = new Family(shape.type, name, shape.help, () => this.#samples(name));
  }

  get size(): number {
    return this.#series.size;
  }

  /** Everybody who has a series of it. */
  *owners(): Iterable<string> {
    for (const { owners } of this.#series.values()) yield* owners.keys();
  }

  has(key: unknown): boolean {
    return typeof key === 'string' && this.#series.has(key);
  }

  /**
   * Takes on one series as a worker has told of it.
   * @returns false where it is not what it must be
   */
  add(owner: string, key: unknown, values: readonly unknown[]): boolean {
    const { type, bounds } = this.shape;
    if (!areValues(type, bounds.length, values)) return false;
    const series = typeof key === 'string' ? (this.#series.get(key) ?? this.#make(key)) : null;
    if (series === null) return false;
    // The channel has null for what is no number in JSON.
    series.owners.set(owner, type === 'gauge' ? (values[0] ?? NaN) : 0);
    if (type === 'gauge') return true;
    for (const [at, value] of values.entries()) series.totals[at] = (series.totals[at] ?? 0) + (value ?? 0);
    return true;
  }

  /** The app there has removed it. */
  remove(owner: string, key: unknown, now: number): void {
    const series = typeof key === 'string' ? this.#series.get(key) : undefined;
    if (series !== undefined && series.owners.delete(owner)) series.orphanedAt = now;
  }

  /** Whoever `isGone` says has nothing any more. Gauges end with their owners; counts stay. */
  forget(isGone: (owner: string) => boolean, now: number): void {
    for (const series of this.#series.values())
      for (const owner of series.owners.keys())
        if (isGone(owner) && series.owners.delete(owner)) series.orphanedAt = now;
  }

  /** Drops series that nobody has had since `since`: the labels of old releases would add up. */
  prune(since: number): void {
    for (const [key, { owners, orphanedAt }] of this.#series)
      if (owners.size === 0 && (this.shape.type === 'gauge' || orphanedAt < since)) this.#series.delete(key);
  }

  #make(key: SeriesKey): Series | null {
    const labels = labelsOf(key, this.shape.type);
    if (labels === null) return null;
    const totals = new Float64Array(lengthOf(this.shape.type, this.shape.bounds.length));
    const made: Series = { labels, totals, owners: new Map(), orphanedAt: 0 };
    this.#series.set(key, made);
    return made;
  }

  #samples(name: string): Sample[] {
    const { type, aggregator, bounds } = this.shape;
    return [...this.#series.values()].flatMap(({ labels, totals, owners }) => {
      if (type === 'histogram') return histogramSamples(name, labels, bounds, totals);
      if (type === 'summary') return countAndSum(name, labels, totals[0], totals[1]);
      if (type === 'counter') return [{ labels, value: totals[0] ?? 0 }];
      return owners.size === 0 ? [] : [{ labels, value: COMBINE[aggregator]([...owners.values()]) }];
    });
  }
}

const histogramSamples = (
  name: string,
  labels: Labels,
  bounds: readonly number[],
  totals: Float64Array,
): Sample[] => [
  ...[...bounds, '+Inf' as const].map((le, at) => ({
    metricName: `${name}_bucket`,
    labels: { le },
    sharedLabels: labels,
    value: totals[at] ?? 0,
  })),
  ...countAndSum(name, labels, totals[bounds.length], totals[bounds.length + 1]),
];

const countAndSum = (name: string, labels: Labels, count = 0, sum = 0): Sample[] => [
  { metricName: `${name}_sum`, labels, value: sum },
  { metricName: `${name}_count`, labels, value: count },
];

const COMBINE: Readonly<Record<Aggregator, (values: readonly number[]) => number>> = {
  sum: (values) => values.reduce((sum, value) => sum + value, 0),
  first: ([value = NaN]) => value,
  min: (values) => Math.min(...values),
  max: (values) => Math.max(...values),
  average: (values) => values.reduce((sum, value) => sum + value, 0) / values.length,
};

/** How many numbers a series of that type has. */
function lengthOf(type: AppType, bounds: number): number {
  if (type === 'histogram') return bounds + 2;
  return type === 'summary' ? 2 : 1;
}

/** A gauge may be any number; what is added to a count may not lower or end it, only a sum may fall. */
function areValues(
  type: AppType,
  bounds: number,
  values: readonly unknown[],
): values is readonly (number | null)[] {
  if (values.length !== lengthOf(type, bounds)) return false;
  if (type === 'gauge') return values[0] === null || typeof values[0] === 'number';
  const isCount = (value: unknown): boolean =>
    typeof value === 'number' && value >= 0 && value <= Number.MAX_SAFE_INTEGER;
  if (type === 'counter') return isCount(values[0]);
  return values.slice(0, -1).every(isCount) && Number.isFinite(values.at(-1));
}

/** What a worker says a metric is; null: nothing that can be. */
export function shapeOf(told: Readonly<Partial<Record<keyof AppShape, unknown>>>): AppShape | null {
  const type = APP_TYPES.find((each) => each === told.type);
  const aggregator = AGGREGATORS.find((each) => each === told.aggregator);
  const { help, bounds } = told;
  if (type === undefined || aggregator === undefined || typeof help !== 'string') return null;
  return areBounds(bounds) ? { help, type, aggregator, bounds } : null;
}

const areBounds = (bounds: unknown): bounds is readonly number[] =>
  Array.isArray(bounds) &&
  bounds.length <= MAX_BOUNDS &&
  bounds.every((bound, at) => Number.isFinite(bound) && (at === 0 || Number(bounds[at - 1]) < Number(bound)));

/** Whether their series can be added up. */
export const isSameShape = (a: AppShape, b: AppShape): boolean =>
  a.type === b.type && String(a.bounds) === String(b.bounds);
