// FastCGI 1.0 records that the application side sends. Bytes only; who writes them, and when, is not known here.
import { latin1Write } from '../latin1.ts';
import { FCGI_VERSION, HEADER_LENGTH, MAX_CONTENT_LENGTH, RecordType } from './constants.ts';

/** Up to here one buffer is cheaper than a writev of views (measured in bench/micro/encoder.ts). */
const COALESCE = 8 * 1024;
/** A record up to here goes into the buffer of its header. */
const SMALL = 512;
/**
 * What nginx wants to see behind the head of a response on a connection that is kept before it passes anything on
 * (ngx_http_fastcgi_input_filter_init: the header of one more record). Padding counts, and spares the client a wait.
 * Behind a head alone it would do harm: unbuffered, nginx sends the head at once only where nothing follows it.
 */
const FIRST_SIGHT = 8;
const END_LENGTH = 8;
/** Empty STDOUT and END_REQUEST. */
const TAIL_LENGTH = 2 * HEADER_LENGTH + END_LENGTH;

function writeHeader(out: Buffer, at: number, type: number, id: number, length: number, padding = 0): number {
  out[at] = FCGI_VERSION;
  out[at + 1] = type;
  out[at + 2] = id >>> 8;
  out[at + 3] = id & 0xff;
  out[at + 4] = length >>> 8;
  out[at + 5] = length & 0xff;
  out[at + 6] = padding;
  out[at + 7] = 0;
  return at + HEADER_LENGTH;
}

function writeEnd(out: Buffer, at: number, id: number, appStatus: number, protocolStatus: number): number {
  const body = writeHeader(out, at, RecordType.EndRequest, id, END_LENGTH);
  out[body] = appStatus >>> 24;
  out[body + 1] = appStatus >>> 16;
  out[body + 2] = appStatus >>> 8;
  out[body + 3] = appStatus;
  out[body + 4] = protocolStatus;
  out[body + 5] = 0;
  out[body + 6] = 0;
  out[body + 7] = 0;
  return body + END_LENGTH;
}

/** END_REQUEST alone: for a request that never had a response (section 5.5). */
export function encodeEnd(id: number, appStatus: number, protocolStatus: number): Buffer {
  const out = Buffer.allocUnsafe(HEADER_LENGTH + END_LENGTH);
  writeEnd(out, 0, id, appStatus, protocolStatus);
  return out;
}

/** An empty STDERR record: legal at any time before END_REQUEST, and the cheapest way to find out whether a TCP peer is still there. */
export function encodeProbe(id: number): Buffer {
  const out = Buffer.allocUnsafe(HEADER_LENGTH);
  writeHeader(out, 0, RecordType.Stderr, id, 0);
  return out;
}

/** FCGI_UNKNOWN_TYPE (section 4.2). */
export function encodeUnknownType(type: number): Buffer {
  const out = Buffer.alloc(HEADER_LENGTH + END_LENGTH);
  writeHeader(out, 0, RecordType.UnknownType, 0, END_LENGTH);
  out[HEADER_LENGTH] = type;
  return out;
}

/** FCGI_GET_VALUES_RESULT (section 4.1) with those of the asked names that we know; an empty record for none. */
export function encodeValues(asked: readonly string[], connections: number, requests: number): Buffer {
  const values = new Map([
    ['FCGI_MAX_CONNS', String(connections)],
    ['FCGI_MAX_REQS', String(requests)],
    ['FCGI_MPXS_CONNS', '1'],
  ]);
  const pairs: Buffer[] = [];
  for (const name of new Set(asked)) {
    const value = values.get(name);
    if (value !== undefined)
      pairs.push(Buffer.from([name.length, value.length]), Buffer.from(name + value, 'latin1'));
  }
  const body = Buffer.concat(pairs);
  const out = Buffer.allocUnsafe(HEADER_LENGTH + body.length);
  writeHeader(out, 0, RecordType.GetValuesResult, 0, body.length);
  body.copy(out, HEADER_LENGTH);
  return out;
}

/** Not a record: version 255. nginx takes the response for broken in every buffering mode, which END_REQUEST never achieves. */
export const POISON: Buffer = Buffer.alloc(HEADER_LENGTH, 0xff);

/**
 * `head` (latin-1 text, may be empty) and `body` as STDOUT records; with `last`, also the end of STDOUT and END_REQUEST.
 * A small response is one buffer; of a larger one the body is not copied, and the buffers go out as one writev.
 */
export function encodeStdout(
  id: number,
  head: string,
  body: readonly Uint8Array[],
  last: boolean,
): Uint8Array[] {
  let size = head.length;
  for (const chunk of body) size += chunk.length;
  // Of a head with less than that behind it there is next to nothing to copy, and encodeSmall() pads it.
  const isHead = size - head.length < FIRST_SIGHT && size <= MAX_CONTENT_LENGTH;
  return size <= COALESCE || isHead
    ? [encodeSmall(id, head, body, size, last)]
    : encodeLarge(id, head, body, size, last);
}

function encodeSmall(
  id: number,
  head: string,
  body: readonly Uint8Array[],
  size: number,
  last: boolean,
): Buffer {
  const bodySize = size - head.length;
  const isShort = head !== '' && bodySize > 0 && bodySize < FIRST_SIGHT && !last;
  const padding = isShort ? FIRST_SIGHT - bodySize : 0;
  const record = size === 0 ? 0 : HEADER_LENGTH + size + padding;
  const out = Buffer.allocUnsafe(record + (last ? TAIL_LENGTH : 0));
  let at = 0;
  if (size > 0) {
    at = writeHeader(out, at, RecordType.Stdout, id, size, padding);
    at += latin1Write(out, head, at);
    for (const chunk of body) {
      out.set(chunk, at);
      at += chunk.length;
    }
    out.fill(0, at, at + padding);
  }
  if (last) writeTail(out, at, id);
  return out;
}

function encodeLarge(
  id: number,
  head: string,
  body: readonly Uint8Array[],
  size: number,
  last: boolean,
): Uint8Array[] {
  const out: Uint8Array[] = [];
  if (size <= MAX_CONTENT_LENGTH) {
    const start = Buffer.allocUnsafe(HEADER_LENGTH + head.length);
    latin1Write(start, head, writeHeader(start, 0, RecordType.Stdout, id, size));
    out.push(start, ...body);
  } else {
    if (head !== '') pushRecords(out, id, Buffer.from(head, 'latin1'));
    for (const chunk of body) pushRecords(out, id, chunk);
  }
  if (last) {
    const tail = Buffer.allocUnsafe(TAIL_LENGTH);
    writeTail(tail, 0, id);
    out.push(tail);
  }
  return out;
}

function writeTail(out: Buffer, at: number, id: number): void {
  writeEnd(out, writeHeader(out, at, RecordType.Stdout, id, 0), id, 0, 0);
}

function pushRecords(out: Uint8Array[], id: number, chunk: Uint8Array): void {
  for (let at = 0; at < chunk.length; at += MAX_CONTENT_LENGTH) {
    const length = Math.min(MAX_CONTENT_LENGTH, chunk.length - at);
    const piece = length === chunk.length ? chunk : chunk.subarray(at, at + length);
    // A chunk of 64 KiB is one byte more than a record holds.
    const copied = length <= SMALL ? length : 0;
    const header = Buffer.allocUnsafe(HEADER_LENGTH + copied);
    writeHeader(header, 0, RecordType.Stdout, id, length);
    out.push(header);
    if (copied > 0) header.set(piece, HEADER_LENGTH);
    else out.push(piece);
  }
}
