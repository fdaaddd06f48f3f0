// req.socket and res.socket: what apps and node:http's own code ask a connection for, where there is none.
// It stands for one request: it is closed when that is over.
import { EventEmitter } from 'node:events';
import type { Server, ServerResponse } from 'node:http';
import { getDefaultHighWaterMark } from 'node:stream';
import type { Environ } from '../../gateway/contract.ts';
import { IdleTimer } from './idle-timer.ts';
import { type SocketFacts, socketFacts } from './socket-facts.ts';

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
  #idle: IdleTimer | null = null;

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
    return this.#facts.encrypted;
  }

  get remoteAddress(): string | undefined {
    return this.#facts.remoteAddress;
  }

  get remotePort(): number | undefined {
    return this.#facts.remotePort;
  }

  get remoteFamily(): SocketFacts['remoteFamily'] {
    return this.#facts.remoteFamily;
  }

  get localAddress(): string | undefined {
    return this.#facts.localAddress;
  }

  get localPort(): number | undefined {
    return this.#facts.localPort;
  }

  get localFamily(): SocketFacts['localFamily'] {
    return this.#facts.localFamily;
  }

  /** Most requests never ask. */
  get #facts(): SocketFacts {
    return socketFacts(this.#environ);
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
    this.#idle ??= new IdleTimer(() => this.#owner.idled());
    this.#idle.set(milliseconds);
    if (callback !== undefined) {
      if (milliseconds > 0) this.once('timeout', callback);
      else this.off('timeout', callback);
    }
    return this;
  }

  /** Something came or went. */
  touch(): void {
    this.#idle?.touch();
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
    this.#idle?.set(0);
  }
}
