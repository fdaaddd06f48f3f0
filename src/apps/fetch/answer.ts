// From a Response to a status line, headers and a body that the gateway pulls. Hot code for light responses: no promise.
import { Buffer } from 'node:buffer';
import { STATUS_CODES } from 'node:http';
import type { Body, Environ, HeaderList, StartResponse } from '../../gateway/contract.ts';
import { describe } from '../../gateway/errors.ts';
import { HOP_BY_HOP } from '../../gateway/headers.ts';
import type { PlainBody } from './plain-stream.ts';
import { type HeaderPairs, LightResponse } from './response.ts';
import { firstChunks } from './response-body.ts';
import { NativeResponse } from './natives.ts';

const EMPTY = new Uint8Array(0);

/**
 * @param result what the app gave
 * @throws {TypeError} where that is not a response that can be sent
 */
export function answer(
  result: unknown,
  environ: Environ,
  startResponse: StartResponse,
): Body | Promise<Body> {
  if (typeof result === 'object' && result !== null && LightResponse.is(result)) {
    const body = LightResponse.bodyOf(result);
    const pairs = LightResponse.pairsOf(result);
    if (body !== undefined) return sendPlain(body, result.status, pairs, startResponse);
    return sendStream(LightResponse.native(result), pairs, environ, startResponse);
  }
  if (!isResponse(result)) throw new TypeError(notResponse(result));
  const { status } = result;
  if (status < 200) {
    const what = status === 0 ? 'an error (Response.error())' : `one of status ${status}`;
    throw new TypeError(`Cannot send response: it is ${what}, wanted a status of 200 to 599`);
  }
  const wasDecoded = result.url !== '' && result.body !== null && isDecoded(result.headers);
  return sendStream(
    result,
    wasDecoded ? withoutCoding(result.headers) : result.headers,
    environ,
    startResponse,
  );
}

/** Responses of other makers, the package undici's say, have the same shape. */
const isResponse = (value: unknown): value is Response =>
  value instanceof NativeResponse || Object.prototype.toString.call(value) === '[object Response]';

function notResponse(result: unknown): string {
  const hint =
    result === undefined
      ? '; does a handler forget to return it?'
      : typeof result === 'object' && result !== null && 'fetch' in result
        ? '; it is an app: export that, or a promise of it, not a function that makes it'
        : '';
  return `Cannot send response: the app returned ${describe(result)}, wanted a Response${hint}`;
}

function sendPlain(body: PlainBody, status: number, pairs: HeaderPairs, startResponse: StartResponse): Body {
  startResponse(statusLine(status, ''), headerList(pairs));
  if (body === null) return [];
  return [typeof body === 'string' ? Buffer.from(body) : body];
}

async function sendStream(
  response: Response,
  headers: Iterable<readonly [string, string]>,
  environ: Environ,
  startResponse: StartResponse,
): Promise<Body> {
  const { body, status, statusText } = response;
  if (body !== null && (response.bodyUsed || body.locked)) {
    throw new TypeError('Cannot send response: its body was read before, or somebody has a reader for it');
  }
  const list = headerList(headers);
  const line = statusLine(status, statusText);
  if (body === null) {
    startResponse(line, list);
    return [];
  }
  const isHead = environ.REQUEST_METHOD === 'HEAD';
  // The body is read for its length alone.
  if (isHead && list.some(([name]) => name === 'content-length'))
    return headOnly(body.cancel(), line, list, startResponse);
  const { chunks, rest } = await firstChunks(body);
  if (rest === null) {
    startResponse(line, list);
    return [Buffer.concat(chunks)];
  }
  if (isHead) return headOnly(rest.close(), line, list, startResponse);
  try {
    const write = startResponse(line, list);
    // An event stream is open once its headers are there, however long the first event takes.
    if (chunks.length === 0) await write(EMPTY);
  } catch (error) {
    void rest.close();
    throw error;
  }
  return rest;
}

function headOnly(
  cancelled: Promise<void>,
  line: string,
  list: HeaderList,
  startResponse: StartResponse,
): Body {
  cancelled.catch(() => undefined);
  startResponse(line, list);
  return [];
}

const lines = new Map<number, string>();

function statusLine(status: number, text: string): string {
  const reason = text === '' ? '' : text.replaceAll('\t', ' ').trim();
  if (reason !== '') return `${status} ${reason}`;
  const known = lines.get(status);
  if (known !== undefined) return known;
  const line = `${status} ${STATUS_CODES[status] ?? 'Unknown'}`;
  lines.set(status, line);
  return line;
}

/** A fresh list without what belongs to the connection, of which the gateway will not hear, nor of a field named Status. */
function headerList(headers: Iterable<readonly [string, string]>): HeaderList {
  const list: HeaderList = [];
  for (const [name, value] of headers) {
    if (HOP_BY_HOP.has(name) || name === 'status') continue;
    list.push([name, value.includes('\t') ? value.replaceAll('\t', ' ') : value]);
  }
  return list;
}

const DECODED = new Set(['gzip', 'x-gzip', 'deflate', 'br']);

/** fetch() decodes these, all or none, and leaves the header. */
function isDecoded(headers: Headers): boolean {
  const codings = headers.get('content-encoding')?.split(',') ?? [];
  return codings.length > 0 && codings.every((coding) => DECODED.has(coding.trim().toLowerCase()));
}

const withoutCoding = (headers: Headers): (readonly [string, string])[] =>
  [...headers].filter(([name]) => name !== 'content-encoding' && name !== 'content-length');
