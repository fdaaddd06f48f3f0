// How many requests run at once, and what the others do: wait in a bounded queue for a bounded time, or be told to come back.
// The queue lives here and not in the kernel: a full Unix backlog is an instant 502, and nobody can see its length.

/** What waits. `admit` is called at most once; `giveUp` instead when it waited too long. */
export interface Waiting {
  admit(): void;
  giveUp(): void;
  /** performance.now() when it began to wait. */
  readonly queuedAt: number;
  readonly mountName: string;
}

export interface AdmissionLimits {
  /** Requests that run at once. */
  readonly requests: number;
  /** Requests that may wait. */
  readonly queue: number;
  /** Milliseconds one may wait. */
  readonly queueTimeout: number;
}

export class Admission {
  readonly #limits: AdmissionLimits;
  #running = 0;
  /** In order of arrival: a Set keeps it, and lets a request whose client left go at once. */
  readonly #waiting = new Set<Waiting>();

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
  }

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Takes a place if there is one. */
  enter(): boolean {
    if (this.#running >= this.#limits.requests) return false;
    this.#running += 1;
    return true;
  }

  /** Gives the place to whoever has waited longest. */
  leave(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#running -= 1;
      return;
    }
    this.#waiting.delete(next);
    // Not from inside the call that leaves: a queue of synchronous applications would nest as deep as it is long.
    queueMicrotask(() => next.admit());
  }

  /** False when the queue is full. */
  wait(request: Waiting): boolean {
    if (this.#waiting.size >= this.#limits.queue) return false;
    this.#waiting.add(request);
    return true;
  }

  /** When the one of this mount that has waited longest began to wait, by performance.now(); null: none waits. */
  oldest(mountName: string): number | null {
    for (const request of this.#waiting) if (request.mountName === mountName) return request.queuedAt;
    return null;
  }

  /** The client left while it waited. */
  forget(request: Waiting): void {
    this.#waiting.delete(request);
  }

  /** Refuses those that have waited too long at `now` (performance.now()). */
  expire(now: number): void {
    for (const request of this.#waiting) {
      if (now - request.queuedAt < this.#limits.queueTimeout) return;
      this.#waiting.delete(request);
      request.giveUp();
    }
  }
}
