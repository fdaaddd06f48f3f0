// Joins what arrives in pieces, without copying where it comes in one.

const FIRST_SIZE = 1024;

/**
 * A first piece is only referred to; `own()` copies it, which must happen before the caller's chunk may change or be dropped.
 * Further pieces are copied into one buffer that doubles, so a peer that sends single bytes costs no list of tiny chunks.
 */
export class ByteCollector {
  #bytes: Buffer | null = null;
  #length = 0;
  #owned = false;

  get length(): number {
    return this.#length;
  }

  /** The bytes so far; valid until the next add(). */
  get bytes(): Buffer {
    return this.#bytes === null ? Buffer.alloc(0) : this.#bytes.subarray(0, this.#length);
  }

  add(piece: Buffer): void {
    if (this.#length === 0 && !this.#owned) {
      this.#bytes = piece;
      this.#length = piece.length;
      return;
    }
    this.#reserve(this.#length + piece.length);
    piece.copy(this.#bytes as Buffer, this.#length);
    this.#length += piece.length;
  }

  /** Makes the collected bytes independent of the chunks they came in. */
  own(): void {
    if (!this.#owned && this.#length > 0) this.#reserve(this.#length);
  }

  #reserve(wanted: number): void {
    const old = this.#bytes;
    if (this.#owned && old !== null && old.length >= wanted) return;
    let size = FIRST_SIZE;
    while (size < wanted) size *= 2;
    const grown = Buffer.allocUnsafe(size);
    old?.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
    this.#owned = true;
  }
}
