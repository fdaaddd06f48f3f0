// Numbers as people read them, on the page and in the terminal. Knows no unit's meaning.
import { DURATION_BUCKETS } from './histogram.ts';

/** For what is not known. */
export const NONE = '–';

/** 1234567 -> "1,234,567" */
export const count = (value: number): string =>
  String(Math.round(value)).replaceAll(/\B(?=(?:\d{3})+$)/g, ',');

/** A second: "0", "0.2", "12", "1,234". */
export const rate = (value: number): string => (value > 0 && value < 10 ? value.toFixed(1) : count(value));

/** Of 1: "0 %", "<0.1 %", "2.3 %", "45 %". */
export function share(value: number | null): string {
  if (value === null) return NONE;
  if (value > 0 && value < 0.001) return '<0.1 %';
  const percent = value * 100;
  return `${percent > 0 && percent < 10 ? percent.toFixed(1) : Math.round(percent)} %`;
}

const SHORTEST = DURATION_BUCKETS[0] ?? 0;
const LONGEST = DURATION_BUCKETS.at(-1) ?? 0;

/** Seconds from a histogram, which cannot tell what is below its first bound or above its last. */
export function latency(seconds: number | null): string {
  if (seconds === null) return NONE;
  if (seconds <= SHORTEST) return `<${SHORTEST * 1000} ms`;
  if (seconds >= LONGEST) return `>${LONGEST} s`;
  return time(seconds);
}

/** Seconds: "12 ms", "1.23 s", "45 s", "3m 2s". */
export function time(seconds: number): string {
  if (seconds < 0.9995) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 10) return `${seconds.toFixed(2)} s`;
  return seconds < 60 ? `${seconds.toFixed(1)} s` : duration(seconds);
}

/** Seconds: "45s", "3m 2s", "5h 10m", "12d 3h". */
export function duration(seconds: number): string {
  const whole = Math.floor(seconds);
  const [days, hours, minutes] = [
    Math.floor(whole / 86_400),
    Math.floor(whole / 3600) % 24,
    Math.floor(whole / 60) % 60,
  ];
  if (days > 0) return `${days}d ${hours}h`;
  if (hours > 0) return `${hours}h ${minutes}m`;
  return minutes > 0 ? `${minutes}m ${whole % 60}s` : `${whole}s`;
}

const MEBI = 1024 ** 2;

/** "85 MiB", "1.2 GiB" */
export const bytes = (value: number): string =>
  value < 1000 * MEBI ? `${Math.round(value / MEBI)} MiB` : `${(value / 1024 / MEBI).toFixed(1)} GiB`;

/** RFC 3339 -> "13:22:01" */
export const clock = (iso: string): string => iso.slice(11, 19);

/** RFC 3339 -> "2026-11-28 13:22:01" */
export const dateTime = (iso: string): string => `${iso.slice(0, 10)} ${clock(iso)}`;

/**
 * Text from anybody, with what would hide next to it or turn it around (control characters, zero-width and
 * bidirectional ones) shown as \uXXXX. Tabs and line ends stay.
 */
export const visible = (text: string): string =>
  text.replaceAll(
    /(?![\t\n])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (found) => `\\u${hex(found.codePointAt(0) ?? 0)}`,
  );

const hex = (code: number): string => code.toString(16).padStart(4, '0');
