// Durations and sizes as people write them, and back.
import { BadValue, describeValue } from './problems.ts';

const DURATION_UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
const SIZE_UNITS: Readonly<Record<string, number>> = { K: 1024, M: 1024 ** 2, G: 1024 ** 3 };

/** The longest delay setTimeout takes, in milliseconds; above it fires at once. */
export const MAX_DURATION = 2 ** 31 - 1;

/** `500ms 30s 5m 1h` and a bare `0` -> milliseconds, at most `longest`. */
export function parseDuration(value: string | number, longest: number = MAX_DURATION): number {
  const text = String(value);
  const match = /^(\d+)(ms|s|m|h)?$/.exec(text);
  const unit = match?.[2];
  if (match === null || (unit === undefined && Number(text) !== 0)) {
    const hint = match === null ? undefined : `write ${text}s or ${text}ms`;
    throw new BadValue(
      `Expected a duration such as 500ms, 30s, 5m or 1h, found ${describeValue(value)}`,
      hint,
    );
  }
  const result = Number(match[1]) * (unit === undefined ? 1 : (DURATION_UNITS[unit] ?? NaN));
  if (result > longest) {
    const hours = Math.floor(longest / 3_600_000);
    throw new BadValue(`Expected a duration of at most ${hours}h, found ${describeValue(value)}`);
  }
  return result;
}

/** `64K 16M 1G` (powers of 1024, either case as in nginx) or plain bytes -> bytes. */
export function parseSize(value: string | number): number {
  const match = /^(\d+)([KMG])?$/i.exec(String(value));
  if (match === null) {
    const hint = /^\d+\s*[KMG]i?B$/i.test(String(value))
      ? 'leave the B away: units are K, M and G'
      : undefined;
    throw new BadValue(
      `Expected a size in bytes or such as 64K, 16M or 1G, found ${describeValue(value)}`,
      hint,
    );
  }
  const unit = match[2]?.toUpperCase();
  const result = Number(match[1]) * (unit === undefined ? 1 : (SIZE_UNITS[unit] ?? NaN));
  if (!Number.isSafeInteger(result)) {
    throw new BadValue(`Expected a size of at most 8388607G, found ${describeValue(value)}`);
  }
  return result;
}

/** `20%` -> 0.2; 0 to 100. */
export function parsePercentage(value: string): number {
  const match = /^(\d{1,3})%$/.exec(value);
  const result = Number(match?.[1] ?? NaN);
  if (!(result <= 100))
    throw new BadValue(`Expected a percentage from 0% to 100%, found ${describeValue(value)}`);
  return result / 100;
}

/** 0.2 -> `20%` */
export function formatPercentage(part: number): string {
  return `${Math.round(part * 100)}%`;
}

/** Milliseconds -> the largest unit that loses nothing. */
export function formatDuration(milliseconds: number): string {
  return withUnit(milliseconds, DURATION_UNITS);
}

/** Bytes -> the largest unit that loses nothing. */
export function formatSize(bytes: number): string {
  return withUnit(bytes, SIZE_UNITS);
}

function withUnit(amount: number, units: Readonly<Record<string, number>>): string {
  if (amount === 0) return '0';
  const fitting = Object.entries(units).filter(([, size]) => amount % size === 0);
  const [unit, size] = fitting.at(-1) ?? ['', 1];
  return `${amount / size}${unit}`;
}
