// Body bytes that came before they were asked for, put into buffers of the size the application last read: a loop of
// read(65536) then has each byte copied once, while it is in the cache, and no buffer of a size that fits nothing.
import { Buffer } from 'node:buffer';

/** Bytes; smaller reads are cut from what comes. */
const WORTH = 4096;

export class Gathering {
  /** Of each buffer; 0: nothing is gathered. */
  #size = 0;
  /** The buffer that is not full yet, and how far it is. */
  #open: Uint8Array | null = null;
  #at = 0;

  get active(): boolean {
    return this.#size > 0;
  }

  /** From here on in buffers of `size` bytes. */
  start(size: number): void {
    this.#size = size < WORTH ? 0 : size;
  }

  /** Copies `chunk`; each buffer that is full goes to `full`. */
  add(chunk: Uint8Array, full: (buffer: Uint8Array) => void): void {
    for (let from = 0; from < chunk.length;) {
      const open = (this.#open ??= Buffer.allocUnsafe(this.#size));
      const taken = Math.min(open.length - this.#at, chunk.length - from);
      open.set(chunk.subarray(from, from + taken), this.#at);
      from += taken;
      this.#at += taken;
      if (this.#at < open.length) return;
      this.#open = null;
      this.#at = 0;
      full(open);
    }
  }

  /** The open buffer with its size and how far it is, to be filled by somebody else. */
  handOver(): { buffer: Uint8Array; at: number } | null {
    const buffer = this.#open;
    const at = this.#at;
    this.#open = null;
    this.#at = 0;
    return buffer === null ? null : { buffer, at };
  }

  /** Gathers no more, and gives what is in the open buffer. */
  stop(): Uint8Array | null {
    this.#size = 0;
    const open = this.handOver();
    return open === null ? null : open.buffer.subarray(0, open.at);
  }
}
