// Many who ask for the same work at once get it done once, and never with a state from before they asked. Knows nothing
// of the work.

/** While one run is under way, all who ask share one more that begins after it. */
export class Coalesced<T> {
  readonly #work: () => Promise<T>;
  #running: Promise<unknown> | null = null;
  #pending: Promise<T> | null = null;

  constructor(work: () => Promise<T>) {
    this.#work = work;
  }

  /** Resolves or rejects with what a run brought that began after this call. */
  run(): Promise<T> {
    if (this.#pending !== null) return this.#pending;
    if (this.#running === null) return this.#start();
    const next = (): Promise<T> => this.#start();
    this.#pending = this.#running.then(next, next);
    return this.#pending;
  }

  #start(): Promise<T> {
    this.#pending = null;
    const run = this.#work();
    this.#running = run;
    const done = (): void => {
      if (this.#running === run) this.#running = null;
    };
    run.then(done, done);
    return run;
  }
}
