// A histogram of plain number slots, cheap enough for every request. Knows bucket bounds and counts;
// may not know labels' meaning, requests or HTTP.
import type { Labels, Sample } from './family.ts';

/** Bucket bounds in seconds: OpenTelemetry's advice for http.server.request.duration, with 30 and 60 for slow apps. */
export const DURATION_BUCKETS: readonly number[] = [
  0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 60,
];

/** Bucket bounds in seconds for the time a request waits in the queue. */
export const QUEUE_WAIT_BUCKETS: readonly number[] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30];

export class SlotHistogram {
  /** One slot a bucket, not cumulative: observe() touches a single one, the scrape adds up. Then one for +Inf, and the sum. */
  readonly slots: Float64Array;
  readonly #bounds: readonly number[];

  /** `bounds`: upper bounds in ascending order, without +Inf. */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.slots = new Float64Array(bounds.length + 2);
  }

  /** Counts one value. What is no time at all (NaN, negative: a clock that stepped) counts as 0, or it would spoil the sum for good. */
  observe(value: number): void {
    const seconds = value > 0 ? value : 0;
    const bounds = this.#bounds;
    const slots = this.slots;
    // Linear on purpose: most requests stop within the first buckets, where this beats halving.
    let bucket = 0;
    while (bucket < bounds.length && seconds > (bounds[bucket] ?? 0)) bucket++;
    slots[bucket] = (slots[bucket] ?? 0) + 1;
    const sum = bounds.length + 1;
    slots[sum] = (slots[sum] ?? 0) + seconds;
  }

  get count(): number {
    return this.#counts().reduce((total, slot) => total + slot, 0);
  }

  /** The _bucket (cumulative), _sum and _count samples of one series. */
  samples(name: string, labels: Labels): Sample[] {
    let cumulative = 0;
    const samples: Sample[] = [...this.#counts()].map((slot, index) => {
      cumulative += slot;
      return {
        metricName: `${name}_bucket`,
        labels: { le: this.#bounds[index] ?? '+Inf' },
        sharedLabels: labels,
        value: cumulative,
      };
    });
    samples.push(
      { metricName: `${name}_sum`, labels, value: this.slots.at(-1) ?? 0 },
      { metricName: `${name}_count`, labels, value: cumulative },
    );
    return samples;
  }

  #counts(): Float64Array {
    return this.slots.subarray(0, -1);
  }
}
