// A FastCGI connection: records in, exchanges out, any number of requests one after the other or interleaved.
import type { Socket } from 'node:net';
import type { AbortReason } from '../../gateway/exchange.ts';
import { parseContentLength } from '../../protocol/content-length.ts';
import { ProtocolError } from '../../protocol/errors.ts';
import { FastcgiDecoder } from '../../protocol/fastcgi/decoder.ts';
import {
  encodeEnd,
  encodeProbe,
  encodeUnknownType,
  encodeValues,
  POISON,
} from '../../protocol/fastcgi/encoder.ts';
import type { FastcgiSink } from '../../protocol/fastcgi/events.ts';
import { IdTable } from '../../protocol/fastcgi/id-table.ts';
import { findParam } from '../../protocol/params.ts';
import { Connection } from '../connection.ts';
import type { TransportContext } from '../context.ts';
import { FastcgiExchange } from './exchange.ts';

const PROTOCOL = 'fastcgi';

export class FastcgiConnection extends Connection implements FastcgiSink {
  readonly protocol = PROTOCOL;
  readonly #decoder: FastcgiDecoder;
  readonly #requests = new IdTable<FastcgiExchange>();
  /** Exchanges whose params are complete; they go to the gateway when the chunk is read, so that a short body is there with them. */
  #ready: FastcgiExchange | null = null;
  /** Behind #ready, where there is more than one: an array that is filled for each request costs 150 bytes. */
  #moreReady: FastcgiExchange[] = [];
  /** Requests that the gateway has. */
  #running = 0;
  /** After this request the connection may not carry another. */
  #lastRequest = false;
  /** A response was cut short: the connection breaks once its other requests are done. */
  #poisoned = false;

  constructor(socket: Socket, context: TransportContext) {
    super(socket, context);
    this.#decoder = new FastcgiDecoder(this, context.limits);
  }

  /** END_REQUEST was sent. */
  release(exchange: FastcgiExchange): void {
    this.#forget(exchange);
    this.#decoder.release(exchange.id);
    // FastCGI 1.0, section 3.5: without FCGI_KEEP_CONN the application closes after its response.
    if (!exchange.keepConn) this.#lastRequest = true;
    this.#settle();
  }

  /**
   * Cuts a response short so that nobody takes it for complete. nginx ignores END_REQUEST's statuses, and without
   * keep-alive it takes a plain close for the end of the body; a broken record it cannot mistake. The id stays active for
   * the decoder: it was never ended, and no other request may take it.
   */
  cut(exchange: FastcgiExchange): void {
    this.#forget(exchange);
    this.#poisoned = true;
    this.#settle();
  }

  onBegin(id: number, keepConn: boolean): void {
    this.#requests.set(id, new FastcgiExchange(this, id, keepConn, this.readAt, this.context.timeouts.send));
  }

  onParams(id: number, params: string[]): void {
    const exchange = this.#requests.get(id);
    if (exchange === undefined) return;
    const text = params[findParam(params, 'CONTENT_LENGTH')] ?? '';
    const declared = text === '' ? -1 : parseContentLength(text);
    if (declared instanceof ProtocolError) {
      this.onReject(id, declared);
      return;
    }
    exchange.open(params, declared);
    if (this.#ready === null) this.#ready = exchange;
    else this.#moreReady.push(exchange);
  }

  onStdin(id: number, chunk: Buffer): void {
    const body = this.#requests.get(id)?.body;
    if (body === undefined) return;
    const room = body.declared === -1 ? chunk.length : body.declared - body.received;
    if (chunk.length > room) {
      if (!this.#lastRequest) {
        this.#report(
          new ProtocolError(
            'ERR_EXCESS_BODY',
            `Dropped STDIN of request ${id}: more than its CONTENT_LENGTH of ${body.declared}`,
          ),
        );
      }
      this.#lastRequest = true;
      if (room > 0) body.push(chunk.subarray(0, room));
    } else {
      body.push(chunk);
    }
  }

  onStdinEnd(id: number): void {
    this.#requests.get(id)?.body.end();
  }

  onAbort(id: number): void {
    const exchange = this.#requests.get(id);
    if (exchange !== undefined) exchange.aborted();
  }

  onGetValues(names: string[]): void {
    const { connections, requests } = this.context.limits;
    this.write([encodeValues(names, connections, requests)], this.context.timeouts.send);
  }

  onUnknownType(type: number): void {
    this.write([encodeUnknownType(type)], this.context.timeouts.send);
  }

  onRefuse(id: number, protocolStatus: number, keepConn: boolean): void {
    this.write([encodeEnd(id, 0, protocolStatus)], this.context.timeouts.send);
    if (!keepConn) this.#lastRequest = true;
    this.#settle();
  }

  onReject(id: number, error: ProtocolError): void {
    this.#report(error);
    this.#requests.get(id)?.reject(error.status);
  }

  onNotice(error: ProtocolError): void {
    this.#report(error);
  }

  onError(error: ProtocolError): void {
    this.#report(error);
    this.#loseAll('client_gone');
    this.finish();
  }

  protected get atBoundary(): boolean {
    return this.#decoder.idle;
  }

  protected decode(chunk: Buffer): void {
    this.#decoder.push(chunk);
    if (this.#ready !== null) this.#dispatchReady(this.#ready);
    // Only now: a request that was answered at once never made the connection anything but idle. What is left of a
    // management record counts too: what has begun must end, and what has ended is no reason to close.
    if (this.#running > 0) this.setState('active');
    else this.setState(this.#requests.size === 0 && this.#decoder.idle ? 'idle' : 'reading');
  }

  /**
   * nginx says "the client has left" by closing, nothing else. A peer that only ended its own side still reads: a write
   * finds out which it was (on a Unix socket even an empty one; on TCP an empty STDERR record draws a reset).
   */
  protected ended(): void {
    const requests = this.#requests.values();
    if (requests.length > 0 && requests.every((request) => request.dispatched && request.body.complete)) {
      this.probe();
      return;
    }
    // A request whose body was cut short is a client that left; anything less than a request is a broken peer.
    if (!requests.some((request) => request.dispatched)) this.#decoder.end();
    this.#loseAll('client_gone');
    this.finish();
  }

  protected probe(): void {
    for (const { id } of this.#requests.values()) {
      this.write([this.context.isUnix ? new Uint8Array(0) : encodeProbe(id)], this.context.timeouts.send);
      return;
    }
  }

  protected paramsTimedOut(): void {
    this.#report(
      new ProtocolError(
        'ERR_PARAMS_TIMEOUT',
        `Closed connection: params did not come within ${this.context.timeouts.params} ms`,
      ),
    );
    this.#loseAll('client_gone');
    this.finish();
  }

  protected sendTimedOut(): void {
    this.#loseAll('send_timeout');
    this.destroy();
  }

  protected lost(): void {
    this.#loseAll('client_gone');
  }

  protected tickRequests(now: number): void {
    const limit = this.context.timeouts.params;
    for (const exchange of this.#requests.values()) {
      if (exchange.dispatched) exchange.body.tick(now);
      else if (now - exchange.startedAt > limit) this.#rejectStalled(exchange, limit);
    }
  }

  /** While other requests run, one that stalls costs only itself. */
  #rejectStalled(exchange: FastcgiExchange, limit: number): void {
    const what = `Refused request ${exchange.id}: its params did not come within ${limit} ms`;
    this.#report(new ProtocolError('ERR_PARAMS_TIMEOUT', what));
    exchange.reject(408);
  }

  #dispatchReady(first: FastcgiExchange): void {
    const more = this.#moreReady;
    this.#ready = null;
    if (more.length > 0) this.#moreReady = [];
    this.#dispatch(first);
    for (const exchange of more) this.#dispatch(exchange);
  }

  #dispatch(exchange: FastcgiExchange): void {
    if (exchange.closed) return;
    exchange.dispatched = true;
    this.#running += 1;
    this.context.handle(exchange);
  }

  #loseAll(reason: AbortReason): void {
    for (const exchange of this.#requests.values()) exchange.close(reason);
    this.#requests.clear();
    this.#running = 0;
  }

  #forget(exchange: FastcgiExchange): void {
    this.#requests.delete(exchange.id);
    if (exchange.dispatched) this.#running -= 1;
  }

  /** Decides what becomes of the connection now that a request is gone. */
  #settle(): void {
    if (this.closing || this.#requests.size > 0) return;
    if (this.#poisoned) {
      this.write([POISON], this.context.timeouts.send);
      this.finish();
    } else if (this.#lastRequest || !this.reusable || this.peerEnded) {
      this.finish();
    } else {
      this.setState('idle');
    }
  }

  #report(error: ProtocolError): void {
    this.context.report(error, PROTOCOL);
  }
}
