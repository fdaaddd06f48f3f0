// The unframed body behind a uwsgi or SCGI header block: CONTENT_LENGTH bytes, and nothing after them.
import { ProtocolError } from './errors.ts';
import type { StreamSink } from './stream-events.ts';

export class StreamBody {
  readonly #sink: StreamSink;
  #declared = 0;
  #remaining = 0;
  #excessReported = false;

  constructor(sink: StreamSink) {
    this.#sink = sink;
  }

  get complete(): boolean {
    return this.#remaining === 0;
  }

  /** What is missing, for the message of a truncation error. */
  get progress(): string {
    return `${this.#declared - this.#remaining} of ${this.#declared} body bytes`;
  }

  /** Starts a body of `declared` bytes; an empty one ends at once. */
  begin(declared: number): void {
    this.#declared = declared;
    this.#remaining = declared;
    if (declared === 0) this.#sink.onBodyEnd();
  }

  /**
   * Passes chunk[start...] on. What comes after the body is never a request, and dropped: a body that could smuggle a second packet in is
   * how unbit/uwsgi#2336 ran foreign code.
   */
  push(chunk: Buffer, start: number): void {
    const size = Math.min(this.#remaining, chunk.length - start);
    if (size > 0) {
      this.#remaining -= size;
      this.#sink.onBody(size === chunk.length ? chunk : chunk.subarray(start, start + size));
      if (this.#remaining === 0) this.#sink.onBodyEnd();
    }
    const end = start + Math.max(0, size);
    if (end >= chunk.length) return;
    const isWanted = this.#sink.onBehind?.(end === 0 ? chunk : chunk.subarray(end)) ?? false;
    if (!isWanted && !this.#excessReported) this.#reportExcess();
  }

  #reportExcess(): void {
    this.#excessReported = true;
    this.#sink.onNotice(
      new ProtocolError(
        'ERR_EXCESS_BODY',
        `Dropped bytes after the body: CONTENT_LENGTH is ${this.#declared}, more came`,
      ),
    );
  }
}
