// One uwsgi or SCGI request: the connection is the request, and the end of the connection the end of its response.
import type { HeaderList } from '../../gateway/contract.ts';
import { GatewayError } from '../../gateway/errors.ts';
import type { AbortReason, Exchange, ExchangeLimits } from '../../gateway/exchange.ts';
import { hasHeader } from '../../gateway/headers.ts';
import { BodyQueue } from '../body-queue.ts';
import { BODY_LOW_WATER } from '../flow-control.ts';
import { headText } from '../head.ts';
import { rejection } from '../rejection.ts';
import { Tunnel } from '../tunnel.ts';
import type { StreamConnection, StreamProtocol } from './connection.ts';

/** Output that may be held back on a Unix socket, in bytes and in milliseconds of one turn of the event loop. */
const HOLD_BYTES = 64 * 1024;
const HOLD_TIME = 5;

export class StreamExchange implements Exchange {
  readonly protocol: StreamProtocol;
  readonly halfDuplex = true;
  readonly needsBuffering = false;
  readonly startedAt: number;
  readonly params: readonly string[];
  readonly body: BodyQueue;
  readonly #connection: StreamConnection;
  #sendTimeout: number;
  #head = '';
  #status = '';
  #headers: HeaderList = [];
  #sized = false;
  /** Waits for the end of this turn of the event loop, see #hold(). */
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  #heldSince = 0;
  #flushing: NodeJS.Immediate | null = null;
  /** Came behind the request; for the tunnel, if there is one. */
  #early: Uint8Array[] = [];
  #earlyBytes = 0;
  #waitsForTunnel = false;
  #tunnel: Tunnel | null = null;

  closed = false;
  onClose: ((reason: AbortReason) => void) | null = null;

  constructor(
    connection: StreamConnection,
    params: readonly string[],
    declared: number,
    startedAt: number,
    sendTimeout: number,
  ) {
    this.#connection = connection;
    this.protocol = connection.protocol;
    this.params = params;
    this.startedAt = startedAt;
    this.#sendTimeout = sendTimeout;
    this.body = new BodyQueue(declared, connection);
  }

  get tunnel(): Tunnel | null {
    return this.#tunnel;
  }

  configure(limits: ExchangeLimits): void {
    this.body.limit = limits.bodySize;
    this.body.timeout = limits.bodyTimeout;
    this.#sendTimeout = limits.sendTimeout;
  }

  respond(status: string, headers: HeaderList): void {
    this.#status = status;
    this.#headers = headers;
    this.#sized = hasHeader(headers, 'content-length');
    this.#head = this.#headText(headers);
  }

  upgrade(headers: HeaderList): Tunnel {
    const connection = this.#connection;
    const tunnel = new Tunnel({
      write: (parts) => connection.write(parts, this.#sendTimeout),
      drained: () => connection.drained(),
      end: (done) => connection.endSide(done),
      pause: () => connection.pause(),
      resume: () => connection.resume(),
      destroy: () => connection.destroy(),
    });
    this.#tunnel = tunnel;
    this.#status = '101 Switching Protocols';
    connection.send(this.#headText(headers), [], this.#sendTimeout);
    for (const chunk of this.#early) tunnel.receive(chunk);
    this.#early = [];
    this.#stopWaiting();
    if (connection.hasEnded) tunnel.receiveEnd();
    return tunnel;
  }

  /** Bytes behind the request. False: there can be no tunnel that they are for. */
  behind(chunk: Buffer): boolean {
    if (this.#tunnel !== null) {
      this.#tunnel.receive(this.#connection.keep(chunk));
      return true;
    }
    if (this.closed || !this.params.includes('HTTP_UPGRADE')) return false;
    this.#early.push(this.#connection.keep(chunk));
    this.#earlyBytes += chunk.length;
    if (this.#earlyBytes >= BODY_LOW_WATER && !this.#waitsForTunnel) {
      this.#waitsForTunnel = true;
      this.#connection.pause();
    }
    return true;
  }

  write(chunk: Uint8Array): boolean {
    if (this.closed) return true;
    this.body.mayHaveStopped = true;
    if (this.#head !== '' && !this.#sized && this.#connection.cannotReset) return this.#hold(chunk);
    return this.#flush(chunk.length === 0 ? [] : [chunk]);
  }

  end(chunks: readonly Uint8Array[]): void {
    if (this.closed) return;
    this.closed = true;
    this.#flush(chunks);
    this.#leave();
  }

  drained(): Promise<void> {
    return this.#connection.drained();
  }

  /**
   * Cuts the response short. With a Content-Length the client counts; on TCP a reset tells it. On a Unix socket there is
   * neither, but where nothing has left yet a length that is never reached says the same.
   */
  abort(): string | null {
    if (this.closed) return null;
    this.closed = true;
    if (this.#tunnel !== null) {
      this.#tunnel.destroy();
    } else if (this.#heldBytes > 0) {
      this.#head = this.#headText([...this.#headers, ['Content-Length', String(this.#heldBytes + 1)]]);
      this.#flush([]);
      this.#leave();
    } else if (this.#connection.cannotReset) {
      this.#leave();
      if (!this.#sized)
        return `${this.protocol} over a Unix socket cannot tell the client; set Content-Length, or use FastCGI`;
    } else {
      this.body.discard();
      this.#connection.reset();
    }
    return null;
  }

  /** Answers with an error page, without the gateway. */
  reject(status: number, retryAfter?: number): void {
    const page = rejection(status, retryAfter);
    this.respond(page.status, page.headers);
    this.end([page.body]);
  }

  /** The connection cannot carry the response any more. */
  close(reason: AbortReason): void {
    if (this.closed) return;
    this.closed = true;
    if (this.#tunnel?.lost() === false) return;
    this.#cancelFlush();
    this.body.fail(
      new GatewayError('ERR_BODY_CLIENT_GONE', `Cannot read body: the client has left (${reason})`),
    );
    this.onClose?.(reason);
  }

  /** uwsgi wants a status line (nginx passes a Status header on to the client); SCGI's is a CGI response. */
  #headText(headers: HeaderList): string {
    return headText(
      this.protocol === 'uwsgi' ? `HTTP/1.1 ${this.#status}` : `Status: ${this.#status}`,
      headers,
    );
  }

  /**
   * A response without a length that breaks off looks complete over a Unix socket. Held back until the application next
   * waits for something, one that breaks off before that can still be told apart.
   */
  #hold(chunk: Uint8Array): boolean {
    const now = performance.now();
    if (this.#flushing === null) {
      this.#heldSince = now;
      this.#flushing = setImmediate(() => this.#flush([]));
    }
    if (chunk.length > 0) this.#held.push(chunk);
    this.#heldBytes += chunk.length;
    return this.#heldBytes > HOLD_BYTES || now - this.#heldSince > HOLD_TIME ? this.#flush([]) : true;
  }

  #flush(chunks: readonly Uint8Array[]): boolean {
    this.#cancelFlush();
    const head = this.#head;
    const body = this.#held.length === 0 ? chunks : [...this.#held, ...chunks];
    this.#head = '';
    this.#held = [];
    this.#heldBytes = 0;
    return this.#connection.send(head, body, this.#sendTimeout);
  }

  #cancelFlush(): void {
    if (this.#flushing !== null) clearImmediate(this.#flushing);
    this.#flushing = null;
  }

  #stopWaiting(): void {
    if (this.#waitsForTunnel) this.#connection.resume();
    this.#waitsForTunnel = false;
  }

  #leave(): void {
    this.body.discard();
    this.#early = [];
    this.#stopWaiting();
    this.#connection.finish();
  }
}
