// How much of a core each process takes, from CPU times that only grow. Knows no process, only objects that have one.

/** Milliseconds between two samples: the kernel counts in steps of 10. */
const INTERVAL = 5000;
const SHORTEST = 1000;

interface Sample {
  /** performance.now() */
  readonly at: number;
  /** Seconds. */
  readonly cpu: number;
}

export class CpuShares<T extends object> {
  /** The last two of each, the older one first. */
  readonly #samples = new WeakMap<T, readonly [Sample, Sample]>();

  /** To be called every second or so. */
  look(owner: T, cpu: number, now: number): void {
    const [, newer] = this.#samples.get(owner) ?? [];
    const sample = { at: now, cpu };
    if (newer === undefined) this.#samples.set(owner, [sample, sample]);
    else if (now - newer.at >= INTERVAL) this.#samples.set(owner, [newer, sample]);
  }

  /** Of one core, over the last 5 to 10 seconds; null: not known yet. */
  share(owner: T, cpu: number, now: number): number | null {
    const [older] = this.#samples.get(owner) ?? [];
    if (older === undefined || now - older.at < SHORTEST) return null;
    return Math.max(0, cpu - older.cpu) / ((now - older.at) / 1000);
  }
}
