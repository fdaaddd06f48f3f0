// The client's connection after a 101, as the application has it: raw bytes both ways, with back-pressure.
// It knows no protocol, and of the connection only what TunnelLink has.
import { Duplex } from 'node:stream';
import type { Tunnel as TunnelContract } from '../gateway/contract.ts';
import { BODY_LOW_WATER, SEND_HIGH_WATER } from './flow-control.ts';

/** What a tunnel needs of the connection below it. */
export interface TunnelLink {
  /** False above the high-water mark. A peer that takes nothing for too long loses the connection. */
  write(parts: readonly Uint8Array[]): boolean;
  drained(): Promise<void>;
  /** Ends our side; `done` when that is out. */
  end(done: () => void): void;
  pause(): void;
  resume(): void;
  destroy(): void;
}

export class Tunnel extends Duplex implements TunnelContract {
  readonly #link: TunnelLink;
  #paused = false;
  #peerEnded = false;
  bytesRead = 0;
  bytesWritten = 0;

  constructor(link: TunnelLink) {
    super({ readableHighWaterMark: BODY_LOW_WATER, writableHighWaterMark: SEND_HIGH_WATER });
    this.#link = link;
  }

  /** Bytes from the peer, which stay as they are. */
  receive(chunk: Uint8Array): void {
    if (this.destroyed || this.#peerEnded) return;
    this.bytesRead += chunk.length;
    if (this.push(chunk) || this.#paused) return;
    this.#paused = true;
    this.#link.pause();
  }

  /** The peer sends no more. */
  receiveEnd(): void {
    if (this.#peerEnded || this.destroyed) return;
    this.#peerEnded = true;
    this.push(null);
    // Without it an application that never reads would not hear of the end.
    this.read(0);
  }

  /**
   * The connection is gone.
   * @returns true where that came before both sides had ended
   */
  lost(): boolean {
    if (this.destroyed) return false;
    if (this.#peerEnded && this.writableFinished) {
      // Who has not begun to read will not: what is left would wait for ever.
      if (this.readableFlowing === null && this.listenerCount('readable') === 0) this.destroy();
      return false;
    }
    // Without an error: an application that has no listener for one would lose its process.
    this.destroy();
    return true;
  }

  override _read(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#link.resume();
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, done: () => void): void {
    this.#send([chunk], done);
  }

  override _writev(pieces: { chunk: Uint8Array }[], done: () => void): void {
    this.#send(
      pieces.map(({ chunk }) => chunk),
      done,
    );
  }

  override _final(done: () => void): void {
    this.#link.end(done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#link.destroy();
    done(error);
  }

  async #whenDrained(done: () => void): Promise<void> {
    await this.#link.drained();
    done();
  }

  #send(parts: readonly Uint8Array[], done: () => void): void {
    for (const part of parts) this.bytesWritten += part.length;
    if (this.#link.write(parts)) done();
    else void this.#whenDrained(done);
  }
}
