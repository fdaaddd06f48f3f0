// wsgi.input: Python file semantics over the transport's body reader (PEP 3333, "Input and Error Streams").
import { Buffer } from 'node:buffer';
import type { InputStream } from './contract.ts';
import { GatewayError } from './errors.ts';
import type { BodyReader } from './exchange.ts';

const EMPTY = Buffer.alloc(0);
const NEWLINE = 10;
/** A buffer for what was declared is only made up to here: whoever declares more has to send it first. */
const PREALLOCATE = 1024 * 1024;

/** What the gateway's own input can do beyond the contract; a middleware may have put another in its place. */
export interface PeekableInput extends InputStream {
  /** Whether the body has ended, and was empty. */
  readonly hadNothing: boolean;
  /** Whether the body has ended; waits until that is known. */
  isEmpty(): Promise<boolean>;
  /** At most `size` bytes, as soon as there are any. */
  read1(size: number): Promise<Uint8Array>;
}

export function isPeekable(input: InputStream): input is PeekableInput {
  return 'isEmpty' in input && 'read1' in input;
}

export class Input implements PeekableInput {
  readonly #body: BodyReader;
  /** Bytes taken from the body, those in #rest included. */
  #taken = 0;
  /** Received but not read yet. */
  #rest: Uint8Array = EMPTY;
  #ended = false;
  #busy = false;
  /** True once the application has asked for any of the body. */
  touched = false;

  constructor(body: BodyReader) {
    this.#body = body;
  }

  /** True while the application waits for bytes of the body. */
  get busy(): boolean {
    return this.#busy;
  }

  /** Whether the body has ended, and was empty. */
  get hadNothing(): boolean {
    return this.#body.complete && this.#body.received === 0;
  }

  async read(size?: number): Promise<Uint8Array> {
    if (size === 0) return EMPTY;
    return this.#exclusive(() => this.#take(size === undefined || size < 0 ? Infinity : Math.trunc(size)));
  }

  /** As Python's: at most `size` bytes, as soon as there are any. */
  async read1(size: number): Promise<Uint8Array> {
    return this.#exclusive(async () => ((await this.#fill()) ? this.#cut(size) : EMPTY));
  }

  /** Whether the body has ended; waits until that is known. */
  async isEmpty(): Promise<boolean> {
    return this.#exclusive(async () => !(await this.#fill()));
  }

  async readline(size?: number): Promise<Uint8Array> {
    if (size === 0) return EMPTY;
    return this.#exclusive(() =>
      this.#takeLine(size === undefined || size < 0 ? Infinity : Math.trunc(size)),
    );
  }

  async readlines(hint?: number): Promise<Uint8Array[]> {
    const lines: Uint8Array[] = [];
    const enough = hint === undefined || hint <= 0 ? Infinity : hint;
    for (let total = 0; total < enough;) {
      const line = await this.readline();
      if (line.length === 0) break;
      lines.push(line);
      total += line.length;
    }
    return lines;
  }

  async *[Symbol.asyncIterator](): AsyncIterableIterator<Uint8Array> {
    for (;;) {
      const line = await this.readline();
      if (line.length === 0) return;
      yield line;
    }
  }

  /** Two reads at once would each get a part nobody can place. */
  async #exclusive<T>(take: () => Promise<T>): Promise<T> {
    if (this.#busy) {
      throw new GatewayError(
        'ERR_INPUT_BUSY',
        'Cannot read wsgi.input: another read is still under way, await it first',
      );
    }
    this.#busy = true;
    this.touched = true;
    try {
      return await take();
    } finally {
      this.#busy = false;
    }
  }

  /** Makes #rest non-empty; false at the end of the body. */
  async #fill(): Promise<boolean> {
    while (this.#rest.length === 0) {
      if (this.#ended) return false;
      const chunk = await this.#body.read();
      if (chunk === null) {
        this.#ended = true;
        return false;
      }
      this.#rest = chunk;
      this.#taken += chunk.length;
    }
    return true;
  }

  #cut(size: number): Uint8Array {
    const piece = this.#rest.subarray(0, size);
    this.#rest = this.#rest.subarray(piece.length);
    return piece;
  }

  async #take(size: number): Promise<Uint8Array> {
    const { declared } = this.#body;
    const wanted = declared === -1 ? Infinity : Math.min(size, declared - this.#taken);
    if (this.#rest.length > 0 || wanted > PREALLOCATE || wanted === 0) return this.#takePieces(size);
    const piece = await this.#body.take(wanted);
    this.#taken += piece.length;
    if (this.#taken === declared) this.#ended = true;
    return piece;
  }

  async #takePieces(size: number): Promise<Uint8Array> {
    const pieces: Uint8Array[] = [];
    for (let left = size; left > 0 && (await this.#fill());) {
      const piece = this.#cut(left);
      pieces.push(piece);
      left -= piece.length;
    }
    return join(pieces);
  }

  async #takeLine(size: number): Promise<Uint8Array> {
    const pieces: Uint8Array[] = [];
    for (let left = size; left > 0 && (await this.#fill());) {
      const newline = this.#rest.indexOf(NEWLINE);
      const piece = this.#cut(Math.min(left, newline === -1 ? this.#rest.length : newline + 1));
      pieces.push(piece);
      left -= piece.length;
      if (newline !== -1 && piece[piece.length - 1] === NEWLINE) break;
    }
    return join(pieces);
  }
}

const join = (pieces: readonly Uint8Array[]): Uint8Array =>
  pieces.length === 1 ? (pieces[0] as Uint8Array) : Buffer.concat(pieces);
