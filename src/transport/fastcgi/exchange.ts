// One FastCGI request: its body comes in as STDIN, its response goes out as STDOUT and END_REQUEST.
import type { HeaderList } from '../../gateway/contract.ts';
import { GatewayError } from '../../gateway/errors.ts';
import type { AbortReason, Exchange, ExchangeLimits } from '../../gateway/exchange.ts';
import { encodeEnd, encodeStdout } from '../../protocol/fastcgi/encoder.ts';
import { ProtocolStatus } from '../../protocol/fastcgi/constants.ts';
import { BodyQueue } from '../body-queue.ts';
import { headText } from '../head.ts';
import { rejection } from '../rejection.ts';
import type { FastcgiConnection } from './connection.ts';

export class FastcgiExchange implements Exchange {
  readonly protocol = 'fastcgi';
  readonly halfDuplex = true;
  readonly startedAt: number;
  readonly id: number;
  readonly keepConn: boolean;
  readonly #connection: FastcgiConnection;
  #sendTimeout: number;
  /** Waits for the first chunk, to go out with it. */
  #head = '';

  params: readonly string[] = [];
  body: BodyQueue;
  closed = false;
  /** True once the gateway has it. */
  dispatched = false;
  onClose: ((reason: AbortReason) => void) | null = null;

  constructor(
    connection: FastcgiConnection,
    id: number,
    keepConn: boolean,
    startedAt: number,
    sendTimeout: number,
  ) {
    this.#connection = connection;
    this.id = id;
    this.keepConn = keepConn;
    this.startedAt = startedAt;
    this.#sendTimeout = sendTimeout;
    this.body = new BodyQueue(-1, connection);
  }

  get needsBuffering(): boolean {
    return this.keepConn;
  }

  /** The params are complete. `declared`: bytes of CONTENT_LENGTH, -1 without one. */
  open(params: readonly string[], declared: number): void {
    this.params = params;
    if (declared !== -1) this.body = new BodyQueue(declared, this.#connection);
  }

  configure(limits: ExchangeLimits): void {
    this.body.limit = limits.bodySize;
    this.body.timeout = limits.bodyTimeout;
    this.#sendTimeout = limits.sendTimeout;
  }

  respond(status: string, headers: HeaderList): void {
    // FastCGI 1.0, section 6.2: a CGI response, whose status is a header (RFC 3875, section 6.3.3).
    this.#head = headText(`Status: ${status}`, headers);
  }

  write(chunk: Uint8Array): boolean {
    if (this.closed) return true;
    const head = this.#head;
    this.#head = '';
    this.body.mayHaveStopped = true;
    if (head === '' && chunk.length === 0) return true;
    return this.#connection.write(
      encodeStdout(this.id, head, chunk.length === 0 ? [] : [chunk], false),
      this.#sendTimeout,
    );
  }

  end(chunks: readonly Uint8Array[]): void {
    if (this.closed) return;
    this.closed = true;
    this.#connection.write(encodeStdout(this.id, this.#head, chunks, true), this.#sendTimeout);
    this.#leave();
  }

  drained(): Promise<void> {
    return this.#connection.drained();
  }

  abort(): null {
    if (this.closed) return null;
    this.closed = true;
    this.body.discard();
    this.#connection.cut(this);
    return null;
  }

  /** Answers with an error page, without the gateway. */
  reject(status: number, retryAfter?: number): void {
    const page = rejection(status, retryAfter);
    this.respond(page.status, page.headers);
    this.end([page.body]);
  }

  /** FCGI_ABORT_REQUEST: the peer wants END_REQUEST and nothing else (section 5.4). */
  aborted(): void {
    if (this.closed) return;
    this.close('client_gone');
    this.#connection.write([encodeEnd(this.id, 0, ProtocolStatus.RequestComplete)], this.#sendTimeout);
    this.#leave();
  }

  /** The connection cannot carry the response any more. */
  close(reason: AbortReason): void {
    if (this.closed) return;
    this.closed = true;
    this.body.fail(
      new GatewayError('ERR_BODY_CLIENT_GONE', `Cannot read body: the client has left (${reason})`),
    );
    this.onClose?.(reason);
  }

  #leave(): void {
    this.body.discard();
    this.#connection.release(this);
  }
}
