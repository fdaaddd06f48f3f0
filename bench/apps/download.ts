// The gateway app that gives a large body in pieces, at the pace of who reads it.
import type { Application } from '../../src/gateway/contract.ts';
import { BULK_BYTES, BULK_PIECE, BULK_PIECES } from '../lib/bulk.ts';

export const download: Application = (_environ, startResponse) => {
  startResponse('200 OK', [
    ['Content-Type', 'application/octet-stream'],
    ['Content-Length', String(BULK_BYTES)],
  ]);
  return produce();
};

function* produce(): Generator<Uint8Array> {
  for (let count = 0; count < BULK_PIECES; count += 1) yield BULK_PIECE;
}
