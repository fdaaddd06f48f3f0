// Gathers a block of known size (uwsgi vars, an SCGI netstring) and gives it as text. It knows nothing of what is inside.
import { ByteCollector } from './byte-collector.ts';
import { latin1Slice } from './latin1.ts';

export class BlockCollector {
  readonly #pieces = new ByteCollector();

  /** Bytes held so far. */
  get length(): number {
    return this.#pieces.length;
  }

  /**
   * The block of `size` bytes as latin-1 text once chunk[start...] has the rest of it, else null and the bytes are kept.
   * A block that comes whole is not copied. Call it no more after it gave the text.
   */
  collect(chunk: Buffer, start: number, size: number): string | null {
    const held = this.#pieces.length;
    if (held === 0 && chunk.length - start >= size) return latin1Slice(chunk, start, start + size);
    if (start === chunk.length) return null;
    this.#pieces.add(chunk, start, Math.min(chunk.length, start + size - held));
    this.#pieces.own();
    return this.#pieces.length < size ? null : latin1Slice(this.#pieces.buffer, 0, size);
  }
}
