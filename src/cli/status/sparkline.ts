// A series of numbers as a line of block characters, the newest at the right.

const BLOCKS = '▁▂▃▄▅▆▇█';

/**
 * @param width characters; where there are more numbers each stands for the highest of several
 * @param size numbers in a full series: a shorter one has room before it
 */
export function sparkline(values: readonly (number | null)[], width: number, size: number): string {
  const cells = Math.min(width, size);
  const top = values.reduce<number>((most, value) => Math.max(most, value ?? 0), 0);
  const first = size - values.length;
  const highest: (number | null)[] = Array.from({ length: cells }, () => null);
  for (const [at, value] of values.entries()) {
    const cell = Math.floor(((first + at) * cells) / size);
    if (value !== null) highest[cell] = Math.max(highest[cell] ?? 0, value);
  }
  return highest.map((value) => (value === null ? ' ' : block(value, top))).join('');
}

/** The lowest one is for nothing at all. */
function block(value: number, top: number): string {
  if (value === 0) return BLOCKS[0] ?? '';
  return BLOCKS[Math.max(1, Math.round((value / top) * (BLOCKS.length - 1)))] ?? '';
}
