// A response that is text or bytes and plain headers, kept as they are; the platform's Response is made on the first use of
// anything that needs it. What is not as plain as that is a platform's Response from the beginning.
import { INSPECT, inherit, NativeHeaders, NativeResponse } from './natives.ts';

export type HeaderPairs = readonly (readonly [name: string, value: string])[];

/** Text or bytes that nobody else can change; null: none. */
export type PlainBody = string | Uint8Array | null;

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
  #headers: Headers | null = null;
  #native: Response | null = null;
  readonly status: number;

  constructor(body: PlainBody, status: number, pairs: HeaderPairs) {
    this.#body = body;
    this.status = status;
    this.#pairs = pairs;
  }

  /** Whether it is one of ours. */
  static is(value: object): value is LightResponse {
    return #pairs in value;
  }

  /** The body while nobody has asked for it in another form; undefined: it is a stream now. */
  static bodyOf(self: LightResponse): PlainBody | undefined {
    return self.#native === null ? self.#body : undefined;
  }

  /** The headers as they stand. */
  static pairsOf(self: LightResponse): HeaderPairs {
    return self.#headers === null ? self.#pairs : [...self.#headers];
  }

  static native(self: LightResponse): Response {
    return (self.#native ??= self.#build());
  }

  get ok(): boolean {
    return this.status >= 200 && this.status < 300;
  }

  get headers(): Headers {
    return (this.#headers ??= new NativeHeaders(this.#pairs as [string, string][]));
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
    return this.#body === null ? null : LightResponse.native(this).body;
  }

  get bodyUsed(): boolean {
    return this.#native?.bodyUsed ?? false;
  }

  clone(): LightResponse | Response {
    if (this.#native === null) return new LightResponse(this.#body, this.status, LightResponse.pairsOf(this));
    const { body } = this.#native.clone();
    return new NativeResponse(body, { status: this.status, headers: this.headers });
  }

  [INSPECT](): Response {
    return LightResponse.native(this);
  }

  #build(): Response {
    const headers = LightResponse.pairsOf(this) as [string, string][];
    const native = new NativeResponse(this.#body, { status: this.status, headers });
    // A type that somebody has taken off must not come back with the body.
    if (!headers.some(([name]) => name === 'content-type')) native.headers.delete('content-type');
    return native;
  }
}
inherit(LightResponse.prototype, NativeResponse.prototype, (self) => LightResponse.native(self));

/** A light response for what `new Response(body, init)` was given, or null where only the platform knows what that means. */
export function lightResponse(body: unknown, init: unknown): LightResponse | null {
  const plain = plainBody(body);
  if (plain === undefined) return null;
  if (init === undefined) return new LightResponse(plain, 200, typeof plain === 'string' ? TEXT : NO_HEADERS);
  if (!isRecord(init)) return null;
  const { status = 200, statusText = '', headers } = init;
  if (statusText !== '' || typeof status !== 'number' || !Number.isInteger(status)) return null;
  if (status < 200 || status > 599 || (plain !== null && NULL_BODY_STATUS.has(status))) return null;
  const pairs = plainHeaders(headers, typeof plain === 'string' ? TEXT : NO_HEADERS);
  return pairs === null ? null : new LightResponse(plain, status, pairs);
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

/** @param implied what the body brings along where no Content-Type is among them */
function plainHeaders(headers: unknown, implied: HeaderPairs): HeaderPairs | null {
  if (headers === undefined) return implied;
  if (headers instanceof NativeHeaders) return withImplied([...headers], implied);
  if (!isRecord(headers)) return null;
  const pairs: [string, string][] = [];
  for (const name of Object.keys(headers)) {
    const lower = lowerName(name);
    const value = headers[name];
    if (lower === null || typeof value !== 'string' || !PLAIN_VALUE.test(value)) return null;
    if (pairs.some(([other]) => other === lower)) return null;
    pairs.push([lower, value]);
  }
  return withImplied(pairs, implied);
}

function withImplied(pairs: [string, string][], [implied]: HeaderPairs): HeaderPairs {
  if (implied === undefined || pairs.some(([name]) => name === implied[0])) return pairs;
  return [...pairs, implied];
}

/** An object literal; what has a prototype of its own may answer in ways of its own. */
function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return (
    (prototype === Object.prototype || prototype === null) && Object.getOwnPropertySymbols(value).length === 0
  );
}
