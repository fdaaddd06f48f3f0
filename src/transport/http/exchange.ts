// One HTTP request over node:http.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { HeaderList } from '../../gateway/contract.ts';
import { GatewayError } from '../../gateway/errors.ts';
import type { AbortReason, Exchange, ExchangeLimits } from '../../gateway/exchange.ts';
import { hasHeader } from '../../gateway/headers.ts';
import { BodyQueue } from '../body-queue.ts';
import { rejection } from '../rejection.ts';
import { httpParams } from './params.ts';

export class HttpExchange implements Exchange {
  readonly protocol = 'http';
  readonly halfDuplex = false;
  readonly needsBuffering = false;
  readonly startedAt: number = performance.now();
  readonly params: readonly string[];
  readonly body: BodyQueue;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  #sized = false;
  #waiters: (() => void)[] = [];

  closed = false;
  onClose: ((reason: AbortReason) => void) | null = null;

  constructor(request: IncomingMessage, response: ServerResponse, sendTimeout: number) {
    this.#request = request;
    this.#response = response;
    this.params = httpParams(request);
    this.body = new BodyQueue(declaredLength(request), {
      pause: () => request.pause(),
      resume: () => request.resume(),
      keep: (part) => part,
    });
    request.on('data', (chunk: Buffer) => this.body.push(chunk));
    request.on('end', () => this.body.end());
    response.setTimeout(sendTimeout, () => this.#stalled());
    response.on('drain', () => this.#wake());
    response.on('close', () => {
      this.lose('client_gone');
      this.#wake();
    });
  }

  configure(limits: ExchangeLimits): void {
    this.body.limit = limits.bodySize;
    this.body.timeout = limits.bodyTimeout;
    this.#response.setTimeout(limits.sendTimeout);
  }

  respond(status: string, headers: HeaderList): void {
    this.#sized = hasHeader(headers, 'content-length');
    this.#response.writeHead(Number(status.slice(0, 3)), status.slice(4), headers.flat());
  }

  write(chunk: Uint8Array): boolean {
    if (this.closed) return true;
    if (chunk.length > 0) return this.#response.write(chunk);
    this.#response.flushHeaders();
    return true;
  }

  end(chunks: readonly Uint8Array[]): void {
    if (this.closed) return;
    this.closed = true;
    const last = chunks.at(-1);
    for (const chunk of chunks.slice(0, -1)) this.#response.write(chunk);
    if (last === undefined) this.#response.end();
    else this.#response.end(last);
    this.body.discard();
  }

  drained(): Promise<void> {
    if (this.#response.destroyed || !this.#response.writableNeedDrain) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  /**
   * Neither the last chunk nor the whole Content-Length will have been there. An HTTP/1.0 client has nothing but the end of
   * the connection to go by: only a reset tells it, and a Unix socket has none.
   */
  abort(): string | null {
    if (this.closed) return null;
    this.closed = true;
    const { socket } = this.#request;
    const isFramed = this.#sized || this.#response.chunkedEncoding;
    if (!isFramed && socket.remoteAddress !== undefined) {
      socket.resetAndDestroy();
      return null;
    }
    const isUnable = !isFramed && !this.#response.destroyed;
    // Not destroy(): what was written may still wait for the end of this turn, and a peer that saw no byte sends it all again.
    socket.destroySoon();
    return isUnable ? 'HTTP/1.0 over a Unix socket cannot tell the client; use HTTP/1.1' : null;
  }

  /** Answers with an error page, without the gateway. */
  reject(status: number, retryAfter?: number): void {
    const page = rejection(status, retryAfter);
    this.respond(page.status, page.headers);
    this.end([page.body]);
  }

  /** The client has left, or takes nothing any more. */
  protected lose(reason: AbortReason): void {
    if (this.closed) return;
    this.closed = true;
    this.body.fail(
      new GatewayError('ERR_BODY_CLIENT_GONE', `Cannot read body: the client has left (${reason})`),
    );
    this.onClose?.(reason);
  }

  /** node:http's timeout counts reads and writes alike, and sees progress inside a long write. */
  #stalled(): void {
    if (this.#response.writableLength === 0) return;
    this.lose('send_timeout');
    this.#request.socket.destroy();
  }

  #wake(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }
}

/** node:http has already refused a bad Content-Length, and one beside Transfer-Encoding. */
function declaredLength(request: IncomingMessage): number {
  if (request.headers['transfer-encoding'] !== undefined) return -1;
  return Number(request.headers['content-length'] ?? 0);
}
