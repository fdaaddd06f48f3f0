// Keys and values that are part of the file's format but not of this version: to say so instead of "unknown".
import type { KeyPath } from './problems.ts';

const LATER_KEYS = ['mounts[].python'];
const LATER_INTERFACES: readonly unknown[] = ['node', 'fetch', 'python'];

/** What to say about a key of a later version. */
export function laterKey(path: KeyPath): string | undefined {
  return LATER_KEYS.includes(pattern(path))
    ? 'This key is known but not available in this version'
    : undefined;
}

/** What to say about a value of a later version. */
export function laterValue(path: KeyPath, value: unknown): string | undefined {
  const place = pattern(path);
  if (place === 'mounts[].interface' && LATER_INTERFACES.includes(value)) {
    return `The interface ${JSON.stringify(value)} is known but not available in this version: expected "wsgi"`;
  }
  return undefined;
}

function pattern(path: KeyPath): string {
  return path
    .map((part, index) => (typeof part === 'number' ? '[]' : `${index === 0 ? '' : '.'}${part}`))
    .join('');
}
