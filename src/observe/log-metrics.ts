// Log lines that were given up, by sink. May not know how a sink works: it is asked how many it has lost so far.
import type { Sample } from './family.ts';
import { LabelCounter } from './label-counter.ts';
import { Ledger } from './ledger.ts';

/** log: log.file or stderr. access: log.access.file. */
export const LOG_SINKS = ['log', 'access'] as const;
export type LogSink = (typeof LOG_SINKS)[number];

interface Watched {
  readonly sink: LogSink;
  readonly dropped: () => number;
  seen: number;
}

export class LogMetrics {
  readonly #dropped = new LabelCounter('sink', LOG_SINKS);
  readonly #watched: Watched[] = [];
  readonly ledger = new Ledger(() => []);

  constructor() {
    this.ledger.track('dropped', this.#dropped.slots);
  }

  /** From now on counts what `dropped`, the lines lost so far, rises by. */
  watch(sink: LogSink, dropped: () => number): void {
    this.#watched.push({ sink, dropped, seen: 0 });
  }

  /** Asks every sink. */
  update(): void {
    for (const each of this.#watched) {
      const now = each.dropped();
      if (now > each.seen) this.#dropped.inc(each.sink, now - each.seen);
      each.seen = now;
    }
  }

  samples(): Sample[] {
    this.update();
    return this.#dropped.samples({});
  }
}
