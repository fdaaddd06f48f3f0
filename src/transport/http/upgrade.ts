// A request with an Upgrade header: node:http gives its connection away whether or not anybody wants another protocol, so
// that an ordinary answer takes some care here.
import { Buffer } from 'node:buffer';
import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { HeaderList } from '../../gateway/contract.ts';
import type { AbortReason, ExchangeLimits } from '../../gateway/exchange.ts';
import { headText } from '../head.ts';
import type { Tunnel } from '../tunnel.ts';
import { HttpExchange } from './exchange.ts';
import { RawSocket } from './raw-socket.ts';

export class UpgradeExchange extends HttpExchange {
  readonly #response: ServerResponse;
  readonly #raw: RawSocket;
  #sendTimeout: number;
  #tunnel: Tunnel | null = null;

  /** @param head what came behind the request */
  constructor(request: IncomingMessage, response: ServerResponse, head: Buffer, sendTimeout: number) {
    super(request, response, sendTimeout);
    this.#response = response;
    this.#sendTimeout = sendTimeout;
    this.#raw = new RawSocket(request.socket, head, {
      left: (reason) => this.lose(reason),
      drained: () => void response.emit('drain'),
    });
  }

  override configure(limits: ExchangeLimits): void {
    super.configure(limits);
    this.#sendTimeout = limits.sendTimeout;
  }

  upgrade(headers: HeaderList): Tunnel {
    const text = headText('HTTP/1.1 101 Switching Protocols', headers);
    this.#tunnel = this.#raw.upgrade(text, this.#sendTimeout);
    return this.#tunnel;
  }

  override abort(): string | null {
    if (this.#tunnel === null || this.closed) return super.abort();
    this.closed = true;
    this.#tunnel.destroy();
    return null;
  }

  /** An ordinary answer is out: what still comes is dropped. */
  answered(): void {
    this.#raw.discard();
    this.#response.detachSocket(this.#response.socket as Socket);
  }

  protected override lose(reason: AbortReason): void {
    if (this.#tunnel?.lost() === false) this.closed = true;
    else super.lose(reason);
  }

  tick(): void {
    this.body.tick(performance.now());
    this.#raw.probe();
  }
}

/** The response of such a request; its connection cannot carry another request. */
export function responseTo(request: IncomingMessage): ServerResponse {
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  response.assignSocket(request.socket);
  return response;
}

export const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;

/**
 * The bytes of the same request without its wish: node:http would not read the body of one that has it, and nobody has
 * to fulfil it (RFC 9110, section 7.8).
 */
export function withoutUpgrade(request: IncomingMessage, head: Buffer): Buffer {
  const headers: HeaderList = [];
  for (let at = 0; at < request.rawHeaders.length; at += 2) {
    const name = request.rawHeaders[at] as string;
    const value = request.rawHeaders[at + 1] as string;
    const lower = name.toLowerCase();
    if (lower === 'upgrade') continue;
    headers.push([name, lower === 'connection' ? value.replace(/upgrade/gi, 'x-upgrade') : value]);
  }
  const text = headText(`${request.method} ${request.url} HTTP/${request.httpVersion}`, headers);
  return Buffer.concat([Buffer.from(text, 'latin1'), head]);
}
