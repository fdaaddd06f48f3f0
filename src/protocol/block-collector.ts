// Gathers a block of known size (uwsgi vars, an SCGI netstring) and gives it as text. It knows nothing of what is inside.

/** Node's own binding behind toString('latin1'), without its argument checks; missing in @types/node. */
interface Latin1Sliceable {
  latin1Slice(start: number, end: number): string;
}

const FIRST_SIZE = 2048;

export class BlockCollector {
  #buffer: Buffer | null = null;
  #length = 0;

  /** Bytes held so far. */
  get length(): number {
    return this.#length;
  }

  /**
   * The block of `size` bytes as latin-1 text once chunk[start...] has the rest of it, else null and the bytes are kept.
   * A block that comes whole is not copied. A split one goes into one buffer that doubles, up to `size`: neither a list
   * of one-byte chunks nor a full buffer for a peer that only announced a size.
   */
  collect(chunk: Buffer, start: number, size: number): string | null {
    if (this.#length === 0 && chunk.length - start >= size) return latin1(chunk, start, start + size);
    const end = Math.min(chunk.length, start + size - this.#length);
    if (end === start) return null;
    const buffer = this.#reserve(this.#length + end - start, size);
    chunk.copy(buffer, this.#length, start, end);
    this.#length += end - start;
    if (this.#length < size) return null;
    this.#buffer = null;
    this.#length = 0;
    return latin1(buffer, 0, size);
  }

  #reserve(needed: number, size: number): Buffer {
    const old = this.#buffer;
    if (old !== null && old.length >= needed) return old;
    const grown = Buffer.allocUnsafe(Math.min(size, Math.max(FIRST_SIZE, needed, 2 * (old?.length ?? 0))));
    old?.copy(grown, 0, 0, this.#length);
    this.#buffer = grown;
    return grown;
  }
}

function latin1(buffer: Buffer, start: number, end: number): string {
  return (buffer as Buffer & Latin1Sliceable).latin1Slice(start, end);
}
