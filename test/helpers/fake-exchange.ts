// An exchange in memory: the gateway's other side, played by the test. It holds the gateway to exchange.ts and knows no protocol.
import type { HeaderList, Tunnel as TunnelContract } from '../../src/gateway/contract.ts';
import { GatewayError } from '../../src/gateway/errors.ts';
import type { AbortReason, BodyReader, Exchange, ExchangeLimits } from '../../src/gateway/exchange.ts';
import { Tunnel } from '../../src/transport/tunnel.ts';
import { FakeLink } from './fake-link.ts';

type Content = string | Uint8Array;

const toBytes = (content: Content): Uint8Array =>
  typeof content === 'string' ? Buffer.from(content, 'latin1') : content;

/** A request body that arrives when the test says so. */
export class FakeBody implements BodyReader {
  readonly declared: number;
  onComplete: (() => void) | null = null;
  received = 0;
  complete = false;
  /** How often it was read. */
  reads = 0;
  readonly #chunks: Uint8Array[] = [];
  #error: GatewayError | null = null;
  #reader: { resolve(chunk: Uint8Array | null): void; reject(error: GatewayError): void } | null = null;

  constructor(declared = -1) {
    this.declared = declared;
  }

  push(...chunks: Content[]): this {
    for (const content of chunks) {
      const chunk = toBytes(content);
      this.received += chunk.length;
      this.#chunks.push(chunk);
    }
    if (this.#reader !== null) this.#answer(this.#chunks.shift() ?? null);
    return this;
  }

  end(): this {
    this.complete = true;
    if (this.#reader !== null) this.#answer(null);
    this.onComplete?.();
    return this;
  }

  /** No more comes; every read gives `error`. */
  fail(error: GatewayError): void {
    if (this.complete) return;
    this.#error = error;
    this.#chunks.length = 0;
    this.#reader?.reject(error);
    this.#reader = null;
  }

  /** True while somebody waits for bytes. */
  get awaited(): boolean {
    return this.#reader !== null;
  }

  read(): Uint8Array | null | Promise<Uint8Array | null> {
    this.reads += 1;
    const chunk = this.#chunks.shift();
    if (chunk !== undefined) return chunk;
    if (this.#error !== null) throw this.#error;
    if (this.complete) return null;
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject };
    });
  }

  async take(size: number): Promise<Uint8Array> {
    const pieces: Uint8Array[] = [];
    for (let left = size; left > 0;) {
      const chunk = await this.read();
      if (chunk === null) break;
      if (chunk.length > left) this.#chunks.unshift(chunk.subarray(left));
      pieces.push(chunk.subarray(0, left));
      left -= Math.min(left, chunk.length);
    }
    const [only = Buffer.alloc(0)] = pieces;
    return pieces.length <= 1 ? only : Buffer.concat(pieces);
  }

  #answer(chunk: Uint8Array | null): void {
    this.#reader?.resolve(chunk);
    this.#reader = null;
  }
}

export interface FakeExchangeOptions {
  params?: readonly string[];
  /** The whole request body, or one that is still to come; without it there is none. */
  body?: string | FakeBody;
  halfDuplex?: boolean;
  needsBuffering?: boolean;
  startedAt?: number;
  /** As after block(). */
  blocked?: boolean;
  /** The protocol carries tunnels. */
  tunnels?: boolean;
}

export class FakeExchange implements Exchange {
  readonly protocol = 'fake';
  readonly params: readonly string[];
  readonly body: FakeBody;
  readonly halfDuplex: boolean;
  readonly needsBuffering: boolean;
  readonly startedAt: number;
  closed = false;
  onClose: ((reason: AbortReason) => void) | null = null;

  /**
   * What reached the wire, in order: "head 200 OK" just before the first chunk or the end, then "write abc" for each
   * write() with bytes, "end" or "end abc|def", "abort REASON", "gone" when the client left.
   */
  readonly wire: string[] = [];
  /** The calls the interface does not allow; always empty for a gateway that keeps to it. */
  readonly misuse: string[] = [];
  /** How often respond() was called. */
  responds = 0;
  status = '';
  headers: HeaderList = [];
  limits: ExchangeLimits | null = null;
  /** The body as the client has it. */
  sent = '';
  ended = false;
  aborted: AbortReason | null = null;
  /** The other side of the tunnel. */
  readonly link: FakeLink = new FakeLink();
  tunnel: Tunnel | null = null;
  readonly upgrade?: (headers: HeaderList) => TunnelContract;
  /** How many drained() are being waited for. */
  get waiting(): number {
    return this.#waiters.length;
  }
  #headPending = false;
  #blocked = false;
  #waiters: (() => void)[] = [];

  constructor(options: FakeExchangeOptions = {}) {
    const { params = [], body, halfDuplex = false, startedAt, blocked = false } = options;
    this.needsBuffering = options.needsBuffering ?? false;
    this.#blocked = blocked;
    this.params = params;
    this.halfDuplex = halfDuplex;
    if (options.tunnels === true) this.upgrade = (headers) => this.#open(headers);
    this.startedAt = startedAt ?? performance.now();
    if (body instanceof FakeBody) this.body = body;
    else if (body === undefined) this.body = new FakeBody(0).end();
    else this.body = new FakeBody(body.length).push(body).end();
  }

  configure(limits: ExchangeLimits): void {
    this.limits = limits;
  }

  respond(status: string, headers: HeaderList): void {
    this.responds += 1;
    if (this.wire.some((line) => line.startsWith('head'))) this.misuse.push(`respond ${status} twice`);
    this.status = status;
    this.headers = headers.map(([name, value]) => [name, value]);
    this.#headPending = true;
  }

  write(chunk: Uint8Array): boolean {
    if (this.#isMisused('write')) return true;
    this.#sendHead();
    if (chunk.length > 0) this.#take('write', [chunk]);
    return !this.#blocked;
  }

  end(chunks: readonly Uint8Array[]): void {
    if (this.#isMisused('end')) return;
    this.#sendHead();
    this.#take('end', chunks);
    this.ended = true;
    this.#close();
  }

  drained(): Promise<void> {
    if (this.closed || !this.#blocked) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  abort(reason: AbortReason): null {
    if (this.closed) return null;
    this.aborted = reason;
    this.wire.push(`abort ${reason}`);
    this.#close();
    this.tunnel?.destroy();
    return null;
  }

  /** From now on every write() goes above the high-water mark. */
  block(): void {
    this.#blocked = true;
  }

  /** Below the low-water mark again. */
  drain(): void {
    this.#blocked = false;
    this.#wake();
  }

  /** The client goes away. */
  leave(reason: AbortReason = 'client_gone'): void {
    if (this.closed) return;
    this.closed = true;
    this.wire.push('gone');
    if (this.tunnel?.lost() === false) return;
    this.body.fail(
      new GatewayError('ERR_BODY_CLIENT_GONE', `Cannot read body: the client has left (${reason})`),
    );
    this.onClose?.(reason);
    this.#wake();
  }

  /** The first header of that name, in any case. */
  header(name: string): string | undefined {
    return this.headers.find(([other]) => other.toLowerCase() === name.toLowerCase())?.[1];
  }

  #open(headers: HeaderList): TunnelContract {
    if (this.closed || this.responds > 0 || this.tunnel !== null) this.misuse.push('upgrade after the start');
    this.headers = headers;
    this.wire.push('head 101');
    this.tunnel = new Tunnel(this.link);
    this.tunnel.once('close', () => this.leave());
    return this.tunnel;
  }

  #isMisused(what: string): boolean {
    if (this.responds === 0) this.misuse.push(`${what} before respond`);
    if (this.closed) this.misuse.push(`${what} after the end`);
    return this.closed;
  }

  #sendHead(): void {
    if (this.#headPending) this.wire.push(`head ${this.status}`);
    this.#headPending = false;
  }

  #take(what: string, chunks: readonly Uint8Array[]): void {
    const texts = chunks.map((chunk) => Buffer.from(chunk).toString('latin1'));
    this.wire.push(`${what} ${texts.join('|')}`.trimEnd());
    this.sent += texts.join('');
  }

  #close(): void {
    this.closed = true;
    this.body.onComplete = null;
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#waiters.splice(0)) wake();
  }
}
