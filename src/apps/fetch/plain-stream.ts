// A body of text or bytes as a stream of the platform, for middleware that passes `response.body` on to the next Response. As
// long as nobody reads the stream, what it is made of can be sent in its place: reading a stream costs more than a hello.

/** Text or bytes that nobody else can change; null: none. */
export type PlainBody = string | Uint8Array | null;

interface Source {
  readonly body: string | Uint8Array;
  /** Somebody has read some of it, or cancelled it. */
  used: boolean;
}

const sources = new WeakMap<ReadableStream, Source>();
const encoder = new TextEncoder();

export function plainStream(body: string | Uint8Array): ReadableStream {
  const source: Source = { body, used: false };
  const stream = new ReadableStream(
    {
      type: 'bytes',
      pull(controller): void {
        source.used = true;
        // A stream of bytes takes the buffer away from who has it.
        const chunk = typeof body === 'string' ? encoder.encode(body) : new Uint8Array(body);
        if (chunk.length > 0) controller.enqueue(chunk);
        controller.close();
        if (chunk.length === 0) controller.byobRequest?.respond(0);
      },
      cancel(): void {
        source.used = true;
      },
    },
    { highWaterMark: 0 },
  );
  sources.set(stream, source);
  return stream;
}

/** What the stream is made of, while that can be sent in its place; undefined: it was read, or is not one of ours. */
export function plainOf(stream: ReadableStream): string | Uint8Array | undefined {
  const source = sources.get(stream);
  return source === undefined || source.used || stream.locked ? undefined : source.body;
}

export const isUsed = (stream: ReadableStream): boolean => sources.get(stream)?.used ?? false;
