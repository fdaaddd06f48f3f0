// The connection of a request with an Upgrade header: node:http has let go of it, so it is read and written here.
import type { Buffer } from 'node:buffer';
import type { Socket } from 'node:net';
import { BODY_LOW_WATER } from '../flow-control.ts';
import { Tunnel } from '../tunnel.ts';

export interface RawSocketOwner {
  /** The connection is gone, or its client takes nothing any more. */
  left(reason: 'client_gone' | 'send_timeout'): void;
  /** What was written is in the kernel. */
  drained(): void;
}

export class RawSocket {
  readonly #socket: Socket;
  readonly #owner: RawSocketOwner;
  #tunnel: Tunnel | null = null;
  /** Came before there was a tunnel; null: nobody wants it. */
  #early: Buffer[] | null = [];
  #earlyBytes = 0;
  #hasEnded = false;
  #waiters: (() => void)[] = [];

  /** @param head what came behind the request */
  constructor(socket: Socket, head: Buffer, owner: RawSocketOwner) {
    this.#socket = socket;
    this.#owner = owner;
    if (head.length > 0) this.#receive(head);
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('end', () => this.#ended());
    socket.on('drain', () => this.#wake());
    socket.on('timeout', () => this.#stalled());
    // An error is always followed by 'close'.
    socket.on('error', () => undefined);
    socket.on('close', () => this.#closed());
  }

  /** Writes `text`; what follows is the tunnel's. */
  upgrade(text: string, sendTimeout: number): Tunnel {
    const socket = this.#socket;
    const tunnel = new Tunnel({
      write: (parts) => this.#write(parts, sendTimeout),
      drained: () => this.#drained(),
      end: (done) => this.#endSide(done),
      pause: () => socket.pause(),
      resume: () => socket.resume(),
      destroy: () => socket.destroy(),
    });
    this.#tunnel = tunnel;
    socket.setTimeout(0);
    socket.write(text, 'latin1');
    const early = this.#early ?? [];
    this.#early = [];
    if (socket.isPaused()) socket.resume();
    for (const chunk of early) tunnel.receive(chunk);
    return tunnel;
  }

  /** There will be no tunnel: what comes is dropped. */
  discard(): void {
    this.#early = null;
    this.#socket.resume();
  }

  #receive(chunk: Buffer): void {
    if (this.#tunnel !== null) {
      this.#tunnel.receive(chunk);
      return;
    }
    if (this.#early === null) return;
    this.#early.push(chunk);
    this.#earlyBytes += chunk.length;
    if (this.#earlyBytes >= BODY_LOW_WATER) this.#socket.pause();
  }

  #ended(): void {
    this.#hasEnded = true;
    if (this.#tunnel === null) {
      // As node:http takes it: who ends its side before there is an answer has left.
      if (this.#early !== null) this.#socket.destroy();
      return;
    }
    this.#tunnel.receiveEnd();
    this.probe();
  }

  /** On a Unix socket even an empty write fails where nobody reads any more; over TCP it means nothing. */
  probe(): void {
    const socket = this.#socket;
    if (!this.#hasEnded || this.#tunnel === null || this.#tunnel.readableLength > 0) return;
    if (socket.writable && socket.writableLength === 0) socket.write(new Uint8Array(0));
  }

  #write(parts: readonly Uint8Array[], timeout: number): boolean {
    const socket = this.#socket;
    if (socket.destroyed) return true;
    if (parts.length > 1) socket.cork();
    let below = true;
    for (const part of parts) below = socket.write(part);
    if (parts.length > 1) socket.uncork();
    if (socket.writableLength > 0 && socket.timeout !== timeout) socket.setTimeout(timeout);
    return below;
  }

  #drained(): Promise<void> {
    if (this.#socket.destroyed || !this.#socket.writableNeedDrain) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  #endSide(done: () => void): void {
    if (this.#socket.destroyed) done();
    else this.#socket.end(() => done());
  }

  #stalled(): void {
    this.#socket.setTimeout(0);
    if (this.#socket.writableLength === 0) return;
    this.#owner.left('send_timeout');
    this.#socket.destroy();
  }

  #closed(): void {
    this.#owner.left('client_gone');
    this.#wake();
  }

  #wake(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
    this.#owner.drained();
  }
}
