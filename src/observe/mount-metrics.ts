// What is counted for one mount, in plain slots: on the path of every request. May not know prom-client or the request
// beyond its method and its status; nothing else of a request ever becomes a label.
import type { Labels, Sample } from './family.ts';
import { DURATION_BUCKETS, QUEUE_WAIT_BUCKETS, SlotHistogram } from './histogram.ts';
import { LabelCounter } from './label-counter.ts';
import { Ledger } from './ledger.ts';

/** The methods that get a series of their own; any other is counted as `_OTHER`, or a client could make series at will. */
export const METHODS = [
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'OPTIONS',
  'TRACE',
  'CONNECT',
  '_OTHER',
] as const;

export const ABORT_PHASES = ['queued', 'running', 'sending'] as const;
export type AbortPhase = (typeof ABORT_PHASES)[number];

export const SHED_REASONS = ['queue_full', 'queue_timeout', 'draining', 'app_failed'] as const;
export type ShedReason = (typeof SHED_REASONS)[number];

const STATUS_CLASSES = ['1xx', '2xx', '3xx', '4xx', '5xx'] as const;
const SERVER_ERRORS = STATUS_CLASSES.indexOf('5xx');
// Positions in a mount's totals
const BYTES_IN = 0;
const BYTES_OUT = 1;
const TIMEOUTS = 2;
const SLOW = 3;

const LOWEST_STATUS = 100;
const HIGHEST_STATUS = 599;

// Position in METHODS. A switch, most frequent first: a method cut out of a buffer is a new string whose hash a Map
// would have to compute (17 ns measured), while here one or two comparisons settle nearly all (3 ns).
function methodIndex(method: string): number {
  switch (method) {
    case 'GET':
      return 0;
    case 'POST':
      return 2;
    case 'HEAD':
      return 1;
    case 'PUT':
      return 3;
    case 'PATCH':
      return 4;
    case 'DELETE':
      return 5;
    case 'OPTIONS':
      return 6;
    case 'TRACE':
      return 7;
    case 'CONNECT':
      return 8;
    default:
      return 9;
  }
}

/** The slots of one (mount, method). */
class MethodSlots {
  readonly codes = new Float64Array(HIGHEST_STATUS - LOWEST_STATUS + 1);
  readonly durations: readonly SlotHistogram[] = STATUS_CLASSES.map(
    () => new SlotHistogram(DURATION_BUCKETS),
  );

  finished(status: number, seconds: number): void {
    const code = status - LOWEST_STATUS;
    this.codes[code] = (this.codes[code] ?? 0) + 1;
    this.durations[(code / 100) | 0]?.observe(seconds);
  }
}

export class MountMetrics {
  /** The `mount` label. */
  readonly name: string;
  // By methodIndex; made on the first request of a method, 5 KB each, so that nine methods nobody uses cost nothing.
  readonly #methods: (MethodSlots | null)[] = METHODS.map(() => null);
  readonly #queueWait = new SlotHistogram(QUEUE_WAIT_BUCKETS);
  readonly #aborted = new LabelCounter('phase', ABORT_PHASES);
  readonly #shed = new LabelCounter('reason', SHED_REASONS);
  readonly #totals = new Float64Array(SLOW + 1);
  #active = 0;
  #queueDepth = 0;
  #queueLimit = 0;
  #oldestQueued: () => number = () => 0;
  /** null: its app has no threads. */
  #threads: (() => number) | null = null;
  /** What the workers' mounts of this name have counted comes in here, or this one's goes out. */
  readonly ledger = new Ledger(
    () => [this.#active, this.#queueDepth, this.#queueLimit, this.#oldestQueued(), this.#threads?.() ?? 0],
    (key) => this.#methodOfWorker(key),
  );

  constructor(name: string) {
    this.name = name;
    this.ledger.track('totals', this.#totals);
    this.ledger.track('aborted', this.#aborted.slots);
    this.ledger.track('shed', this.#shed.slots);
    this.ledger.track('queue_wait', this.#queueWait.slots);
    this.#newMethod(0);
  }

  /** A request begins to run (one that waits in the queue does not yet). Each is followed by one requestFinished(). */
  requestStarted(): void {
    this.#active++;
  }

  /**
   * A request is over, whichever way. A status outside 100..599 (0: there was none) counts the bytes and the end of
   * the request, and makes no series.
   * @param seconds from the first byte read to the last written
   * @param bytesIn request body bytes
   * @param bytesOut response body bytes
   */
  requestFinished(method: string, status: number, seconds: number, bytesIn: number, bytesOut: number): void {
    this.#active--;
    const totals = this.#totals;
    if (bytesIn > 0) totals[BYTES_IN] = (totals[BYTES_IN] ?? 0) + bytesIn;
    if (bytesOut > 0) totals[BYTES_OUT] = (totals[BYTES_OUT] ?? 0) + bytesOut;
    if (!(status >= LOWEST_STATUS && status <= HIGHEST_STATUS) || (status | 0) !== status) return;
    const index = methodIndex(method);
    const slots = this.#methods[index] ?? this.#newMethod(index);
    slots.finished(status, seconds);
  }

  /** The client left in this phase. Comes beside requestFinished(), not in its place. */
  aborted(phase: AbortPhase): void {
    this.#aborted.inc(phase);
  }

  /** A request was turned away. */
  shed(reason: ShedReason): void {
    this.#shed.inc(reason);
  }

  /** A request ran longer than timeouts.request. Comes beside requestFinished(). */
  timedOut(): void {
    this.#totals[TIMEOUTS] = this.timeouts + 1;
  }

  /** A request took longer than log.slow. Comes beside requestFinished(). */
  slow(): void {
    this.#totals[SLOW] = this.slowRequests + 1;
  }

  /**
   * Tells what there is to know about the queue besides its length.
   * @param limit requests that may wait
   * @param oldestAge seconds the one that waits longest has waited; 0: none waits
   */
  watchQueue(limit: number, oldestAge: () => number): void {
    this.#queueLimit = limit;
    this.#oldestQueued = oldestAge;
  }

  /** Its app runs in Python threads, so many of which are connected here. */
  watchThreads(threads: () => number): void {
    this.#threads = threads;
  }

  /** A request begins to wait. Each is followed by one dequeued(), also where it is then shed or aborted. */
  queued(): void {
    this.#queueDepth++;
  }

  dequeued(waitSeconds: number): void {
    this.#queueDepth--;
    this.#queueWait.observe(waitSeconds);
  }

  // Gauges: of this process and of the workers, by their position in the ledger.

  get active(): number {
    return this.#active + this.ledger.sum(0);
  }

  get queueDepth(): number {
    return this.#queueDepth + this.ledger.sum(1);
  }

  get queueLimit(): number {
    return this.#queueLimit + this.ledger.sum(2);
  }

  /** Seconds. */
  get oldestQueuedAge(): number {
    return Math.max(this.#oldestQueued(), this.ledger.max(3));
  }

  threadSamples(): Sample[] {
    if (this.#threads === null) return [];
    return [{ labels: { mount: this.name }, value: this.#threads() + this.ledger.sum(4) }];
  }

  get bytesIn(): number {
    return this.#totals[BYTES_IN] ?? 0;
  }

  get bytesOut(): number {
    return this.#totals[BYTES_OUT] ?? 0;
  }

  get timeouts(): number {
    return this.#totals[TIMEOUTS] ?? 0;
  }

  get slowRequests(): number {
    return this.#totals[SLOW] ?? 0;
  }

  /** Requests that had to wait for a place. */
  get waited(): number {
    return this.#queueWait.count;
  }

  /**
   * Adds the requests so far to `buckets`: one a bound of DURATION_BUCKETS, then those that took longer.
   * @returns how many of them ended with 5xx
   */
  addDurations(buckets: Float64Array): number {
    let failed = 0;
    for (const [, { durations }] of this.#used()) {
      for (const [at, { slots }] of durations.entries()) {
        for (let bucket = 0; bucket < buckets.length; bucket++) {
          const count = slots[bucket] ?? 0;
          buckets[bucket] = (buckets[bucket] ?? 0) + count;
          if (at === SERVER_ERRORS) failed += count;
        }
      }
    }
    return failed;
  }

  requestSamples(): Sample[] {
    const samples: Sample[] = [];
    for (const [method, slots] of this.#used()) {
      slots.codes.forEach((value, index) => {
        const code = index + LOWEST_STATUS;
        if (value > 0 || isSeed(method, code)) {
          samples.push({ labels: { mount: this.name, method, code: String(code) }, value });
        }
      });
    }
    return samples;
  }

  durationSamples(name: string): Sample[] {
    const samples: Sample[] = [];
    for (const [method, slots] of this.#used()) {
      slots.durations.forEach((histogram, index) => {
        if (histogram.count === 0 && !isSeed(method, LOWEST_STATUS * (index + 1))) return;
        const labels: Labels = { mount: this.name, method, status_class: STATUS_CLASSES[index] ?? '' };
        samples.push(...histogram.samples(name, labels));
      });
    }
    return samples;
  }

  queueWaitSamples(name: string): Sample[] {
    return this.#queueWait.samples(name, { mount: this.name });
  }

  abortedSamples(): Sample[] {
    return this.#aborted.samples({ mount: this.name });
  }

  shedSamples(): Sample[] {
    return this.#shed.samples({ mount: this.name });
  }

  #newMethod(index: number): MethodSlots {
    const slots = new MethodSlots();
    const method = METHODS[index] ?? '';
    this.#methods[index] = slots;
    this.ledger.track(`${method} codes`, slots.codes);
    slots.durations.forEach((histogram, at) => {
      this.ledger.track(`${method} ${STATUS_CLASSES[at] ?? ''}`, histogram.slots);
    });
    return slots;
  }

  #methodOfWorker(key: string): void {
    const [name = ''] = key.split(' ', 1);
    const index = METHODS.findIndex((method) => method === name);
    if (index >= 0 && this.#methods[index] === null) this.#newMethod(index);
  }

  *#used(): Iterable<[method: string, slots: MethodSlots]> {
    for (const [index, method] of METHODS.entries()) {
      const slots = this.#methods[index];
      if (slots) yield [method, slots];
    }
  }
}

// Series shown before their first request, at 0: rate() only sees an increase of a series it has seen before, so the
// common case (GET 200) and the one people alert on (GET 500) are there from boot.
function isSeed(method: string, code: number): boolean {
  return method === 'GET' && (code === 200 || code === 500);
}
