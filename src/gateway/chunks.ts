// Chunks of a body, counted in bytes.

/** The first `size` bytes of `chunks`; none of them is copied. */
export function cut(chunks: readonly Uint8Array[], size: number): Uint8Array[] {
  const out: Uint8Array[] = [];
  let left = size;
  for (const chunk of chunks) {
    const piece = chunk.length > left ? chunk.subarray(0, left) : chunk;
    if (piece.length > 0) out.push(piece);
    left -= piece.length;
  }
  return out;
}
