// The gateway apps of the heavy transfers: one hashes what it reads, one makes bytes, one tells how far they are.
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Application, Environ } from '../../src/gateway/contract.ts';
import { pieceAt } from '../lib/pattern.ts';

/** Bytes since the daemon began. */
const progress = { read: 0, produced: 0 };

/**
 * Reads wsgi.input in 64 KiB pieces and answers with "BYTES SHA256".
 * Query: `slow=COUNT` sleeps for a millisecond after each of the first COUNT pieces.
 */
export const upload: Application = async (environ, startResponse) => {
  const slow = numberOf(environ, 'slow');
  const input = environ['wsgi.input'];
  const hash = createHash('sha256');
  let total = 0;
  for (let count = 0; ; count += 1) {
    const piece = await input.read(64 * 1024);
    if (piece.length === 0) break;
    hash.update(piece);
    total += piece.length;
    progress.read += piece.length;
    if (count < slow) await sleep(1);
  }
  startResponse('200 OK', [['Content-Type', 'text/plain']]);
  return [Buffer.from(`${total} ${hash.digest('hex')}`)];
};

/**
 * Gives `pieces` pieces of the pattern through an async generator, without a Content-Length.
 * Query: `buffered=1` lets nginx buffer, which it would not do with a stream by itself.
 */
export const download: Application = (environ, startResponse) => {
  const headers: [string, string][] = [['Content-Type', 'application/octet-stream']];
  if (numberOf(environ, 'buffered') === 1) headers.push(['X-Accel-Buffering', 'yes']);
  startResponse('200 OK', headers);
  return produce(numberOf(environ, 'pieces'));
};

async function* produce(pieces: number): AsyncGenerator<Uint8Array> {
  for (let index = 0; index < pieces; index += 1) {
    const piece = pieceAt(index);
    progress.produced += piece.length;
    yield piece;
  }
}

export const told: Application = (_environ, startResponse) => {
  startResponse('200 OK', [['Content-Type', 'application/json']]);
  return [Buffer.from(JSON.stringify(progress))];
};

function numberOf(environ: Environ, name: string): number {
  return Number(new URLSearchParams(environ.QUERY_STRING).get(name) ?? 0);
}
