// Two streams in memory, each of which reads what the other writes: a connection without a socket.
import { DuplexSocket } from './duplex-socket.ts';

/** One end. It waits with each write until the other end wants bytes. */
export class PipeEnd extends DuplexSocket {
  other: PipeEnd | null = null;
  #taken: (() => void) | null = null;

  override _read(): void {
    this.#release();
  }

  #release(): void {
    const taken = this.#taken;
    this.#taken = null;
    taken?.();
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, done: () => void): void {
    this.idle.touch();
    this.other?.receive(chunk, done);
  }

  override _final(done: () => void): void {
    this.other?.receive(null, done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    const { other } = this;
    this.idle.set(0);
    if (other !== null && !other.destroyed) process.nextTick(() => other.destroy());
    done(error);
  }

  receive(chunk: Uint8Array | null, taken: () => void): void {
    this.#taken = taken;
    this.idle.touch();
    // Past its end nobody reads any more, and what waits there would wait for ever.
    if (!this.push(chunk) && chunk !== null) return;
    this.#release();
  }
}

export function memoryPipe(): [PipeEnd, PipeEnd] {
  const [one, other] = [new PipeEnd(), new PipeEnd()];
  one.other = other;
  other.other = one;
  return [one, other];
}
