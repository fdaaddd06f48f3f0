// One coarse clock for all deadlines of a worker: no timer is made for a request or a connection.

/** Something with deadlines of its own. */
export interface Timed {
  /** `now` is performance.now() in milliseconds, as old as the tick. */
  tick(now: number): void;
}

/** After our FIN: how long the peer may still send in all, and how long between two reads (nginx's lingering_time and _timeout). */
export const LINGER_TOTAL = 30_000;
export const LINGER_PAUSE = 5_000;

/** Milliseconds between two ticks, and so how late a timeout may be noticed. */
export const TICK_INTERVAL = 100;

export class Ticker {
  /** performance.now() at the last tick: good enough to start a timeout, and free to read. */
  now: number = performance.now();
  readonly #members = new Set<Timed>();
  #timer: NodeJS.Timeout | null = null;

  add(member: Timed): void {
    this.#members.add(member);
  }

  delete(member: Timed): void {
    this.#members.delete(member);
  }

  start(): void {
    this.#timer ??= setInterval(() => this.tick(performance.now()), TICK_INTERVAL).unref();
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  /** One round; called by the timer, or by a test that has a clock of its own. */
  tick(now: number): void {
    this.now = now;
    for (const member of this.#members) member.tick(now);
  }
}
