// The last 15 minutes of every mount and of all together, sampled from the counters of record: some 10 KB of numbers a
// mount, whatever comes in. May not know workers or requests.
import { type MetricSlots, NO_MOUNT } from './metric-slots.ts';
import { MountHistory, SAMPLE_INTERVAL } from './mount-history.ts';
import type { MountMetrics } from './mount-metrics.ts';
import type { Figures } from './status-data.ts';

export class History {
  readonly #metrics: Pick<MetricSlots, 'mounts' | 'mount'>;
  readonly #all: MountHistory;
  readonly #byMount = new Map<MountMetrics, MountHistory>();
  #sampledAt: number;
  /** The most that waited at a time. */
  maxQueueDepth = 0;

  /** @param now performance.now(), as everywhere here */
  constructor(metrics: Pick<MetricSlots, 'mounts' | 'mount'>, now: number) {
    this.#metrics = metrics;
    this.#sampledAt = now;
    this.#all = new MountHistory(() => [...metrics.mounts], now);
    for (const mount of metrics.mounts) this.#of(mount, now);
  }

  /** To be called once a second. */
  tick(now: number): void {
    const isDue = now - this.#sampledAt >= SAMPLE_INTERVAL - SAMPLE_INTERVAL / 10;
    if (isDue) this.#sampledAt = now;
    const mounts = new Set(this.#metrics.mounts);
    for (const mount of this.#byMount.keys()) if (!mounts.has(mount)) this.#byMount.delete(mount);
    for (const history of [this.#all, ...[...mounts].map((mount) => this.#of(mount, now))]) {
      if (isDue) history.sample(now);
      else history.look();
    }
    this.maxQueueDepth = Math.max(this.maxQueueDepth, this.#all.queueDepth);
  }

  /** Of all mounts. */
  total(now: number): Figures {
    return this.#all.figures(now);
  }

  mount(name: string, now: number): Figures {
    return this.#of(this.#metrics.mount(name), now).figures(now);
  }

  /** Of the requests whose path no mount has. */
  unmatched(now: number): Figures {
    return this.mount(NO_MOUNT, now);
  }

  #of(mount: MountMetrics, now: number): MountHistory {
    let found = this.#byMount.get(mount);
    if (found === undefined) this.#byMount.set(mount, (found = new MountHistory(() => [mount], now)));
    return found;
  }
}
