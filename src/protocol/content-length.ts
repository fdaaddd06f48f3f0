// CONTENT_LENGTH as the decoders read it: digits only. uWSGI takes "3x" for 3 and "-1" for 0, and so serves half a body.
import { ProtocolError } from './errors.ts';
import { findParam } from './params.ts';

const DIGITS = /^[0-9]+$/;

/** The length in bytes, 0 for an empty value, or what is wrong with it (ERR_CONTENT_LENGTH). Source: RFC 3875 4.1.2. */
export function parseContentLength(value: string): number | ProtocolError {
  if (value === '') return 0;
  const length = DIGITS.test(value) ? Number(value) : Number.NaN;
  if (length <= Number.MAX_SAFE_INTEGER) return length;
  return new ProtocolError(
    'ERR_CONTENT_LENGTH',
    `Cannot read CONTENT_LENGTH ${JSON.stringify(value.slice(0, 40))}: want only digits, at most ${Number.MAX_SAFE_INTEGER}`,
  );
}

/** parseContentLength() of the params' last CONTENT_LENGTH; 0 where there is none. */
export function contentLengthOf(params: readonly string[]): number | ProtocolError {
  return parseContentLength(params[findParam(params, 'CONTENT_LENGTH')] ?? '');
}
