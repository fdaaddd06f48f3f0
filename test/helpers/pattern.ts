// Bodies of any size that are not the same everywhere, so that a lost or doubled piece shows. The fixture apps make the
// same bytes with a generator of their own (test/fixtures/apps/lib/pattern.js).
import { createHash } from 'node:crypto';

const BLOCK = 64 * 1024;

export function patternBytes(size: number): Buffer {
  const base = Buffer.from(Array.from({ length: BLOCK }, (_, i) => (i * 167 + (i >> 8) * 13) & 0xff));
  const bytes = Buffer.alloc(size + 4);
  for (let at = 0; at < size; at += BLOCK) {
    base.copy(bytes, at);
    bytes.writeUInt32BE(at, at);
  }
  return bytes.subarray(0, size);
}

/** SHA-256, in hexadecimal. */
export function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
