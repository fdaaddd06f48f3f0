// What one mount, or all of them, did over the last 15 minutes, and what it does now: from counters that only grow, read
// every few seconds. Costs a request nothing. Knows no clock; who calls says what time it is.
import { DURATION_BUCKETS } from './histogram.ts';
import type { MountMetrics } from './mount-metrics.ts';
import { quantile } from './quantile.ts';
import { Ring } from './ring.ts';
import type { Figures, Plots } from './status-data.ts';

/** Milliseconds between two samples, and how many are kept. */
export const SAMPLE_INTERVAL = 5000;
export const SAMPLES_KEPT = 180;

/** Milliseconds: over less a rate says nothing. */
const SHORTEST = 1000;

type Series = Exclude<keyof Plots, 'interval_seconds'>;

/** The counters as they stood at a time (performance.now()). */
class Reading {
  readonly at: number;
  /** Requests by duration: DURATION_BUCKETS, then the longer ones. */
  readonly buckets = new Float64Array(DURATION_BUCKETS.length + 1);
  failed = 0;

  constructor(mounts: Iterable<MountMetrics>, at: number) {
    this.at = at;
    for (const mount of mounts) this.failed += mount.addDurations(this.buckets);
  }

  get requests(): number {
    return sum(this.buckets);
  }

  since(earlier: Reading): { rate: number; p50: number | null; p99: number | null; errors: number | null } {
    // A mount that a reload has dropped takes its counts along: nothing is below 0.
    const news = this.buckets.map((count, at) => Math.max(0, count - (earlier.buckets[at] ?? 0)));
    const count = sum(news);
    return {
      rate: count / (Math.max(SHORTEST, this.at - earlier.at) / 1000),
      p50: quantile(news, DURATION_BUCKETS, 0.5),
      p99: quantile(news, DURATION_BUCKETS, 0.99),
      errors: count === 0 ? null : Math.min(1, Math.max(0, this.failed - earlier.failed) / count),
    };
  }
}

export class MountHistory {
  readonly #mounts: () => readonly MountMetrics[];
  readonly #rings: Readonly<Record<Series, Ring>> = {
    rate: new Ring(SAMPLES_KEPT),
    p50_seconds: new Ring(SAMPLES_KEPT),
    p99_seconds: new Ring(SAMPLES_KEPT),
    error_share: new Ring(SAMPLES_KEPT),
    active: new Ring(SAMPLES_KEPT),
    queue_depth: new Ring(SAMPLES_KEPT),
  };
  /** The last two samples: what is shown is counted from the older one, which is 5 to 10 seconds old. */
  #older: Reading;
  #newer: Reading;
  /** The most of it since the last sample. */
  #active = 0;
  #queueDepth = 0;
  /** Of the last sample, for everybody who asks before the next. */
  #plots: Plots | null = null;

  /** @param mounts those whose numbers are added up */
  constructor(mounts: () => readonly MountMetrics[], now: number) {
    this.#mounts = mounts;
    this.#older = new Reading(mounts(), now);
    this.#newer = this.#older;
  }

  /** Looks at what goes up and down; to be called more often than sample(). */
  look(): void {
    this.#active = Math.max(this.#active, this.#sum('active'));
    this.#queueDepth = Math.max(this.#queueDepth, this.#sum('queueDepth'));
  }

  /** Waiting now. */
  get queueDepth(): number {
    return this.#sum('queueDepth');
  }

  /** To be called every SAMPLE_INTERVAL; where calls were left out (a machine that slept), there is a gap. */
  sample(now: number): void {
    const reading = new Reading(this.#mounts(), now);
    const missed = Math.min(SAMPLES_KEPT, Math.round((now - this.#newer.at) / SAMPLE_INTERVAL) - 1);
    for (let count = 0; count < missed; count += 1)
      for (const ring of Object.values(this.#rings)) ring.push(Number.NaN);
    const { rate, p50, p99, errors } = reading.since(this.#newer);
    this.look();
    this.#rings.rate.push(rate);
    this.#rings.p50_seconds.push(p50 ?? Number.NaN);
    this.#rings.p99_seconds.push(p99 ?? Number.NaN);
    this.#rings.error_share.push(errors ?? Number.NaN);
    this.#rings.active.push(this.#active);
    this.#rings.queue_depth.push(this.#queueDepth);
    this.#active = 0;
    this.#queueDepth = 0;
    this.#older = this.#newer;
    this.#newer = reading;
    this.#plots = null;
  }

  figures(now: number): Figures {
    const reading = new Reading(this.#mounts(), now);
    const { rate, p50, p99, errors } = reading.since(this.#older);
    return {
      requests: reading.requests,
      rate,
      p50_seconds: p50,
      p99_seconds: p99,
      error_share: errors,
      active: this.#sum('active'),
      queue_depth: this.queueDepth,
      queue_limit: this.#sum('queueLimit'),
      queue_oldest_seconds: Math.max(0, ...this.#mounts().map((mount) => mount.oldestQueuedAge)),
      history: this.#plots ?? (this.#plots = this.#list()),
    };
  }

  #list(): Plots {
    const list = (series: Series): (number | null)[] => this.#rings[series].list();
    return {
      interval_seconds: SAMPLE_INTERVAL / 1000,
      rate: list('rate'),
      p50_seconds: list('p50_seconds'),
      p99_seconds: list('p99_seconds'),
      error_share: list('error_share'),
      active: list('active'),
      queue_depth: list('queue_depth'),
    };
  }

  #sum(gauge: 'active' | 'queueDepth' | 'queueLimit'): number {
    return this.#mounts().reduce((total, mount) => total + mount[gauge], 0);
  }
}

const sum = (values: Float64Array): number => values.reduce((total, value) => total + value, 0);
