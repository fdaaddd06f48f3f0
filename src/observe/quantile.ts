// A quantile of what a histogram has counted. Knows bounds and counts, not what they mean.

/**
 * As Prometheus's histogram_quantile() has it: linear within a bucket, the highest bound where it lies beyond that.
 * @param counts one a bucket, not cumulative, the last beyond all bounds
 * @param bounds upper bounds in ascending order, the first bucket beginning at 0
 * @param share 0 to 1
 * @returns null where nothing was counted
 */
export function quantile(counts: Float64Array, bounds: readonly number[], share: number): number | null {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return null;
  const rank = share * total;
  let before = 0;
  for (const [at, bound] of bounds.entries()) {
    const count = counts[at] ?? 0;
    if (count > 0 && before + count >= rank) {
      const lower = bounds[at - 1] ?? 0;
      return lower + ((bound - lower) * Math.max(0, rank - before)) / count;
    }
    before += count;
  }
  return bounds.at(-1) ?? null;
}
