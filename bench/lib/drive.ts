// How nginx is loaded: many small requests by wrk, or large bodies one after the other by a client in this process.
import { startCall, request } from '../../test/helpers/http-client.ts';
import { BULK_BYTES, BULK_PIECE, BULK_PIECES } from './bulk.ts';
import type { Figures } from './scenario.ts';
import { runWrk } from './wrk.ts';

/** What a run has done. */
export interface Work {
  /** Requests, or GB (10^9 bytes) of body. */
  readonly units: number;
  readonly figures: Figures;
}

export interface Drive {
  /** At a time. */
  readonly connections: number;
  /** @throws {Error} where the answer is wrong: a backend that is fast but wrong is not measured */
  check(port: number): Promise<void>;
  run(port: number, seconds: number): Promise<Work>;
}

export interface Page {
  readonly connections: number;
  /** The whole body of the answer. */
  readonly wanted: string;
  readonly headers?: readonly (readonly [name: string, value: string])[];
}

const PATH = '/hello/world?name=you';

/** The same page again and again. */
export function askPages({ connections, wanted, headers = [] }: Page): Drive {
  return {
    connections,
    async check(port) {
      const { status, text } = await request({ port, path: PATH, headers });
      if (status !== 200 || text !== wanted)
        throw new Error(
          `Cannot measure: the backend answered ${status} ${quote(text)}, wanted ${quote(wanted)}`,
        );
    },
    async run(port, seconds) {
      const url = `http://127.0.0.1:${port}${PATH}`;
      const { requests, ...figures } = await runWrk({ url, connections, seconds, headers });
      return { units: requests, figures };
    },
  };
}

/** Downloads, whole ones, until the time is over. */
export const downloads: Drive = bulk(async (port) => {
  const call = startCall({ port, path: '/download', onChunk: () => undefined });
  const { status, complete } = await call.done;
  if (status !== 200 || !complete || call.received !== BULK_BYTES)
    throw new Error(
      `Cannot measure: the download was ${status} with ${call.received} bytes, wanted ${BULK_BYTES}`,
    );
});

/** Uploads, likewise; the app answers with the number of bytes that it has read. */
export const uploads: Drive = bulk(async (port) => {
  const { status, text } = await request({
    port,
    method: 'POST',
    path: '/upload',
    headers: [['Content-Length', String(BULK_BYTES)]],
    body: pieces(),
  });
  if (status !== 200 || text !== String(BULK_BYTES))
    throw new Error(
      `Cannot measure: the upload was answered with ${status} ${quote(text)}, wanted ${BULK_BYTES}`,
    );
});

function bulk(transfer: (port: number) => Promise<void>): Drive {
  return {
    connections: 1,
    check: transfer,
    async run(port, seconds) {
      const startedAt = performance.now();
      let bytes = 0;
      let elapsed = 0;
      while (elapsed < seconds) {
        await transfer(port);
        bytes += BULK_BYTES;
        elapsed = (performance.now() - startedAt) / 1000;
      }
      return { units: bytes / 1e9, figures: { rate: bytes / elapsed } };
    },
  };
}

async function* pieces(): AsyncGenerator<Uint8Array> {
  for (let count = 0; count < BULK_PIECES; count += 1) yield BULK_PIECE;
}

/** The beginning is enough to see what it is. */
const quote = (text: string): string => JSON.stringify(text.slice(0, 80));
