// Those that wait, in order of arrival, where any of them may leave before its turn.

/** Something that can stand in one queue. The two are the queue's own business, null outside of it. */
export interface Queueable<T> {
  ahead: T | null;
  behind: T | null;
}

/**
 * Members know their neighbours, and forget them when they leave. A Set would do, but for its tables: V8 makes a new one every
 * few requests, and each that has grown old keeps the next one, and so every request that has waited, until a full collection.
 * Measured with 24 requests that wait for Python threads: see docs/decisions/0019.
 */
export class Queue<T extends Queueable<T>> {
  #first: T | null = null;
  #last: T | null = null;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get first(): T | null {
    return this.#first;
  }

  add(member: T): void {
    member.ahead = this.#last;
    if (this.#last === null) this.#first = member;
    else this.#last.behind = member;
    this.#last = member;
    this.#size += 1;
  }

  /** Does nothing with what is not in it. */
  delete(member: T): void {
    const { ahead, behind } = member;
    if (ahead === null && this.#first !== member) return;
    if (ahead === null) this.#first = behind;
    else ahead.behind = behind;
    if (behind === null) this.#last = ahead;
    else behind.ahead = ahead;
    member.ahead = null;
    member.behind = null;
    this.#size -= 1;
  }
}
