// Waiting for a condition instead of for time: every wait of the tests goes through here.
// Knows nothing of nginx, HTTP or viaduct.
import { setTimeout as sleep } from 'node:timers/promises';

export interface WaitOptions {
  /** What is waited for, as the end of "Cannot wait for ...". */
  what: string;
  /** Milliseconds until it fails; 5000 unless told. */
  timeout?: number;
  /** Milliseconds between two looks; 5 unless told. */
  interval?: number;
}

/**
 * Polls `condition` until it gives something other than false, null or undefined, and returns that.
 * A condition that throws counts as "not yet"; what it threw last becomes the cause of the failure.
 * @throws {Error} once `timeout` has passed
 */
export async function waitFor<T>(
  condition: () => T | false | null | undefined | Promise<T | false | null | undefined>,
  { what, timeout = 5000, interval = 5 }: WaitOptions,
): Promise<T> {
  const deadline = performance.now() + timeout;
  for (;;) {
    let cause: unknown;
    try {
      const value = await condition();
      if (value !== false && value !== null && value !== undefined) return value;
    } catch (error) {
      cause = error;
    }
    if (performance.now() >= deadline) {
      throw new Error(`Cannot wait for ${what} any longer: it did not come within ${timeout} ms`, { cause });
    }
    await sleep(interval);
  }
}
