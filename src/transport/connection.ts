// One accepted socket: its states, its deadlines, how it is written to and how it is closed without losing a byte.
// It knows no protocol; a subclass turns bytes into requests and back.
import type { Socket } from 'node:net';
import type { DetectedProtocol } from '../protocol/detect.ts';
import type { ConnectionState } from '../observe/listener-metrics.ts';
import type { OpenConnection, Take, TransportContext } from './context.ts';
import type { Flow } from './flow-control.ts';
import { detach, isStill } from './handle.ts';
import { Reading } from './reading.ts';
import { LINGER_PAUSE, LINGER_TOTAL } from './timeouts.ts';

/** Chunks after which a connection is read through Reading; one that brings a single request never pays for it. */
const SEVERAL = 4;

export abstract class Connection implements Flow, OpenConnection {
  abstract readonly protocol: DetectedProtocol;
  protected socket: Socket;
  protected readonly context: TransportContext;
  /** performance.now() when the chunk that is being read arrived. */
  protected readAt = 0;
  /** The peer has sent its FIN. */
  protected peerEnded = false;
  place = -1;
  #reading: Reading | null = null;
  #chunks = 0;
  #state: ConnectionState = 'idle';
  #deadline: number;
  #closing = false;
  #lingerUntil = 0;
  #pauses = 0;
  #waiters: (() => void)[] = [];
  /** False: the server drains, so the connection closes once nothing is in flight. */
  #reusable = true;

  constructor(socket: Socket, context: TransportContext) {
    this.socket = socket;
    this.context = context;
    this.#deadline = context.ticker.now + context.timeouts.idle;
    socket.on('data', (chunk: Buffer) => this.receive(chunk));
    this.#listen(socket);
  }

  get closing(): boolean {
    return this.#closing;
  }

  get reusable(): boolean {
    return this.#reusable;
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** Bytes from the peer; good until it returns, see keep(). */
  receive(chunk: Buffer): void {
    this.readAt = performance.now();
    if (this.#closing) {
      this.#deadline = Math.min(this.readAt + LINGER_PAUSE, this.#lingerUntil);
      return;
    }
    this.decode(chunk);
    this.#chunks += 1;
    if (this.#chunks >= SEVERAL && this.#reading === null) this.#readOn();
  }

  /** Closes after its next request. */
  serveOnce(): void {
    this.#reusable = false;
  }

  /** Closes once nothing is in flight: at once when idle. */
  drain(): void {
    this.serveOnce();
    if (this.#state === 'idle') this.finish();
  }

  moveTo(take: Take): void {
    if (this.#state !== 'idle' || !this.atBoundary || !isStill(this.socket)) return;
    const handle = detach(this.socket);
    if (handle === null) this.drain();
    else take(handle, this.protocol);
  }

  tick(now: number): void {
    if (now >= this.#deadline) {
      this.#expired(now);
      return;
    }
    // Not once: over TCP a first probe only draws the reset that the next one meets, and a peer may leave long after its FIN.
    if (this.peerEnded && !this.#closing && this.socket.writableLength === 0) this.probe();
    this.tickRequests(now);
  }

  pause(): void {
    this.#pauses += 1;
    if (this.#pauses === 1) this.socket.pause();
  }

  resume(): void {
    this.#pauses -= 1;
    if (this.#pauses === 0) this.socket.resume();
  }

  keep(part: Buffer): Buffer {
    return this.#reading === null ? part : this.#reading.keep(part);
  }

  /** Writes all parts as one; false above the high-water mark. `timeout` starts where the peer does not keep up. */
  write(parts: readonly Uint8Array[], timeout: number): boolean {
    const { socket } = this;
    if (socket.destroyed || this.#closing) return true;
    if (parts.length > 1) socket.cork();
    let below = true;
    for (const part of parts) below = socket.write(part);
    if (parts.length > 1) socket.uncork();
    // Only where the kernel did not take it all. The socket's own timer sees progress inside one long write; no event does.
    if (socket.writableLength > 0 && socket.timeout !== timeout) socket.setTimeout(timeout);
    return below;
  }

  /** Resolves when the socket has sent what was written, or is closed. */
  drained(): Promise<void> {
    if (this.socket.destroyed || !this.socket.writableNeedDrain) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  /**
   * Ends our side after what was written, then reads and drops what the peer still sends: closing with unread bytes would
   * reset the connection, and nginx would lose a response it has not read yet.
   */
  finish(): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#deadline = Infinity;
    this.#lingerUntil = Infinity;
    this.socket.end();
  }

  /** Ends our side, and goes on reading; `done` when it is out, or will never be. */
  endSide(done: () => void): void {
    if (this.socket.destroyed) done();
    else this.socket.end(() => done());
  }

  destroy(): void {
    this.#closing = true;
    this.socket.destroy();
  }

  protected setState(state: ConnectionState): void {
    if (state !== this.#state) {
      this.context.metrics.moved(this.#state, state);
      this.#state = state;
    } else if (state !== 'idle') {
      // Who goes on in the same state does not get more time for it.
      return;
    }
    if (this.#closing) return;
    const { now } = this.context.ticker;
    const { timeouts } = this.context;
    if (state === 'idle') {
      this.#deadline = now + timeouts.idle;
      this.context.rested(this);
    } else if (state === 'reading') {
      this.#deadline = now + timeouts.params;
    } else {
      this.#deadline = Infinity;
    }
  }

  /** While nothing is in flight: whether no byte was read of what comes next. */
  protected abstract get atBoundary(): boolean;

  protected abstract decode(chunk: Buffer): void;
  /** The peer sends no more. */
  protected abstract ended(): void;
  /** Writes what fails where a peer that ended its side does not read any more either, and means nothing to one that does. */
  protected abstract probe(): void;
  /** The params of a request did not come in time. */
  protected abstract paramsTimedOut(): void;
  /** The peer has not taken a byte of a response for too long. */
  protected abstract sendTimedOut(): void;
  /** Nothing can be sent any more. */
  protected abstract lost(): void;
  /** Looks after the deadlines of request bodies. */
  protected abstract tickRequests(now: number): void;

  #listen(socket: Socket): void {
    socket.on('end', () => this.#ended());
    socket.on('drain', () => this.#wake());
    socket.on('timeout', () => this.#stalled());
    socket.on('finish', () => this.#linger());
    // An error is always followed by 'close', which says the same to everybody.
    socket.on('error', () => undefined);
    socket.on('close', () => this.#closed());
  }

  /** Reads the cheaper way from here on: what has sent several chunks most likely sends more. */
  #readOn(): void {
    const { socket } = this;
    // A drain that is due would never be heard of.
    if (this.#closing || this.#pauses > 0 || socket.writableNeedDrain || !isStill(socket)) return;
    const handle = detach(socket);
    if (handle === null) return;
    socket.removeAllListeners();
    this.#reading = new Reading(handle, (chunk) => this.receive(chunk));
    this.socket = this.#reading.socket;
    this.#listen(this.socket);
  }

  #ended(): void {
    this.peerEnded = true;
    if (!this.#closing) this.ended();
  }

  #expired(now: number): void {
    if (this.socket.writableLength > 0) {
      // A long response is still on its way out; the send timeout looks after that.
      this.#deadline = now + LINGER_PAUSE;
      return;
    }
    this.#deadline = Infinity;
    if (this.#closing) this.socket.destroy();
    else if (this.#state === 'reading') this.paramsTimedOut();
    else this.finish();
  }

  /** Our FIN is out. */
  #linger(): void {
    const { now } = this.context.ticker;
    this.#lingerUntil = now + LINGER_TOTAL;
    this.#deadline = now + LINGER_PAUSE;
  }

  #stalled(): void {
    this.socket.setTimeout(0);
    if (this.socket.writableLength > 0) this.sendTimedOut();
  }

  #wake(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }

  #closed(): void {
    this.#closing = true;
    this.context.metrics.closed(this.#state);
    this.lost();
    this.#wake();
    this.context.closed(this);
  }
}
