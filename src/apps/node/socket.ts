// req.socket and res.socket: what apps and node:http's own code ask a connection for, where there is none.
// It stands for one request: it is closed when that is over.
import { EventEmitter } from 'node:events';
import type { Server, ServerResponse } from 'node:http';
import { getDefaultHighWaterMark } from 'node:stream';
import type { Environ } from '../../gateway/contract.ts';

const HIGH_WATER = getDefaultHighWaterMark(false);
/** OutgoingMessage.end() writes to it, and nothing reads that. */
const WRITABLE_STATE = { corked: 0 };

export interface SocketOwner {
  /** Bytes of the response that the gateway has not taken yet. */
  readonly waiting: number;
  /** req wants bytes of the body. */
  wanted(): void;
  /** The app, or the owner, has destroyed the socket. */
  broken(error: Error | undefined): void;
  /** Nothing came or went for as long as setTimeout() said. */
  idled(): void;
}

export class RequestSocket extends EventEmitter {
  readonly #environ: Environ;
  readonly #owner: SocketOwner;
  #timer: NodeJS.Timeout | null = null;

  readonly server: Server | null;
  readonly parser = null;
  readonly connecting = false;
  readonly pending = false;
  readonly readyState = 'open';
  readonly bytesRead = 0;
  readonly bytesWritten = 0;
  readonly readableHighWaterMark = HIGH_WATER;
  readonly writableHighWaterMark = HIGH_WATER;
  /** Always, for what it is asked for: whether a write has to be corked until the next tick. */
  readonly writableCorked = 1;
  readonly _writableState = WRITABLE_STATE;
  _httpMessage: ServerResponse | null = null;
  readable = true;
  writable = true;
  destroyed = false;
  closed = false;
  timeout = 0;

  constructor(environ: Environ, owner: SocketOwner, server: Server | null) {
    super();
    this.#environ = environ;
    this.#owner = owner;
    this.server = server;
  }

  get encrypted(): boolean {
    return this.#environ['wsgi.url_scheme'] === 'https';
  }

  /** undefined for a client on a Unix socket, as node:net has it. */
  get remoteAddress(): string | undefined {
    return address(this.#environ['REMOTE_ADDR']);
  }

  get remotePort(): number | undefined {
    return port(this.#environ['REMOTE_PORT']);
  }

  get remoteFamily(): 'IPv4' | 'IPv6' | undefined {
    return family(this.remoteAddress);
  }

  get localAddress(): string | undefined {
    return address(this.#environ['SERVER_ADDR']);
  }

  get localPort(): number | undefined {
    return port(this.#environ.SERVER_PORT);
  }

  get localFamily(): 'IPv4' | 'IPv6' | undefined {
    return family(this.localAddress);
  }

  get writableLength(): number {
    return this.#owner.waiting;
  }

  get writableEnded(): boolean {
    return !this.writable;
  }

  address(): { address?: string; family?: string; port?: number } {
    const { localAddress, localFamily, localPort } = this;
    if (localAddress === undefined || localFamily === undefined || localPort === undefined) return {};
    return { address: localAddress, family: localFamily, port: localPort };
  }

  /** IncomingMessage calls it when somebody reads. */
  resume(): this {
    this.#owner.wanted();
    return this;
  }

  pause(): this {
    return this;
  }

  cork(): void {}
  uncork(): void {}

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  setTimeout(milliseconds: number, callback?: () => void): this {
    this.timeout = milliseconds;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = milliseconds > 0 ? setTimeout(() => this.#owner.idled(), milliseconds).unref() : null;
    if (callback !== undefined) {
      if (milliseconds > 0) this.once('timeout', callback);
      else this.off('timeout', callback);
    }
    return this;
  }

  /** Something came or went. */
  touch(): void {
    this.#timer?.refresh();
  }

  /** There is no way for bytes that are not a response. */
  write(): boolean {
    this.destroy(new Error('Cannot write to req.socket: a response goes out through res, not as raw bytes'));
    return false;
  }

  end(): this {
    return this.destroy();
  }

  destroySoon(): void {
    this.destroy();
  }

  destroy(error?: Error): this {
    if (this.destroyed) return this;
    this.#shut();
    this.#owner.broken(error);
    return this;
  }

  /** Its request is over. */
  close(): void {
    if (this.closed) return;
    this.#shut();
    this.closed = true;
    this.emit('close', false);
  }

  #shut(): void {
    this.destroyed = true;
    this.readable = false;
    this.writable = false;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }
}

/** nginx says "unix:" for a Unix socket. */
const address = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' && !value.startsWith('unix:') ? value : undefined;

const port = (value: unknown): number | undefined =>
  typeof value === 'string' && value !== '' ? Number(value) : undefined;

const family = (of: string | undefined): 'IPv4' | 'IPv6' | undefined =>
  of === undefined ? undefined : of.includes(':') ? 'IPv6' : 'IPv4';
