// The gateway app that reads a whole body in pieces of 64 KiB, drops them, and answers with their number of bytes.
import type { Application } from '../../src/gateway/contract.ts';
import { PIECE } from '../lib/pattern.ts';

export const upload: Application = async (environ, startResponse) => {
  const input = environ['wsgi.input'];
  let total = 0;
  for (;;) {
    const piece = await input.read(PIECE);
    if (piece.length === 0) break;
    total += piece.length;
  }
  startResponse('200 OK', [['Content-Type', 'text/plain']]);
  return [Buffer.from(String(total))];
};
