// One HTTP connection as the listener sees it: its state and its deadlines. The bytes are node:http's business.
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { ConnectionState } from '../../observe/listener-metrics.ts';
import { ProtocolError } from '../../protocol/errors.ts';
import type { OpenConnection, TransportContext } from '../context.ts';
import type { Timed } from '../timeouts.ts';

export class HttpConnection implements OpenConnection, Timed {
  readonly #socket: Socket;
  readonly #context: TransportContext;
  #request: IncomingMessage | null = null;
  #state: ConnectionState = 'idle';
  #since: number;
  /** Bytes read when the last request was complete: more of them are the beginning of the next one. */
  #seen: number;
  /** Requests without their whole response: a client may send the next one before that (pipelining). */
  #requests = 0;
  #closed = false;
  reusable = true;

  constructor(socket: Socket, context: TransportContext, alreadyRead: number) {
    this.#socket = socket;
    this.#context = context;
    this.#since = context.ticker.now;
    this.#seen = socket.bytesRead - alreadyRead;
    socket.on('close', () => {
      this.#closed = true;
      context.ticker.delete(this);
      context.metrics.closed(this.#state);
      context.closed(this);
    });
    context.ticker.add(this);
  }

  /** The body of the last request has not ended yet; the response may have. */
  get inBody(): boolean {
    return this.#request?.complete === false;
  }

  began(request: IncomingMessage): void {
    this.#request = request;
    this.#requests += 1;
    this.#move('active');
  }

  /** May come after the connection has closed. */
  ended(): void {
    this.#requests -= 1;
    if (this.#requests > 0 || this.#closed) return;
    this.#seen = this.#socket.bytesRead;
    if (!this.inBody) this.#request = null;
    this.#move('idle');
  }

  serveOnce(): void {
    this.reusable = false;
  }

  drain(): void {
    this.serveOnce();
    if (this.#state === 'idle') this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  tick(now: number): void {
    const { timeouts } = this.#context;
    if (this.#state === 'idle' && this.#socket.bytesRead > this.#seen) this.#move('reading');
    const waited = now - this.#since;
    if (this.#state === 'reading' && waited > timeouts.params) {
      const what = `Closed connection: the request head did not come within ${timeouts.params} ms`;
      this.#context.report(new ProtocolError('ERR_PARAMS_TIMEOUT', what), 'http');
      this.#socket.end('HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
      this.#since = Infinity;
    } else if (this.#state === 'idle' && waited > timeouts.idle) {
      this.#socket.end();
      this.#since = Infinity;
    }
  }

  #move(state: ConnectionState): void {
    if (state !== this.#state) this.#context.metrics.moved(this.#state, state);
    this.#state = state;
    this.#since = this.#context.ticker.now;
  }
}
