// The body of a response, pulled from a stream of the platform at the pace of the client.
import { setImmediate } from 'node:timers';

/** What is there at once goes out as one, with its length, up to this many bytes. */
const GATHER_LIMIT = 64 * 1024;

const LATER: unique symbol = Symbol('later');
type Step = { done: boolean; value?: Uint8Array };

export interface FirstChunks {
  readonly chunks: readonly Uint8Array[];
  /** What follows, those chunks included; null: that was all. */
  readonly rest: StreamedBody | null;
}

/**
 * Reads what the stream has at once: text and bytes come as streams, too, and their length should be told.
 * @throws what the stream fails with
 */
export async function firstChunks(stream: ReadableStream): Promise<FirstChunks> {
  const reader = stream.getReader() as ReadableStreamDefaultReader<Uint8Array>;
  const chunks: Uint8Array[] = [];
  const later = new Promise<typeof LATER>((resolve) => {
    // The stream of a Blob needs a second turn of the event loop (Node 24).
    setImmediate(() => setImmediate(resolve, LATER));
  });
  for (let size = 0; ;) {
    const pending = reader.read() as Promise<Step>;
    const step = size > GATHER_LIMIT ? LATER : await Promise.race([pending, later]);
    if (step === LATER) return { chunks, rest: new StreamedBody(reader, [...chunks], pending) };
    if (step.done) return { chunks, rest: null };
    // Its length may be that of anything; the gateway says what is wrong with a chunk that is not bytes.
    if (!(step.value instanceof Uint8Array))
      return { chunks, rest: new StreamedBody(reader, [...chunks], Promise.resolve(step)) };
    chunks.push(step.value);
    size += step.value.length;
  }
}

/** The rest of a stream. Closed early it is cancelled, and a read under way ends. */
export class StreamedBody implements AsyncIterable<Uint8Array>, AsyncIterator<Uint8Array> {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #chunks: Uint8Array[];
  #pending: Promise<Step> | null;
  #ended = false;

  constructor(reader: ReadableStreamDefaultReader<Uint8Array>, chunks: Uint8Array[], pending: Promise<Step>) {
    this.#reader = reader;
    this.#chunks = chunks;
    this.#pending = pending;
    // Its failure is found when it is asked for; that may be later.
    pending.catch(() => undefined);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Uint8Array>> {
    const chunk = this.#chunks.shift();
    if (chunk !== undefined) return { done: false, value: chunk };
    try {
      const { done, value } = await (this.#pending ?? this.#reader.read());
      this.#pending = null;
      this.#ended = done;
      return done ? { done: true, value: undefined } : { done: false, value: value as Uint8Array };
    } catch (error) {
      this.#ended = true;
      throw error;
    }
  }

  async return(): Promise<IteratorResult<Uint8Array>> {
    await this.close();
    return { done: true, value: undefined };
  }

  /** Tells the stream that nobody wants the rest. */
  async close(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    await this.#reader.cancel(new DOMException('The client has left', 'AbortError'));
  }
}
