// Text that a worker's code prints, cut into lines for the log: bounded in length and in number, so that who prints
// without end costs lines and nothing else. Knows no process and no log.
import type { Buffer } from 'node:buffer';
import { StringDecoder } from 'node:string_decoder';

/** Characters of a line; a longer one is cut. */
export const MAX_LINE = 8192;
/** Lines let through in a second. */
export const MAX_LINES = 500;

export interface LineCaptureOptions {
  /** Told each line, without its line feed. */
  readonly onLine: (line: string) => void;
  /** Told how many lines of a second were left out, when the next one comes, or at the end. */
  readonly onLeftOut: (count: number) => void;
  /** Milliseconds of a clock that never steps back, such as performance.now(). */
  readonly now: () => number;
}

export class LineCapture {
  readonly #options: LineCaptureOptions;
  readonly #decoder = new StringDecoder('utf8');
  #partial = '';
  /** The line under way was too long: the rest of it is dropped. */
  #cut = false;
  #second = 0;
  #lines = 0;
  #leftOut = 0;

  constructor(options: LineCaptureOptions) {
    this.#options = options;
  }

  push(chunk: Buffer): void {
    const text = this.#decoder.write(chunk);
    let start = 0;
    for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', start)) {
      this.#add(text, start, end);
      this.#finishLine();
      start = end + 1;
    }
    this.#add(text, start, text.length);
  }

  /** The stream has ended: what is there counts as a line. */
  end(): void {
    this.#add(this.#decoder.end(), 0);
    if (this.#partial !== '') this.#finishLine();
    this.#reportLeftOut();
  }

  #add(text: string, start: number, end: number = text.length): void {
    if (this.#cut || start === end) return;
    const room = MAX_LINE - this.#partial.length;
    this.#cut = end - start > room;
    this.#partial += text.slice(start, Math.min(end, start + room));
  }

  #finishLine(): void {
    const line = this.#cut ? `${this.#partial}…` : this.#partial;
    this.#partial = '';
    this.#cut = false;
    const second = Math.floor(this.#options.now() / 1000);
    if (second !== this.#second) {
      this.#reportLeftOut();
      this.#second = second;
      this.#lines = 0;
    }
    this.#lines += 1;
    if (this.#lines > MAX_LINES) this.#leftOut += 1;
    else if (line !== '') this.#options.onLine(line);
  }

  #reportLeftOut(): void {
    if (this.#leftOut > 0) this.#options.onLeftOut(this.#leftOut);
    this.#leftOut = 0;
  }
}
