// A request body as a stream of the platform, read at the pace of whoever reads it.
import type { InputStream } from '../../gateway/contract.ts';
import { Input } from '../../gateway/input.ts';

const CHUNK = 64 * 1024;

/** Nothing is read before it is asked for; what is left unread is the gateway's to throw away. */
export function bodyStream(input: InputStream): ReadableStream {
  const read = (): Promise<Uint8Array> => (input instanceof Input ? input.read1(CHUNK) : input.read(CHUNK));
  return new ReadableStream(
    {
      type: 'bytes',
      async pull(controller): Promise<void> {
        const chunk = await read();
        if (chunk.length > 0) {
          controller.enqueue(detachable(chunk));
          return;
        }
        controller.close();
        // A reader that brought its own buffer waits for it.
        controller.byobRequest?.respond(0);
      },
    },
    { highWaterMark: 0 },
  );
}

/** A stream of bytes takes the whole buffer away from who had it; ours may hold what belongs to others. */
const detachable = (chunk: Uint8Array): Uint8Array =>
  chunk.buffer.byteLength === chunk.byteLength ? chunk : new Uint8Array(chunk);
