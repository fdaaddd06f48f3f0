// Keeps a fault that repeats from flooding the log: so many lines a key and interval, then a count of the rest. May not
// know the log.

export interface RateLimitOptions {
  /** Lines of one key let through in an interval. */
  readonly limit: number;
  /** Milliseconds. */
  readonly interval: number;
  /** Milliseconds of a clock that never steps back, such as performance.now(). */
  readonly now: () => number;
  /** Told once an interval is over in which lines of `key` were held back. */
  readonly onSuppressed: (key: string, count: number) => void;
  /** Keys remembered at a time; those beyond share one. Default 1000. */
  readonly maxKeys?: number;
}

interface Window {
  start: number;
  passed: number;
  suppressed: number;
}

/** What keys beyond maxKeys are counted under. */
export const OTHER_KEYS = '_OTHER';
const DEFAULT_MAX_KEYS = 1000;

export class RateLimitedLog {
  readonly #options: RateLimitOptions;
  readonly #windows = new Map<string, Window>();

  constructor(options: RateLimitOptions) {
    this.#options = options;
  }

  /** True where the caller may write a line about `key` now. */
  allow(key: string): boolean {
    const { limit, interval, now } = this.#options;
    const bounded = this.#bounded(key);
    let window = this.#windows.get(bounded);
    if (!window) this.#windows.set(bounded, (window = { start: now(), passed: 0, suppressed: 0 }));
    if (now() - window.start >= interval) {
      this.#report(bounded, window);
      window.start = now();
      window.passed = 0;
    }
    if (window.passed < limit) {
      window.passed++;
      return true;
    }
    window.suppressed++;
    return false;
  }

  /** Reports and forgets the keys whose interval is over. For a coarse timer: without it a burst that stopped is never summed up. */
  sweep(): void {
    const { interval, now } = this.#options;
    for (const [key, window] of this.#windows) {
      if (now() - window.start < interval) continue;
      this.#report(key, window);
      this.#windows.delete(key);
    }
  }

  #bounded(key: string): string {
    const maxKeys = this.#options.maxKeys ?? DEFAULT_MAX_KEYS;
    if (this.#windows.has(key) || this.#windows.size < maxKeys) return key;
    this.sweep();
    return this.#windows.size < maxKeys ? key : OTHER_KEYS;
  }

  #report(key: string, window: Window): void {
    if (window.suppressed > 0) this.#options.onSuppressed(key, window.suppressed);
    window.suppressed = 0;
  }
}
