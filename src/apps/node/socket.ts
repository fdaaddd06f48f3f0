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

/** EventEmitter without what its constructor does: on() makes the table of listeners where there is none. */
const LightEmitter = function LightEmitter() {} as unknown as typeof EventEmitter;
LightEmitter.prototype = EventEmitter.prototype;

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

/** What never changes is a getter, and not a field to be set for each request. */
export class RequestSocket extends LightEmitter {
  readonly #environ: Environ;
  readonly #owner: SocketOwner;
  #idle: IdleTimer | null = null;

  readonly server: Server | null;
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

  get parser(): null {
    return null;
  }

  get connecting(): boolean {
    return false;
  }

  get pending(): boolean {
    return false;
  }

  get readyState(): string {
    return 'open';
  }

  get bytesRead(): number {
    return 0;
  }

  get bytesWritten(): number {
    return 0;
  }

  get readableHighWaterMark(): number {
    return HIGH_WATER;
  }

  get writableHighWaterMark(): number {
    return HIGH_WATER;
  }

  /** Always, for what it is asked for: whether a write has to be corked until the next tick. */
  get writableCorked(): number {
    return 1;
  }

  get _writableState(): typeof WRITABLE_STATE {
    return WRITABLE_STATE;
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
