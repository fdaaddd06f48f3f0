// A name for each request: the one a proxy in front gave it, or a new one.
import { randomBytes } from 'node:crypto';

const GIVEN = /^[\x21-\x7e]{1,128}$/;
const PREFIX = `${randomBytes(6).toString('hex')}-`;
let count = 0;

/** Whether a proxy, or its client, may name a request so. */
export const isRequestId = (given: unknown): given is string =>
  typeof given === 'string' && GIVEN.test(given);

/** `given` (X-Request-ID, say) where it is printable ASCII of a sane length; otherwise unique over processes and restarts. */
export function requestId(given: unknown): string {
  if (isRequestId(given)) return given;
  count += 1;
  return PREFIX + count.toString(36);
}
