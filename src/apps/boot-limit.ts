// How long loading an app may take.
import { LoadError } from './load-error.ts';

/**
 * What `work` resolves with.
 * @throws {LoadError} after `timeout` milliseconds; `what` names the work, such as "load app.js"
 */
export async function withBootLimit<T>(work: PromiseLike<T>, what: string, timeout: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new LoadError(`Cannot ${what}: it did not finish within ${timeout} ms (timeouts.boot)`)),
      timeout,
    );
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
