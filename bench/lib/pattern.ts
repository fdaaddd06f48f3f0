// Bytes that client and app can both make without a file: cheap, and no piece may be lost, doubled or swapped unseen.
import { createHash } from 'node:crypto';

/** Bytes of one piece. */
export const PIECE = 64 * 1024;

const base = makeBase();

/** Piece number `index`: the same noise everywhere, with the number written over it at several places. */
export function pieceAt(index: number): Buffer {
  const piece = Buffer.allocUnsafe(PIECE);
  base.copy(piece);
  for (let at = 0; at < PIECE; at += 8192) piece.writeUInt32LE(index, at);
  return piece;
}

/** SHA-256 of the first `count` pieces, in hex. */
export function hashOfPieces(count: number): string {
  const hash = createHash('sha256');
  for (let index = 0; index < count; index += 1) hash.update(pieceAt(index));
  return hash.digest('hex');
}

/** A xorshift generator with a fixed seed (Marsaglia 2003). */
function makeBase(): Buffer {
  const bytes = Buffer.alloc(PIECE);
  let state = 0x2545f491;
  for (let at = 0; at < PIECE; at += 4) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes.writeInt32LE(state, at);
  }
  return bytes;
}
