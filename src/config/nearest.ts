// The known word a typo was most likely meant to be.

/** The candidate closest to `word`, or undefined when none is close. Case, `-` and `_` do not count. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const plain = simplify(word);
  const ranked = candidates
    .map((candidate) => ({ candidate, distance: editDistance(plain, simplify(candidate)) }))
    .toSorted((a, b) => a.distance - b.distance);
  const best = ranked[0];
  const allowed = Math.max(1, Math.floor(plain.length * 0.4));
  return best !== undefined && best.distance <= allowed ? best.candidate : undefined;
}

function simplify(word: string): string {
  return word.toLowerCase().replaceAll(/[-_]/g, '');
}

/** Levenshtein's distance, one row at a time. */
function editDistance(a: string, b: string): number {
  const others = b.split('');
  let row = Array.from({ length: others.length + 1 }, (_, index) => index);
  for (const [i, letter] of a.split('').entries()) {
    const next = [i + 1];
    for (const [j, other] of others.entries()) {
      const change = (row[j] ?? 0) + (letter === other ? 0 : 1);
      next.push(Math.min(change, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
