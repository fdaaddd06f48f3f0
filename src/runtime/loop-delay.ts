// Watches how late the worker's clock is: what holds up the event loop holds up every request of the worker. Costs no timer
// of its own.
import type { ProcessMetrics } from '../observe/process-metrics.ts';
import { TICK_INTERVAL, type Timed } from '../transport/timeouts.ts';

export class LoopDelay implements Timed {
  readonly #metrics: Pick<ProcessMetrics, 'timerLate'>;
  #last: number | null = null;

  constructor(metrics: Pick<ProcessMetrics, 'timerLate'>) {
    this.#metrics = metrics;
  }

  tick(now: number): void {
    // Node starts an interval anew when its callback runs, so what it is late does not add up.
    if (this.#last !== null) this.#metrics.timerLate((now - this.#last - TICK_INTERVAL) / 1000);
    this.#last = now;
  }
}
