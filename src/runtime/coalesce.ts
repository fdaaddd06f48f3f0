// Many who ask for the same work at once get it done once, and never with a state from before they asked. Knows nothing
// of the work.

/** While one run is under way, all who ask share one more that begins after it. */
export class Coalesced<T> {
  readonly #work: () => Promise<T>;
  #running: Promise<T> | null = null;
  #pending: Promise<T> | null = null;

  constructor(work: () => Promise<T>) {
    this.#work = work;
  }

  /** Resolves or rejects with what a run brought that began after this call. */
  run(): Promise<T> {
    if (this.#pending !== null) return this.#pending;
    if (this.#running === null) return this.#start();
    this.#pending = this.#after(this.#running);
    return this.#pending;
  }

  /** One runs, or is to. */
  get busy(): boolean {
    return this.#running !== null || this.#pending !== null;
  }

  /** Resolves when none runs, and none is to. */
  async idle(): Promise<void> {
    while (this.busy) {
      await Promise.allSettled([this.#running, this.#pending]);
    }
  }

  async #after(running: Promise<T>): Promise<T> {
    await Promise.allSettled([running]);
    this.#pending = null;
    return this.#start();
  }

  #start(): Promise<T> {
    const run = this.#work().finally(() => {
      if (this.#running === run) this.#running = null;
    });
    this.#running = run;
    return run;
  }
}
