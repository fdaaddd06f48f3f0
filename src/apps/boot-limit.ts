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

/**
 * What `work` resolves with: the app that `place` names, ready to be asked.
 * @throws {LoadError} for whatever `work` throws, and after `timeout` milliseconds
 */
export async function boot<T>(work: PromiseLike<T>, place: string, timeout: number): Promise<T> {
  try {
    return await withBootLimit(work, `boot ${place}`, timeout);
  } catch (error) {
    if (error instanceof LoadError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new LoadError(`Cannot boot ${place}: ${why}`, { cause: error });
  }
}
