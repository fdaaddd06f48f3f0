// Checks of what start_response() is given (PEP 3333, "The start_response() Callable" and "Other HTTP Features").
import { describe, GatewayError } from './errors.ts';
import type { HeaderList } from './contract.ts';

// One space, no other around the reason, and no control character, a tab neither: PEP 3333 is stricter than RFC 9110 here.
const STATUS = /^[1-9][0-9]{2} [\x21-\x7e\x80-\xff](?:[\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?$/;
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
// Everything latin-1 but control characters; those are how a response is split.
// oxlint-disable-next-line no-control-regex
const UNSAFE_VALUE = /[\x00-\x1f\x7f]|[^\x00-\xff]/;

/** RFC 2616, section 13.5.1, in both spellings of Trailer; an application must not touch the connection. */
export const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'trailers',
  'transfer-encoding',
  'upgrade',
]);

/**
 * What was found good before: applications send the same few status lines and header names with every response. 10 ns
 * instead of 57 for a status line, 32 instead of 122 for a header (bench/micro/known.ts). Full is full: it never grows
 * beyond that, whatever they send.
 */
const MAX_KNOWN = 256;
const knownStatus = new Map<string, number>();
const knownNames = new Set<string>();

/**
 * Checks a status line such as "200 OK" and gives its code.
 * @throws {GatewayError} ERR_GATEWAY_STATUS
 */
export function checkStatus(status: unknown): number {
  const known = knownStatus.get(status as string);
  if (known !== undefined) return known;
  if (typeof status !== 'string' || !STATUS.test(status)) {
    throw new GatewayError(
      'ERR_GATEWAY_STATUS',
      `Cannot start response: status is ${describe(status)}, wanted "NNN Reason" in latin-1 without control characters`,
    );
  }
  const code = Number(status.slice(0, 3));
  if (code < 200 || code > 599) {
    throw new GatewayError(
      'ERR_GATEWAY_STATUS',
      `Cannot start response: status is ${code}, wanted 200 to 599 for a final response`,
    );
  }
  if (knownStatus.size < MAX_KNOWN) knownStatus.set(status, code);
  return code;
}

/**
 * Checks the header list and gives the declared Content-Length in bytes, or -1.
 * @throws {GatewayError} ERR_GATEWAY_HEADERS, ERR_GATEWAY_HOP_BY_HOP, ERR_GATEWAY_HEADERS_SIZE
 */
export function checkHeaders(headers: unknown, maxSize: number): number {
  if (!Array.isArray(headers))
    throw bad(`headers are ${describe(headers)}, wanted an Array of [name, value]`);
  let length = -1;
  let size = 0;
  for (const item of headers as unknown[]) {
    if (!Array.isArray(item) || item.length !== 2)
      throw bad(`a header is ${describe(item)}, wanted [name, value]`);
    const [name, value] = item as [unknown, unknown];
    checkField(name, value);
    size += (name as string).length + (value as string).length + 4;
    if ((name as string).length === 14 && (name as string).toLowerCase() === 'content-length') {
      if (length !== -1) throw bad('Content-Length stands twice');
      length = parseContentLength(value as string);
    }
  }
  if (size > maxSize) {
    throw new GatewayError(
      'ERR_GATEWAY_HEADERS_SIZE',
      `Cannot start response: headers are ${size} bytes, limits.response_headers_size is ${maxSize}`,
    );
  }
  return length;
}

function checkField(name: unknown, value: unknown): void {
  if (!knownNames.has(name as string)) checkName(name);
  if (typeof value !== 'string')
    throw bad(`the value of ${String(name)} is ${describe(value)}, wanted a string`);
  if (UNSAFE_VALUE.test(value)) {
    throw bad(
      `the value of ${String(name)} is ${describe(value)}, wanted latin-1 text without control characters`,
    );
  }
}

function checkName(name: unknown): void {
  if (typeof name !== 'string' || !TOKEN.test(name))
    throw bad(`a header name is ${describe(name)}, wanted a token of RFC 9110`);
  const lower = name.toLowerCase();
  if (HOP_BY_HOP.has(lower)) {
    throw new GatewayError(
      'ERR_GATEWAY_HOP_BY_HOP',
      `Cannot start response: ${name} is hop-by-hop and belongs to the server`,
    );
  }
  if (lower === 'status') throw bad('a header is named Status, which the gateway sets from the status line');
  if (knownNames.size < MAX_KNOWN) knownNames.add(name);
}

function parseContentLength(value: string): number {
  if (!/^[0-9]{1,15}$/.test(value)) throw bad(`Content-Length is ${describe(value)}, wanted digits`);
  return Number(value);
}

const bad = (what: string): GatewayError =>
  new GatewayError('ERR_GATEWAY_HEADERS', `Cannot start response: ${what}`);

/** True when the list has a header of that lower-case name. */
export function hasHeader(headers: HeaderList, lowerName: string): boolean {
  for (const [name] of headers) {
    if (name.length === lowerName.length && name.toLowerCase() === lowerName) return true;
  }
  return false;
}
