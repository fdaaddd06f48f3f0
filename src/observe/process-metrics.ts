// What a worker counts about itself: how late its event loop is. May not know timers or requests.
import type { Sample } from './family.ts';
import { SlotHistogram } from './histogram.ts';
import { Ledger } from './ledger.ts';

/** Bucket bounds in seconds. A timer is some milliseconds late at the best of times. */
const LOOP_DELAY_BUCKETS: readonly number[] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

export class ProcessMetrics {
  readonly #loopDelay = new SlotHistogram(LOOP_DELAY_BUCKETS);
  readonly ledger = new Ledger(() => []);

  constructor() {
    this.ledger.track('loop_delay', this.#loopDelay.slots);
  }

  /** A timer went off `seconds` late. */
  timerLate(seconds: number): void {
    this.#loopDelay.observe(seconds);
  }

  loopDelaySamples(name: string): Sample[] {
    return this.#loopDelay.samples(name, {});
  }
}
