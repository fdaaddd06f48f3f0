// Tells that a request is given up. An AbortSignal costs 2 us to make and another to listen to, and most requests need none:
// it is made when an application asks for it, and who listens inside viaduct does without.

export class Cancellation {
  #isCancelled = false;
  #reason: unknown = undefined;
  #controller: AbortController | null = null;
  #listener: ((reason: unknown) => void) | null = null;

  /** The same for applications; each call gives the same one. */
  get signal(): AbortSignal {
    if (this.#controller === null) {
      this.#controller = new AbortController();
      if (this.#isCancelled) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  /** Once; what comes later has nothing to add. */
  cancel(reason: unknown): void {
    if (this.#isCancelled) return;
    this.#isCancelled = true;
    this.#reason = reason;
    this.#listener?.(reason);
    this.#controller?.abort(reason);
  }

  /** `listener` is called once, at once where that is late. There is one listener at most: the application's adapter. */
  listen(listener: (reason: unknown) => void): void {
    if (this.#isCancelled) listener(this.#reason);
    else this.#listener = listener;
  }
}
