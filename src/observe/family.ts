// A metric family whose values stand in somebody's slots: what a prom-client registry is given instead of a Counter,
// Gauge or Histogram of its own. May not know what is measured.
//
// prom-client 15 can be told to increment and to observe, but a Histogram cannot be set, and a Counter only by reset
// and inc(), each with a label hash. All a Registry asks of a metric is `name` and `get()` (both part of the public
// API of all four metric classes; lib/registry.js: registerMetric, getMetricsAsString, getMetricsAsJSON), so a
// family is an object with these. It costs nothing between two scrapes.
import type { Metric, Registry } from 'prom-client';

export type Labels = Readonly<Record<string, string | number>>;

export interface Sample {
  /** Set where the sample's name is not the family's: NAME_bucket, NAME_sum, NAME_count. */
  readonly metricName?: string;
  readonly labels: Labels;
  /** Labels this sample has as well, one object for all of a histogram's: they are then written out once. */
  readonly sharedLabels?: Labels;
  readonly value: number;
}

export type FamilyType = 'counter' | 'gauge' | 'histogram' | 'summary';

interface Snapshot {
  readonly name: string;
  readonly help: string;
  readonly type: FamilyType;
  readonly aggregator: 'sum';
  readonly values: readonly Sample[];
}

export class Family {
  readonly name: string;
  readonly help: string;
  readonly type: FamilyType;
  readonly aggregator = 'sum' as const;
  readonly #values: () => Iterable<Sample>;

  /** `values` is called at each scrape and gives the samples of that moment. */
  constructor(type: FamilyType, name: string, help: string, values: () => Iterable<Sample>) {
    this.type = type;
    this.name = name;
    this.help = help;
    this.#values = values;
  }

  /** For who reads numbers: every sample has all of its labels. */
  get(): Promise<Snapshot> {
    return Promise.resolve(
      this.#snapshot(
        [...this.#values()].map((sample) => {
          const { sharedLabels, ...rest } = sample;
          return sharedLabels === undefined
            ? sample
            : { ...rest, labels: { ...sharedLabels, ...sample.labels } };
        }),
      ),
    );
  }

  /** For text; histograms of prom-client have it as well. */
  getForPromString(): Promise<Snapshot> {
    return Promise.resolve(this.#snapshot([...this.#values()]));
  }

  /** Registry.resetMetrics() calls it. The slots stay: a counter never goes backwards. */
  reset(): void {}

  #snapshot(values: readonly Sample[]): Snapshot {
    const { name, help, type, aggregator } = this;
    return { name, help, type, aggregator, values };
  }
}

/** Registers anything with `name` and `get()`: the one place that knows prom-client's typings ask for more than it uses. */
export function registerFamily(
  registry: Pick<Registry, 'registerMetric'>,
  family: { readonly name: string; get(): Promise<unknown> },
): void {
  registry.registerMetric(family as unknown as Metric);
}
