// How long to wait before the next try of something that keeps failing. Knows no clock and no timer.

/** Milliseconds before the second try, and the longest pause there is. */
export const FIRST_PAUSE = 200;
export const LONGEST_PAUSE = 30_000;

/** 0.2 s, then twice as long each time, up to 30 s. */
export class Backoff {
  #next = FIRST_PAUSE;

  /** Milliseconds to wait now; the next wait is longer. */
  pause(): number {
    const pause = this.#next;
    this.#next = Math.min(pause * 2, LONGEST_PAUSE);
    return pause;
  }

  /** It worked: the next failure starts from the shortest pause again. */
  reset(): void {
    this.#next = FIRST_PAUSE;
  }
}
