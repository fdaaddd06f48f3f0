// A response that is text or bytes and plain headers, kept as they are; the platform's Response is made on the first use of
// anything that needs it. What is not as plain as that is a platform's Response from the beginning.
import { INSPECT, inherit, NativeHeaders, NativeResponse } from './natives.ts';
import { isUsed, type PlainBody, plainOf, plainStream } from './plain-stream.ts';

export type HeaderPairs = readonly (readonly [name: string, value: string])[];

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** Values that the platform takes as they are: no white space around, no control characters. */
const PLAIN_VALUE = /^[\x21-\x7e\x80-\xff](?:[\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?$/;
const NULL_BODY_STATUS = new Set([101, 103, 204, 205, 304]);

const NO_HEADERS: HeaderPairs = [];
const TEXT: HeaderPairs = [['content-type', 'text/plain;charset=UTF-8']];
const JSON_TYPE: HeaderPairs = [['content-type', 'application/json']];

/** Header names in lower case, of those that came before; null: not plain. Full is full. */
const MAX_KNOWN = 256;
const known = new Map<string, string | null>();

function lowerName(name: string): string | null {
  const found = known.get(name);
  if (found !== undefined) return found;
  const lower = TOKEN.test(name) ? name.toLowerCase() : null;
  if (known.size < MAX_KNOWN) known.set(name, lower);
  return lower;
}

export class LightResponse {
  readonly #body: PlainBody;
  readonly #pairs: HeaderPairs;
  /** The body as a stream, where somebody has asked for that. */
  #stream: ReadableStream | null;
  #headers: Headers | null = null;
  #native: Response | null = null;
  readonly status: number;

  constructor(body: PlainBody, status: number, pairs: HeaderPairs, stream: ReadableStream | null = null) {
    this.#body = body;
    this.#stream = stream;
    this.status = status;
    this.#pairs = pairs;
  }

  /** Whether it is one of ours. */
  static is(value: object): value is LightResponse {
    return #pairs in value;
  }

  /** The body while nobody has begun to read it; undefined: the platform has it. */
  static bodyOf(self: LightResponse): PlainBody | undefined {
    if (self.#native !== null) return undefined;
    return self.#stream === null ? self.#body : plainOf(self.#stream);
  }

  /** The headers as they stand. */
  static pairsOf(self: LightResponse): HeaderPairs {
    return self.#headers === null ? self.#pairs : pairsOf(self.#headers);
  }

  static native(self: LightResponse): Response {
    return (self.#native ??= self.#build());
  }

  get ok(): boolean {
    return this.status >= 200 && this.status < 300;
  }

  get headers(): Headers {
    return (this.#headers ??= headersOf(this.#pairs));
  }

  get statusText(): string {
    return '';
  }

  get type(): string {
    return 'default';
  }

  get url(): string {
    return '';
  }

  get redirected(): boolean {
    return false;
  }

  get body(): ReadableStream | null {
    if (this.#native !== null) return this.#native.body;
    return this.#body === null ? null : (this.#stream ??= plainStream(this.#body));
  }

  get bodyUsed(): boolean {
    return this.#native?.bodyUsed ?? (this.#stream !== null && isUsed(this.#stream));
  }

  clone(): LightResponse | Response {
    if (this.#native === null && this.#stream === null)
      return new LightResponse(this.#body, this.status, LightResponse.pairsOf(this));
    const { body } = LightResponse.native(this).clone();
    return new NativeResponse(body, { status: this.status, headers: this.headers });
  }

  [INSPECT](_depth: number, options: object, inspect: (value: object, options: object) => string): string {
    const { status, statusText, headers, body, bodyUsed, ok, redirected, type, url } = this;
    const view = { status, statusText, headers, body, bodyUsed, ok, redirected, type, url };
    return `Response ${inspect(view, options)}`;
  }

  #build(): Response {
    const headers = LightResponse.pairsOf(this) as [string, string][];
    const native = new NativeResponse(this.#stream ?? this.#body, { status: this.status, headers });
    // A type that somebody has taken off must not come back with the body.
    if (!headers.some(([name]) => name === 'content-type')) native.headers.delete('content-type');
    this.#headers ??= native.headers;
    return native;
  }
}
inherit(LightResponse.prototype, NativeResponse.prototype, (self) => LightResponse.native(self));

/** A light response for what `new Response(body, init)` was given, or null where only the platform knows what that means. */
export function lightResponse(body: unknown, init: unknown): LightResponse | null {
  const stream = body instanceof ReadableStream ? body : null;
  const plain = stream === null ? plainBody(body) : plainOf(stream);
  if (plain === undefined) return null;
  const implied = typeof plain === 'string' && stream === null ? TEXT : NO_HEADERS;
  if (init === undefined) return new LightResponse(plain, 200, implied, stream);
  if (!isRecord(init)) return null;
  const { status = 200, statusText = '', headers } = init;
  if (statusText !== '' || typeof status !== 'number' || !Number.isInteger(status)) return null;
  if (status < 200 || status > 599 || (plain !== null && NULL_BODY_STATUS.has(status))) return null;
  const pairs = isLight(init) ? LightResponse.pairsOf(init) : plainHeaders(headers);
  return pairs === null ? null : new LightResponse(plain, status, withImplied(pairs, implied), stream);
}

/** The same for `Response.json(data)`. */
export function lightJson(data: unknown): LightResponse | null {
  const text = JSON.stringify(data) as string | undefined;
  return text === undefined ? null : new LightResponse(text, 200, JSON_TYPE);
}

function plainBody(body: unknown): PlainBody | undefined {
  if (typeof body === 'string') return body;
  if (body === null || body === undefined) return null;
  // Copied, as the platform does: its owner may go on to use it.
  if (body instanceof Uint8Array && body.buffer instanceof ArrayBuffer) return new Uint8Array(body);
  return undefined;
}

function plainHeaders(headers: unknown): HeaderPairs | null {
  if (headers === undefined) return NO_HEADERS;
  if (headers instanceof NativeHeaders) return pairsOf(headers);
  if (!isRecord(headers)) return null;
  const pairs: [string, string][] = [];
  for (const name of Object.keys(headers)) {
    const lower = lowerName(name);
    const value = headers[name];
    if (lower === null || typeof value !== 'string' || !PLAIN_VALUE.test(value)) return null;
    if (pairs.some(([other]) => other === lower)) return null;
    pairs.push([lower, value]);
  }
  return pairs;
}

/** What a body brings along where no header of that name is among them. */
function withImplied(pairs: HeaderPairs, [implied]: HeaderPairs): HeaderPairs {
  if (implied === undefined || pairs.some(([name]) => name === implied[0])) return pairs;
  return [...pairs, implied];
}

/** forEach() and append() cost half of what the iterator and the constructor do. */
function pairsOf(headers: Headers): HeaderPairs {
  const pairs: [string, string][] = [];
  headers.forEach((value, name) => pairs.push([name, value]));
  return pairs;
}

function headersOf(pairs: HeaderPairs): Headers {
  const headers = new NativeHeaders();
  for (const [name, value] of pairs) headers.append(name, value);
  return headers;
}

const isLight = (value: object): value is LightResponse => LightResponse.is(value);

/** An object literal, or a light response; what else has a prototype of its own may answer in ways of its own. */
function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null)
    return Object.getOwnPropertySymbols(value).length === 0;
  return isLight(value);
}
