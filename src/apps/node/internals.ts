// What the adapter touches of node:http beyond its documentation, in one place. probe.ts tries all of it at boot.
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';

// oxlint-disable no-underscore-dangle

/** Fields and methods of OutgoingMessage that its own code goes through; the methods are replaced on each response. */
export interface ResponseInternals {
  /** Set when a single end() has the whole body, or by a Content-Length header. */
  _contentLength: number | null;
  _hasBody: boolean;
  _removedContLen: boolean;
  /** Not empty once the headers are fixed. */
  _header: string | null;
  _closed: boolean;
  chunkedEncoding: boolean;
  useChunkedEncodingByDefault: boolean;
  _storeHeader(firstLine: string, headers: unknown): void;
  _send(data: string | Uint8Array, encoding?: unknown, callback?: unknown): boolean;
  _writeRaw(data: string, encoding?: unknown, callback?: unknown): boolean;
  _finish: (this: never) => void;
}

type HttpSocket = Socket & { _httpMessage: ServerResponse | null };

/** assignSocket() without the listener for 'close' that it adds: who closes the socket closes the response. */
export function joinSocket(res: ServerResponse, socket: Socket): void {
  (socket as HttpSocket)._httpMessage = res;
  (res as { socket: Socket | null }).socket = socket;
}

/** detachSocket() likewise. */
export function leaveSocket(res: ServerResponse, socket: Socket): void {
  (socket as HttpSocket)._httpMessage = null;
  (res as { socket: Socket | null }).socket = null;
}

/** Its last event, once. */
export function closeResponse(res: ServerResponse): void {
  const internals = res as ServerResponse & ResponseInternals;
  if (internals._closed) return;
  internals.destroyed = true;
  internals._closed = true;
  res.emit('close');
}

/** False for HEAD, 204 and 304. */
export const hasBody = (res: ServerResponse): boolean => (res as ServerResponse & ResponseInternals)._hasBody;

/** How node:http's parser hands its headers over; `headers` and the like are made from them when they are asked for. */
export function giveHeaders(req: IncomingMessage, headers: readonly string[]): void {
  const taker = req as unknown as { _addHeaderLines(headers: readonly string[], count: number): void };
  taker._addHeaderLines(headers, headers.length);
}

const [symbols, noCallback] = lookInside();
/** The headers that setHeader() has stored: {lower-case name: [name, value]}. */
export const OUT_HEADERS = symbols.get('kOutHeaders');
/** Whether a write() has returned false and 'drain' is still owed. */
export const NEED_DRAIN = symbols.get('kNeedDrain');

/** Callbacks of end(), where they are no listeners for 'finish' (Node 24): null, or a list. */
export const END_CALLBACKS = symbols.get('kEndCallbacks');
/** What _send() is given for a callback when the app has given none. */
export const NO_CALLBACK = noCallback;

function lookInside(): [symbols: ReadonlyMap<string | undefined, symbol>, noCallback: unknown] {
  const res = new ServerResponse(new IncomingMessage(new Socket())) as ServerResponse & ResponseInternals;
  res.setHeader('x', '');
  const callbacks: unknown[] = [];
  res._send = (_data, _encoding, callback) => callbacks.push(callback) > 0;
  res.write('x');
  return [
    new Map(Object.getOwnPropertySymbols(res).map((symbol) => [symbol.description, symbol])),
    callbacks[0],
  ];
}
