// Joins what arrives in pieces, without copying where it comes in one.

const NOTHING = Buffer.alloc(0);
const FIRST_SIZE = 1024;

/**
 * What was collected stands in `buffer` from `start` to `end`. A first piece is only referred to, without even a view of
 * it; `own()` copies it, which must happen before the caller's chunk may change or be dropped. Further pieces are copied
 * into one buffer that doubles, so a peer that sends single bytes costs no list of tiny chunks.
 */
export class ByteCollector {
  buffer: Buffer = NOTHING;
  start = 0;
  end = 0;
  #owned = false;

  get length(): number {
    return this.end - this.start;
  }

  /** Adds the bytes of `chunk` from `start` to `end`. */
  add(chunk: Buffer, start: number, end: number): void {
    if (this.end === this.start) {
      this.buffer = chunk;
      this.start = start;
      this.end = end;
      this.#owned = false;
      return;
    }
    this.#reserve(this.length + end - start);
    chunk.copy(this.buffer, this.end, start, end);
    this.end += end - start;
  }

  /** Makes the collected bytes independent of the chunks they came in. */
  own(): void {
    if (!this.#owned && this.end > this.start) this.#reserve(this.length);
  }

  /** Forgets what was collected. */
  clear(): void {
    this.buffer = NOTHING;
    this.start = 0;
    this.end = 0;
    this.#owned = false;
  }

  #reserve(wanted: number): void {
    if (this.#owned && this.buffer.length >= wanted) return;
    let size = FIRST_SIZE;
    while (size < wanted) size *= 2;
    const grown = Buffer.allocUnsafe(size);
    const length = this.buffer.copy(grown, 0, this.start, this.end);
    this.buffer = grown;
    this.start = 0;
    this.end = length;
    this.#owned = true;
  }
}
