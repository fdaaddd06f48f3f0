// How many requests run at once, and what the others do: wait in a bounded queue for a bounded time, or be told to come back.
// The queue lives here and not in the kernel: a full Unix backlog is an instant 502, and nobody can see its length.

import { Queue, type Queueable } from './queue.ts';

/** What waits. `admit` is called at most once; `giveUp` instead when it waited too long. */
export interface Waiting extends Queueable<Waiting> {
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
  #places: number;
  #running = 0;
  readonly #waiting = new Queue<Waiting>();

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
    this.#places = limits.requests;
  }

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Takes a place if there is one. */
  enter(): boolean {
    if (this.#running >= this.#places) return false;
    this.#running += 1;
    return true;
  }

  /** Gives the place to whoever has waited longest. */
  leave(): void {
    this.#running -= 1;
    this.#fill();
  }

  /** Other places than limits.requests; who runs keeps running. */
  resize(places: number): void {
    this.#places = places;
    this.#fill();
  }

  #fill(): void {
    while (this.#running < this.#places) {
      const next = this.#waiting.first;
      if (next === null) return;
      this.#waiting.delete(next);
      this.#running += 1;
      // Not from inside the call that leaves: a queue of synchronous applications would nest as deep as it is long.
      void NOW.then(() => next.admit());
    }
  }

  /** False when the queue is full. */
  wait(request: Waiting): boolean {
    if (this.#waiting.size >= this.#limits.queue) return false;
    this.#waiting.add(request);
    return true;
  }

  /** When the one of this mount that has waited longest began to wait, by performance.now(); null: none waits. */
  oldest(mountName: string): number | null {
    let request = this.#waiting.first;
    while (request !== null && request.mountName !== mountName) request = request.behind;
    return request?.queuedAt ?? null;
  }

  /** The client left while it waited. */
  forget(request: Waiting): void {
    this.#waiting.delete(request);
  }

  /** Refuses those that have waited too long at `now` (performance.now()). */
  expire(now: number): void {
    for (;;) {
      const { first } = this.#waiting;
      if (first === null || now - first.queuedAt < this.#limits.queueTimeout) return;
      this.#waiting.delete(first);
      first.giveUp();
    }
  }
}

/** Costs less than queueMicrotask() and nextTick(), which make an async resource for each call. */
const NOW = Promise.resolve();
