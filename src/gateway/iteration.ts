// Pulling a body chunk by chunk, and putting it away: what an application returned, seen through one interface.
import { withResolvers } from './with-resolvers.ts';
import type { Body } from './contract.ts';
import { describe, GatewayError } from './errors.ts';

/** How long a body may take to notice that nobody wants it any more, in milliseconds. */
export const RETURN_LIMIT = 5000;

/** A value that waits, by the only test that counts (ECMA-262, NewPromiseResolveThenableJob). */
export const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  value !== null &&
  (typeof value === 'object' || typeof value === 'function') &&
  typeof (value as { then?: unknown }).then === 'function';

/**
 * Checks what an application returned. A string or a Uint8Array would iterate too, as characters and numbers.
 * @throws {GatewayError} ERR_GATEWAY_RESULT
 */
export function checkResult(result: unknown): Body {
  if (result !== null && typeof result === 'object' && !(result instanceof Uint8Array)) {
    if (Symbol.asyncIterator in result || Symbol.iterator in result) return result as Body;
  }
  throw new GatewayError(
    'ERR_GATEWAY_RESULT',
    `Cannot send body: the application returned ${describe(result)}, wanted an iterable of Uint8Array such as [bytes]`,
  );
}

/** @throws {GatewayError} ERR_GATEWAY_CHUNK */
export function checkChunk(chunk: unknown): asserts chunk is Uint8Array {
  if (!(chunk instanceof Uint8Array)) {
    throw new GatewayError(
      'ERR_GATEWAY_CHUNK',
      `Cannot send body: a chunk is ${describe(chunk)}, wanted a Uint8Array`,
    );
  }
}

/**
 * Calls the body's close(), after iterator.return() where its iteration is not over. Errors go to `failed`.
 * An async generator answers return() only after the step it is in, so that is waited for, but not for ever; nor is close().
 */
export function closeBody(
  body: Body,
  early: AnyIterator | null,
  failed: (error: unknown) => void,
): void | Promise<void> {
  const returned = early === null ? undefined : attempt(() => early.return?.(), failed);
  if (isThenable(returned)) return withLimit(returned, failed).then(() => close(body, failed));
  return close(body, failed);
}

export type AnyIterator = Iterator<unknown> | AsyncIterator<unknown>;

function close(body: Body, failed: (error: unknown) => void): void | Promise<void> {
  const closed = attempt(() => body.close?.(), failed);
  return isThenable(closed) ? withLimit(closed, failed) : undefined;
}

async function withLimit(returned: PromiseLike<unknown>, failed: (error: unknown) => void): Promise<void> {
  const { promise: late, resolve } = withResolvers();
  const timer = setTimeout(() => {
    failed(
      new GatewayError(
        'ERR_GATEWAY_TIMEOUT',
        `The body did not stop within ${RETURN_LIMIT} ms; watch environ['viaduct.signal']`,
      ),
    );
    resolve();
  }, RETURN_LIMIT).unref();
  try {
    await Promise.race([returned, late]);
  } catch (error) {
    failed(error);
  } finally {
    clearTimeout(timer);
  }
}

function attempt<T>(action: () => T, failed: (error: unknown) => void): T | undefined {
  try {
    return action();
  } catch (error) {
    failed(error);
    return undefined;
  }
}
