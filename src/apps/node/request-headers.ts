// The request headers of an environ, name, value, name, value ..., as the parser of node:http would give them.
// Hot code: it runs for every request.
import type { Environ } from '../../gateway/contract.ts';
import { isPeekable } from '../../gateway/input.ts';

/** Names are remembered up to this many: clients send the same ones with every request. */
const MAX_KNOWN = 1024;
const known = new Map<string, string>();

export function rawHeaders(environ: Environ): string[] {
  const raw: string[] = [];
  for (const key in environ) {
    // Most that are none do not begin with an H, and startsWith() is a call.
    if (key.charCodeAt(0) !== 72 || !key.startsWith('HTTP_')) continue;
    const value = environ[key];
    if (typeof value === 'string') raw.push(known.get(key) ?? headerName(key), value);
  }
  const { CONTENT_TYPE: type, CONTENT_LENGTH: length } = environ;
  if (type !== undefined) raw.push('content-type', type);
  if (length !== undefined) raw.push('content-length', length);
  // A body of unknown length: apps look at this header to see whether there is one.
  else if (mayHaveBody(environ)) raw.push('transfer-encoding', 'chunked');
  return raw;
}

function mayHaveBody(environ: Environ): boolean {
  const input = environ['wsgi.input'];
  return !isPeekable(input) || !input.hadNothing;
}

function headerName(key: string): string {
  const name = key.slice(5).toLowerCase().replaceAll('_', '-');
  if (known.size < MAX_KNOWN) known.set(key, name);
  return name;
}
