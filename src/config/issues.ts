// zod's issues as sentences: what was expected, what was found, and what was probably meant.
import type { z } from 'zod';
import { DURATION } from './fields.ts';
import { everyKey, knownKeys } from './json-schema.ts';
import { nearest } from './nearest.ts';
import { describeValue } from './problems.ts';
import type { Issue, KeyPath } from './problems.ts';

type ZodIssue = z.core.$ZodIssue;

/** The part of the file that a schema describes. */
export interface Scope {
  /** Where it is. */
  readonly base: KeyPath;
  /** The keys that may stand in the mapping at `path`, which begins with `base`. */
  knownKeys(path: KeyPath): string[];
  /** Every key there is, in case one stands at the wrong place. */
  everyKey(): string[];
}

const WHOLE_FILE: Scope = { base: [], knownKeys, everyKey };

/** `data` is the file. The schema's `error` texts say what was wanted (fields.ts). */
export function explainIssues(
  issues: readonly ZodIssue[],
  data: unknown,
  scope: Scope = WHOLE_FILE,
): Issue[] {
  return issues.flatMap((issue) => explain(issue, scope.base, data, scope));
}

function explain(issue: ZodIssue, base: KeyPath, data: unknown, scope: Scope): Issue[] {
  const path = [...base, ...issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part))];
  const found = valueAt(data, path);
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => explainKey([...path, key], key, scope));
  if (issue.code === 'invalid_key')
    return issue.issues.map(({ message }) => ({ path, message, atKey: true }));
  if (issue.code === 'custom') return [{ path, message: issue.message, hint: hintOf(issue.params) }];
  if (issue.code === 'invalid_union') {
    const branch = issue.errors.find((errors) => errors.every(isInside));
    if (branch !== undefined) return branch.flatMap((inner) => explain(inner, path, data, scope));
  }
  if (issue.code === 'invalid_value') {
    const guess = typeof found === 'string' ? nearest(found, issue.values.map(String)) : undefined;
    return [{ path, ...expected(issue.message, found, guess && `did you mean ${JSON.stringify(guess)}?`) }];
  }
  return [{ path, ...expected(issue.message, found) }];
}

/** Whether a union's branch is the one that was meant: the kind of value fits, something in it does not. */
function isInside(issue: ZodIssue): boolean {
  return issue.path.length > 0 || issue.code === 'custom' || issue.code === 'unrecognized_keys';
}

function expected(
  wanted: string,
  found: unknown,
  hint?: string,
): { message: string; hint?: string | undefined } {
  const unitMissing =
    wanted === DURATION && typeof found === 'number' && Number.isInteger(found) && found > 0;
  return {
    message: `Expected ${wanted}, found ${describeValue(found)}`,
    hint: unitMissing ? `write ${found}s or ${found}ms` : hint,
  };
}

function hintOf(params: Record<string, unknown> | undefined): string | undefined {
  const hint = params?.['hint'];
  return typeof hint === 'string' ? hint : undefined;
}

function explainKey(path: KeyPath, key: string, scope: Scope): Issue {
  const known = scope.knownKeys(path.slice(0, -1));
  const guess = nearest(key, known);
  const elsewhere = scope.everyKey().filter((place) => place.endsWith(`.${key}`) || place === key);
  let hint = known.length === 0 ? 'there are none here' : `known here: ${known.join(', ')}`;
  if (guess !== undefined) hint = `did you mean "${guess}"?`;
  else if (elsewhere.length > 0) hint = `it belongs at ${elsewhere.slice(0, 2).join(' or ')}`;
  return { path, message: 'Unknown key', hint, atKey: true };
}

/** undefined where `data` has no such place. */
export function valueAt(data: unknown, path: KeyPath): unknown {
  let value = data;
  for (const part of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<string | number, unknown>)[part];
  }
  return value;
}
