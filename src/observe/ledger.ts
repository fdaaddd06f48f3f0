// What one mount or listener has counted, as it travels from a worker to the master: counters as what was added since
// the last time, gauges as they stand. May not know what is counted.

/** Names one worker process among the living. Not its slot alone: while a worker is replaced, two share that. */
export type WorkerKey = string | number;

/** A counter's key, then pairs: a position in its slots, and what was added there. */
export type CounterDelta = readonly [key: string, ...positionsAndIncrements: number[]];

/** Plain data, so that it can cross a process boundary. */
export interface LedgerDelta {
  readonly counters: readonly CounterDelta[];
  /** null: as last time. */
  readonly gauges: readonly number[] | null;
}

/** The slots of one counter, and how much of them the master has been told. */
class Tally {
  readonly #key: string;
  readonly #slots: Float64Array;
  /** Made on the first take: the master never takes. */
  #told: Float64Array | null = null;

  constructor(key: string, slots: Float64Array) {
    this.#key = key;
    this.#slots = slots;
  }

  take(): CounterDelta | null {
    const slots = this.#slots;
    const told = (this.#told ??= new Float64Array(slots.length));
    let taken: [string, ...number[]] | null = null;
    for (let at = 0; at < slots.length; at++) {
      const now = slots[at] ?? 0;
      const before = told[at] ?? 0;
      if (now === before) continue;
      (taken ??= [this.#key]).push(at, now - before);
      told[at] = now;
    }
    return taken;
  }

  /** False where that is no position of this counter. */
  add(position: unknown, increment: number): boolean {
    const before = typeof position === 'number' ? this.#slots[position] : undefined;
    if (before === undefined) return false;
    this.#slots[Number(position)] = before + increment;
    return true;
  }
}

export class Ledger {
  readonly #tallies = new Map<string, Tally>();
  readonly #readGauges: () => readonly number[];
  readonly #make: (key: string) => void;
  #toldGauges: readonly number[] = [];
  readonly #gaugesByWorker = new Map<WorkerKey, readonly number[]>();

  /**
   * @param readGauges this process's own gauges, always as many and in the same order
   * @param make told a key a worker sent and nobody tracks yet: tracks it if the catalogue has it, else does nothing
   */
  constructor(readGauges: () => readonly number[], make: (key: string) => void = () => {}) {
    this.#readGauges = readGauges;
    this.#make = make;
    this.#toldGauges = readGauges().map(() => 0);
  }

  /** From now on `slots`, which only ever grow, travel under this key. */
  track(key: string, slots: Float64Array): void {
    this.#tallies.set(key, new Tally(key, slots));
  }

  /** What has changed since the last call; null: nothing. */
  take(): LedgerDelta | null {
    const counters: CounterDelta[] = [];
    for (const tally of this.#tallies.values()) {
      const taken = tally.take();
      if (taken !== null) counters.push(taken);
    }
    const now = this.#readGauges();
    const isSame = now.every((value, at) => value === this.#toldGauges[at]);
    this.#toldGauges = now;
    return counters.length === 0 && isSame ? null : { counters, gauges: isSame ? null : now };
  }

  /**
   * Adds what a worker has taken. Nothing it can send throws, makes a series the catalogue does not have, or lowers a
   * counter: whatever else is in there is left out.
   * @returns how many values were left out
   */
  apply(worker: WorkerKey, counters: unknown, gauges: unknown): number {
    let leftOut = 0;
    for (const counter of listOf(counters)) leftOut += this.#add(listOf(counter));
    if (Array.isArray(gauges)) {
      const sent = listOf(gauges);
      const wanted = this.#toldGauges.map((_, at) => sent[at]);
      leftOut += wanted.filter((value) => !isAmount(value)).length;
      this.#gaugesByWorker.set(
        worker,
        wanted.map((value) => (isAmount(value) ? value : 0)),
      );
    }
    return leftOut;
  }

  /** Its gauges go with it, its counts stay. */
  forget(worker: WorkerKey): void {
    this.#gaugesByWorker.delete(worker);
  }

  /** One gauge, by its position, over all workers. */
  sum(position: number): number {
    let total = 0;
    for (const gauges of this.#gaugesByWorker.values()) total += gauges[position] ?? 0;
    return total;
  }

  /** The highest any worker has; 0 without workers. */
  max(position: number): number {
    let highest = 0;
    for (const gauges of this.#gaugesByWorker.values()) highest = Math.max(highest, gauges[position] ?? 0);
    return highest;
  }

  #add([key, ...pairs]: readonly unknown[]): number {
    const tally = typeof key === 'string' ? this.#tally(key) : undefined;
    if (tally === undefined) return Math.ceil(pairs.length / 2);
    let leftOut = 0;
    for (let at = 0; at < pairs.length; at += 2) {
      const increment = pairs[at + 1];
      const isAdded = isAmount(increment) && tally.add(pairs[at], increment);
      if (!isAdded) leftOut++;
    }
    return leftOut;
  }

  #tally(key: string): Tally | undefined {
    if (!this.#tallies.has(key)) this.#make(key);
    return this.#tallies.get(key);
  }
}

/** What a sane counter is raised by: nothing that lowers it or, like Infinity, ends it. */
const isAmount = (value: unknown): value is number =>
  typeof value === 'number' && value >= 0 && value <= Number.MAX_SAFE_INTEGER;

export const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
