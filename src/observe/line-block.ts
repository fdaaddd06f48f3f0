// Lines of a log as bytes, put together field by field: no strings are made only to be joined, flattened and encoded again.
// May not know what the lines say.

const PLAIN = new Uint8Array(256).map((_, code) =>
  code >= 0x20 && code < 0x7f && code !== 0x22 && code !== 0x5c ? 1 : 0,
);
const DIGIT_0 = 0x30;
const MAX_INT = 2 ** 31 - 1;

export class LineBlock {
  readonly #size: number;
  #bytes: Buffer;
  #length = 0;
  #lineStart = 0;
  #lines = 0;

  /** @param size bytes that are taken together, if no line is longer by itself */
  constructor(size: number) {
    this.#size = size;
    this.#bytes = Buffer.allocUnsafeSlow(size);
  }

  /** Whole ones. */
  get lines(): number {
    return this.#lines;
  }

  /** The last field of a line is in. Returns false where it does not fit into `size` any more beside those before it. */
  endLine(): boolean {
    this.#lines++;
    const fits = this.#length <= this.#size || this.#lineStart === 0;
    if (fits) this.#lineStart = this.#length;
    return fits;
  }

  /** The lines so far, but for a last one that does not fit, which stays. */
  take(): { bytes: Buffer; lines: number } {
    const bytes = this.#bytes.subarray(0, this.#lineStart);
    const rest = this.#bytes.subarray(this.#lineStart, this.#length);
    const kept = rest.length === 0 ? 0 : 1;
    const lines = this.#lines - kept;
    this.#bytes = Buffer.allocUnsafeSlow(Math.max(this.#size, rest.length));
    this.#length = rest.copy(this.#bytes);
    this.#lineStart = this.#length;
    this.#lines = kept;
    return { bytes, lines };
  }

  /** Bytes as they are. A loop: for so few, set() and copy() take longer to begin than to do. */
  raw(from: Uint8Array): void {
    const { length } = from;
    const bytes = this.#room(length);
    let at = this.#length;
    // `??` would take as long as the rest of the loop
    for (let index = 0; index < length; index++) bytes[at++] = from[index] as number;
    this.#length = at;
  }

  byte(code: number): void {
    this.#room(1)[this.#length++] = code;
  }

  /** Text that is known to be ASCII. */
  ascii(text: string): void {
    const bytes = this.#room(text.length);
    let at = this.#length;
    for (let index = 0; index < text.length; index++) bytes[at++] = text.charCodeAt(index);
    this.#length = at;
  }

  /** Printable ASCII without quote and backslash as it is; text with anything else as `escape` gives it, in ASCII. */
  escaped(text: string, escape: (text: string) => string): void {
    const bytes = this.#room(text.length);
    let at = this.#length;
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index);
      if (PLAIN[code] !== 1) {
        this.ascii(escape(text));
        return;
      }
      bytes[at++] = code;
    }
    this.#length = at;
  }

  /** A whole number from 0 on, in `width` digits at least; anything else is 0. */
  integer(value: number, width = 1): void {
    if (!(value >= 0 && value <= MAX_INT && Number.isInteger(value))) {
      this.ascii(String(Number.isSafeInteger(value) && value > 0 ? value : 0).padStart(width, '0'));
      return;
    }
    let rest = value | 0;
    let digits = 1;
    for (let limit = 10; digits < 10 && rest >= limit; limit *= 10) digits++;
    if (digits < width) digits = width;
    const bytes = this.#room(digits);
    let at = this.#length + digits;
    this.#length = at;
    // By integers: twice as fast as by Math.floor()
    for (; digits > 0; digits--) {
      const tens = (rest / 10) | 0;
      bytes[--at] = DIGIT_0 + rest - tens * 10;
      rest = tens;
    }
  }

  #room(count: number): Buffer {
    const wanted = this.#length + count;
    if (wanted > this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(wanted, 2 * this.#bytes.length));
      this.#bytes.copy(larger, 0, 0, this.#length);
      this.#bytes = larger;
    }
    return this.#bytes;
  }
}
