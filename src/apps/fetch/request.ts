// A request as the app gets it: method, url, headers and signal come from the environ, and the platform's Request is made on
// the first use of anything else. To make that for each request would cost ten times what a hello does.
import type { Environ } from '../../gateway/contract.ts';
import { Input } from '../../gateway/input.ts';
import { INSPECT, inherit, NativeRequest } from './natives.ts';
import { bodyStream } from './request-body.ts';
import { RequestHeaders } from './request-headers.ts';

const decoder = new TextDecoder();

/** The platform's constructor refuses a body for these. */
const isBodyless = (method: string): boolean => method === 'GET' || method === 'HEAD';

function hasBody(environ: Environ): boolean {
  if (isBodyless(environ.REQUEST_METHOD)) return false;
  const { CONTENT_LENGTH: length, 'wsgi.input': input } = environ;
  return length === undefined ? !(input instanceof Input && input.hadNothing) : length !== '0';
}

export class LazyRequest {
  readonly #environ: Environ;
  readonly #url: string;
  #headers: RequestHeaders | null = null;
  #native: Request | null = null;
  /** The body was read without the platform's help. */
  #taken = false;

  constructor(environ: Environ, url: string) {
    this.#environ = environ;
    this.#url = url;
  }

  /** `value`, or the platform's request for one of ours: what its own functions can work with. */
  static toNative<T>(value: T): T | Request {
    const isOurs = typeof value === 'object' && value !== null && #environ in value;
    return isOurs ? LazyRequest.native(value) : value;
  }

  static native(self: LazyRequest): Request {
    return (self.#native ??= self.#build());
  }

  get method(): string {
    return this.#environ.REQUEST_METHOD;
  }

  get url(): string {
    return this.#url;
  }

  get headers(): Headers {
    this.#headers ??= new RequestHeaders(this.#environ);
    return this.#headers as unknown as Headers;
  }

  get signal(): AbortSignal {
    return this.#environ['viaduct.signal'];
  }

  get bodyUsed(): boolean {
    return this.#taken || (this.#native?.bodyUsed ?? false);
  }

  text(): Promise<string> {
    return this.#mayTake() ? this.#take().then(decode) : LazyRequest.native(this).text();
  }

  json(): Promise<unknown> {
    return this.#mayTake() ? this.#take().then(parse) : LazyRequest.native(this).json();
  }

  arrayBuffer(): Promise<ArrayBuffer> {
    return this.#mayTake() ? this.#take().then(ownBuffer) : LazyRequest.native(this).arrayBuffer();
  }

  [INSPECT](): Request {
    return LazyRequest.native(this);
  }

  #mayTake(): boolean {
    return this.#native === null && !this.#taken && hasBody(this.#environ);
  }

  #take(): Promise<Uint8Array> {
    this.#taken = true;
    return this.#environ['wsgi.input'].read();
  }

  #build(): Request {
    const environ = this.#environ;
    const headers = (this.#headers ??= new RequestHeaders(environ));
    const method = environ.REQUEST_METHOD;
    const init: RequestInit = { method, headers: RequestHeaders.native(headers), signal: this.signal };
    if (this.#taken || hasBody(environ)) {
      init.body = this.#taken ? new ReadableStream() : bodyStream(environ['wsgi.input']);
      init.duplex = 'half';
    }
    const native = new NativeRequest(this.#url, init);
    RequestHeaders.bind(headers, native.headers);
    // It was read, and has to show that.
    if (this.#taken) void native.body?.cancel();
    return native;
  }
}
inherit(LazyRequest.prototype, NativeRequest.prototype, (self) => LazyRequest.native(self));

const decode = (bytes: Uint8Array): string => decoder.decode(bytes);
const parse = (bytes: Uint8Array): unknown => JSON.parse(decoder.decode(bytes));

/** The bytes in a buffer of their own. */
function ownBuffer(bytes: Uint8Array): ArrayBuffer {
  const { buffer, byteLength } = bytes;
  const isWhole = buffer instanceof ArrayBuffer && buffer.byteLength === byteLength;
  return isWhole ? buffer : new Uint8Array(bytes).buffer;
}
