// The headers of a request: looked up in the environ, and made a platform's Headers on the first use of anything but get and has.
import type { Environ } from '../../gateway/contract.ts';
import { INSPECT, inherit, NativeHeaders } from './natives.ts';

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
// oxlint-disable-next-line no-control-regex
const FORBIDDEN = /[\0\r\n]/;

/** Both ways of spelling a name; clients may send any, so the tables do not grow beyond this. */
const MAX_KNOWN = 1024;
const keys = new Map<string, string | null>();
const names = new Map<string, string | null>();

/** The environ's key for a header's name in any case; null: no header can have that name. */
function keyOf(name: string): string | null {
  const known = keys.get(name);
  if (known !== undefined) return known;
  let key: string | null = null;
  if (TOKEN.test(name)) {
    const upper = name.toUpperCase().replaceAll('-', '_');
    key = upper === 'CONTENT_TYPE' || upper === 'CONTENT_LENGTH' ? upper : `HTTP_${upper}`;
  }
  if (keys.size < MAX_KNOWN) keys.set(name, key);
  return key;
}

/** A header's name for a key of the environ; null: it is none. */
function nameOf(key: string): string | null {
  const known = names.get(key);
  if (known !== undefined) return known;
  let name: string | null = null;
  if (key === 'CONTENT_TYPE' || key === 'CONTENT_LENGTH') name = key;
  else if (key.startsWith('HTTP_') && TOKEN.test(key.slice(5))) name = key.slice(5);
  name = name === null ? null : name.toLowerCase().replaceAll('_', '-');
  if (names.size < MAX_KNOWN) names.set(key, name);
  return name;
}

/** The value of a header, as Headers has it: no white space around; null where it cannot be one. */
function valueOf(value: unknown): string | null {
  if (typeof value !== 'string' || FORBIDDEN.test(value)) return null;
  return value.replace(/^[\t ]+|[\t ]+$/g, '');
}

function toHeaders(environ: Environ): Headers {
  const headers = new NativeHeaders();
  for (const key in environ) {
    const name = nameOf(key);
    const value = name === null ? null : valueOf(environ[key]);
    if (name !== null && value !== null) headers.append(name, value);
  }
  return headers;
}

export class RequestHeaders {
  readonly #environ: Environ;
  #native: Headers | null = null;

  constructor(environ: Environ) {
    this.#environ = environ;
  }

  /** The platform's, made now where it was not. */
  static native(self: RequestHeaders): Headers {
    return (self.#native ??= toHeaders(self.#environ));
  }

  /** From now on what is read and changed here is read and changed there. */
  static bind(self: RequestHeaders, native: Headers): void {
    self.#native = native;
  }

  get(name: string): string | null {
    const key = this.#native === null && typeof name === 'string' ? keyOf(name) : null;
    return key === null ? RequestHeaders.native(this).get(name) : valueOf(this.#environ[key]);
  }

  has(name: string): boolean {
    const key = this.#native === null && typeof name === 'string' ? keyOf(name) : null;
    return key === null ? RequestHeaders.native(this).has(name) : valueOf(this.#environ[key]) !== null;
  }

  forEach(callback: (value: string, name: string, headers: Headers) => void, thisArg?: unknown): void {
    const self = this as unknown as Headers;
    RequestHeaders.native(this).forEach((value, name) =>
      Reflect.apply(callback, thisArg, [value, name, self]),
    );
  }

  // Its own: the platform takes what has its Headers' iterator for one of its own making.
  [Symbol.iterator](): ReturnType<Headers['entries']> {
    return RequestHeaders.native(this).entries();
  }

  [INSPECT](): Headers {
    return RequestHeaders.native(this);
  }
}
inherit(RequestHeaders.prototype, NativeHeaders.prototype, (self) => RequestHeaders.native(self));
