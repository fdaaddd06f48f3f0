// What the application owes the server when it calls startResponse: rules 19 to 33, 46, 48, 51, 52 and 55.
// Looks at one call's arguments; what came before it is for call.ts to know.
import { types } from 'node:util';
import type { HeaderList } from '../contract.ts';
import { HOP_BY_HOP } from '../headers.ts';
import { fail, quoted, shown } from './report.ts';
import type { Warn } from './report.ts';
import { findControl, isLatin1 } from './text.ts';

/** True for the statuses whose response ends with its headers (RFC 9110 section 6.4.1). */
export function isBodyless(code: number): boolean {
  return code < 200 || code === 204 || code === 304;
}

/** Rules 19 and 33: how many arguments, and what the third one is. */
export function checkStartArguments(
  args: readonly unknown[],
): asserts args is [unknown, unknown, (Error | null)?] {
  if (args.length !== 2 && args.length !== 3) {
    fail(19, `startResponse must be called with 2 or 3 arguments, found ${args.length}`);
  }
  const excInfo = args[2];
  // an Error of another realm (node:vm) is not an instance of ours
  if (
    excInfo !== null &&
    excInfo !== undefined &&
    !(excInfo instanceof Error) &&
    !types.isNativeError(excInfo)
  ) {
    fail(33, `excInfo must be an Error, null or undefined, found ${shown(excInfo)}`);
  }
}

/** Rules 20, 21 and 51. Returns nothing: the number is in the first three characters. */
export function checkStatus(status: unknown, warn: Warn): asserts status is string {
  if (typeof status !== 'string') {
    fail(20, `status must be a string, found ${shown(status)}`);
  }
  const control = findControl(status);
  if (control !== -1) {
    fail(20, `status must have no control character, found one at position ${control} of ${quoted(status)}`);
  }
  if (!isLatin1(status)) {
    fail(51, `status must be latin-1 text, found a character above U+00FF in ${quoted(status)}`);
  }
  if (!/^[1-9]\d\d$/.test(status.split(' ', 1)[0] ?? '')) {
    fail(20, `status must begin with a number from 100 to 999, found ${quoted(status)}`);
  }
  if (!/^... [^ ]/.test(status)) {
    warn(21, `status must have one space and a reason after its number, found ${quoted(status)}`);
  }
}

/** Rules 22 to 30, 51, 52 and 55. */
export function checkHeaders(headers: unknown, warn: Warn): asserts headers is HeaderList {
  if (!Array.isArray(headers)) {
    fail(22, `headers must be an Array, found ${shown(headers)}`);
  }
  for (const header of headers as unknown[]) {
    if (!Array.isArray(header)) {
      fail(23, `each header must be an Array of name and value, found ${shown(header)}`);
    }
    if (header.length !== 2) {
      fail(24, `each header must have 2 items, found ${header.length}`);
    }
    const [name, value] = header as unknown[];
    if (typeof name !== 'string') {
      fail(25, `a header name must be a string, found ${shown(name)}`);
    }
    if (typeof value !== 'string') {
      fail(25, `the value of header ${quoted(name)} must be a string, found ${shown(value)}`);
    }
    checkHeaderName(name);
    checkHeaderValue(name, value, warn);
  }
}

function checkHeaderName(name: string): void {
  if (!isLatin1(name)) {
    fail(51, `header name ${quoted(name)} must be latin-1 text, found a character above U+00FF`);
  }
  if (name.toLowerCase() === 'status') {
    fail(26, `no header may be called ${quoted(name)}, the status is the first argument of startResponse`);
  }
  if (/[\n:]/.test(name)) {
    fail(27, `a header name must have no line feed and no ":", found ${quoted(name)}`);
  }
  if (!/^[a-zA-Z][a-zA-Z0-9\-_]*$/.test(name)) {
    fail(28, `a header name must be a letter, then letters, digits, "-" and "_", found ${quoted(name)}`);
  }
  if (/[-_]$/.test(name)) {
    fail(29, `a header name must not end in "-" or "_", found ${quoted(name)}`);
  }
  if (HOP_BY_HOP.has(name.toLowerCase())) {
    fail(52, `header ${quoted(name)} is hop-by-hop, only the server may set it`);
  }
}

/** Values may be secret, so the messages name the header and the place and leave the rest out. */
function checkHeaderValue(name: string, value: string, warn: Warn): void {
  const control = findControl(value);
  if (control !== -1) {
    const code = value.charCodeAt(control).toString(16).toUpperCase().padStart(4, '0');
    fail(
      30,
      `the value of header ${quoted(name)} has the control character U+${code} at position ${control}`,
    );
  }
  if (!isLatin1(value)) {
    fail(51, `the value of header ${quoted(name)} must be latin-1 text, found a character above U+00FF`);
  }
  const lower = name.toLowerCase();
  // RFC 9110 section 8.8.3, entity-tag
  if (lower === 'etag' && !/^(?:W\/)?"[^"]*"$/.test(value)) {
    warn(55, `ETag must be in double quotes, found ${quoted(value)}`);
  }
  if (lower === 'location' && !/^(?:[a-z][a-z0-9+.-]*:|\/\/)/i.test(value)) {
    warn(55, 'Location should be an absolute URL, found a relative one');
  }
}

/** Rules 31, 32, 46 and 48: what the headers must and must not hold for this status. Gives the Content-Length, or -1. */
export function checkEntity(code: number, headers: HeaderList): number {
  const hasType = headers.some(([name]) => name.toLowerCase() === 'content-type');
  if (!hasType && !isBodyless(code)) {
    fail(31, `a response with status ${code} must have a Content-Type header, it is missing`);
  }
  if (hasType && (code === 204 || code === 304)) {
    fail(32, `a response with status ${code} must not have a Content-Type header`);
  }
  const lengths = headers
    .filter(([name]) => name.toLowerCase() === 'content-length')
    .map(([, value]) => value);
  const [first] = lengths;
  if (first === undefined) {
    return -1;
  }
  if (code < 200 || code === 204) {
    fail(48, `a response with status ${code} must not have a Content-Length header`);
  }
  if (lengths.length > 1 || !/^\d+$/.test(first)) {
    fail(46, `Content-Length must be one whole number, found ${lengths.map(quoted).join(' and ')}`);
  }
  return Number(first);
}
