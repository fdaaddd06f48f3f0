// The ServerResponse of a request: node:http's own, with the four methods replaced through which its bytes would leave.
// They are properties of each response, since Express replaces prototypes (docs/decisions/0015). Hot code.
// oxlint-disable no-underscore-dangle -- the names are node:http's, see internals.ts
import { type IncomingMessage, ServerResponse } from 'node:http';
import type { HeaderList } from '../../gateway/contract.ts';
import { NO_CALLBACK, type ResponseInternals } from './internals.ts';
import { collectHeaders, statusOf } from './response-headers.ts';

/** Where a response goes. */
export interface ResponseSink {
  /** Status and headers are fixed. */
  head(status: string, headers: HeaderList, hasLength: boolean): void;
  /** Bytes of the body, or none: then what is there has to go out. False: above the high-water mark. */
  body(chunk: Uint8Array | null, done: (() => void) | null): boolean;
  /** res.end() was called; what it had to say went through body(). */
  ended(): void;
}

const SINK = Symbol('sink');

type Hooked = ServerResponse & ResponseInternals & { [SINK]: ResponseSink };

const finish = (ServerResponse.prototype as unknown as ResponseInternals)._finish;

export function makeResponse(
  req: IncomingMessage,
  newResponse: (req: IncomingMessage) => ServerResponse,
  sink: ResponseSink,
): ServerResponse {
  const res = newResponse(req) as Hooked;
  res[SINK] = sink;
  res._storeHeader = storeHeader;
  res._send = send;
  res._writeRaw = writeRaw;
  res._finish = finished;
  // Every one is framed by nginx, whatever version the client speaks.
  res.useChunkedEncodingByDefault = true;
  return res;
}

/** writeHead() has set the status by then; `firstLine` is it in HTTP/1.1. */
function storeHeader(this: Hooked, firstLine: string, headers: unknown): void {
  const { list, hasLength } = collectHeaders(this, headers);
  this[SINK].head(statusOf(this.statusCode, this.statusMessage), list, hasLength);
  this.chunkedEncoding = false;
  this._header = firstLine;
}

function send(this: Hooked, data: string | Uint8Array, encoding?: unknown, callback?: unknown): boolean {
  const given = typeof encoding === 'function' ? encoding : callback;
  const done = typeof given === 'function' && given !== NO_CALLBACK ? (given as () => void) : null;
  if (data.length === 0) return this[SINK].body(null, done);
  const chunk =
    typeof data === 'string'
      ? Buffer.from(data, typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8')
      : data;
  return this[SINK].body(chunk, done);
}

/** Only interim responses (1xx) come this way, and CGI has no place for them. */
function writeRaw(this: Hooked, _data: string, encoding?: unknown, callback?: unknown): boolean {
  const done = typeof encoding === 'function' ? encoding : callback;
  if (typeof done === 'function') process.nextTick(done);
  return true;
}

function finished(this: Hooked): void {
  finish.call(this as never);
  this[SINK].ended();
}
