// One HTTP connection as the listener sees it: its state and its deadlines. The bytes are node:http's business.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { ConnectionState } from '../../observe/listener-metrics.ts';
import { ProtocolError } from '../../protocol/errors.ts';
import type { OpenConnection, Take, TransportContext } from '../context.ts';
import { detach, isStill } from '../handle.ts';
import { LINGER_PAUSE, LINGER_TOTAL } from '../timeouts.ts';

export class HttpConnection implements OpenConnection {
  readonly #socket: Socket;
  readonly #context: TransportContext;
  #request: IncomingMessage | null = null;
  #state: ConnectionState = 'idle';
  #since: number;
  /** Bytes read when the last request was complete: more of them are the beginning of the next one. While closing: at the last tick. */
  #seen: number;
  /** Not ended yet. More than one where the client sends its next request before that (pipelining). */
  readonly #responses = new Set<ServerResponse>();
  #closed = false;
  #closing = false;
  #lingerUntil = Infinity;
  reusable = true;
  place = -1;

  constructor(socket: Socket, context: TransportContext, alreadyRead: number) {
    this.#socket = socket;
    this.#context = context;
    this.#since = context.ticker.now;
    this.#seen = socket.bytesRead - alreadyRead;
    socket.on('close', () => {
      this.#closed = true;
      context.metrics.closed(this.#state);
      context.closed(this);
    });
    // What node:http calls after a last response. Its own closes with unread bytes, and the reset would cost the client the response.
    socket.destroySoon = () => this.finish();
  }

  /** The body of the last request has not ended yet; the response may have. */
  get inBody(): boolean {
    return this.#request?.complete === false;
  }

  /** Our side has ended: what still comes is read and dropped. */
  get closing(): boolean {
    return this.#closing;
  }

  /** Nothing is in flight. */
  get resting(): boolean {
    return this.#responses.size === 0;
  }

  /** A response is on its way: nothing else can be said on the connection. */
  get responding(): boolean {
    return [...this.#responses].some((response) => response.headersSent);
  }

  began(request: IncomingMessage, response: ServerResponse): void {
    this.#request = request;
    this.#responses.add(response);
    this.#move('active');
  }

  /** May come after the connection has closed. */
  ended(response: ServerResponse): void {
    this.#responses.delete(response);
    if (this.#responses.size > 0 || this.#closed) return;
    if (!this.#closing) this.#seen = this.#socket.bytesRead;
    if (!this.inBody) this.#request = null;
    this.#move('idle');
  }

  serveOnce(): void {
    this.reusable = false;
    // Of pipelined requests only the last may say so: node:http closes after a response with Connection: close.
    const last = [...this.#responses].at(-1);
    if (last !== undefined && !last.headersSent) last.shouldKeepAlive = false;
  }

  drain(): void {
    this.serveOnce();
    if (this.#state === 'idle') this.finish();
  }

  moveTo(take: Take): void {
    if (this.#state !== 'idle' || !isStill(this.#socket)) return;
    const atBoundary = isBetweenRequests(this.#socket);
    if (atBoundary === false) return;
    const handle = atBoundary === null ? null : detach(this.#socket);
    if (handle === null) this.drain();
    else take(handle, 'http');
  }

  /** Ends our side, after `last` where there is one, and leaves the peer time to do the same. */
  finish(last = ''): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#seen = this.#socket.bytesRead;
    this.#since = this.#context.ticker.now;
    this.#lingerUntil = this.#since + LINGER_TOTAL;
    this.#socket.end(last, 'latin1');
  }

  destroy(): void {
    this.#socket.destroy();
  }

  tick(now: number): void {
    if (this.#closing) {
      this.#linger(now);
      return;
    }
    const { timeouts } = this.#context;
    if (this.#state === 'idle' && this.#socket.bytesRead > this.#seen) this.#move('reading');
    const waited = now - this.#since;
    if (this.#state === 'reading' && waited > timeouts.params) {
      const what = `Closed connection: the request head did not come within ${timeouts.params} ms`;
      this.#context.report(new ProtocolError('ERR_PARAMS_TIMEOUT', what), 'http');
      this.finish('HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
    } else if (this.#state === 'idle' && waited > timeouts.idle) {
      this.finish();
    }
  }

  #linger(now: number): void {
    const { bytesRead } = this.#socket;
    if (bytesRead > this.#seen) {
      this.#seen = bytesRead;
      this.#since = now;
    }
    if (now - this.#since > LINGER_PAUSE || now > this.#lingerUntil) this.#socket.destroy();
  }

  #move(state: ConnectionState): void {
    if (state !== this.#state) this.#context.metrics.moved(this.#state, state);
    this.#state = state;
    if (this.#closing) return;
    this.#since = this.#context.ticker.now;
    if (state === 'idle') this.#context.rested(this);
  }
}

/**
 * Whether the parser has read no byte of a next request; null where this Node does not say. Its finish() answers whether
 * the input may end here (llhttp_finish() in llhttp's src/native/api.c) and changes nothing. A count of bytes cannot tell:
 * the chunk that completes one request may hold the beginning of another.
 */
function isBetweenRequests(socket: Socket): boolean | null {
  const parser: unknown = Reflect.get(socket, 'parser');
  if (typeof parser !== 'object' || parser === null) return null;
  const finish: unknown = Reflect.get(parser, 'finish');
  if (typeof finish !== 'function') return null;
  return !(finish.call(parser) instanceof Error);
}
