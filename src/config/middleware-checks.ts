// The options of the built-in middleware, checked and completed. Knows their schemas, not what they do.
import { resolve } from 'node:path';
import { explainIssues } from './issues.ts';
import { isMapping, type Mapping } from './mapping.ts';
import { OPTION_SCHEMAS } from './middleware-options.ts';
import type { Issue, KeyPath } from './problems.ts';
import { BUILTIN_MIDDLEWARE, type BuiltinMiddleware, resolveReference } from './reference.ts';
import type { MiddlewareConfig } from './types.ts';

/** What is wrong with the options in `mount`, which stands at `path` of `data`. */
export function checkMiddleware(mount: Mapping, path: KeyPath, data: unknown): Issue[] {
  const list: unknown = mount['middleware'];
  if (!Array.isArray(list)) return [];
  return list.flatMap((entry: unknown, index): Issue[] => {
    const isPlain = typeof entry === 'string';
    if (!isPlain && !isMapping(entry)) return [];
    const name = builtinNamed(isPlain ? entry : entry['use']);
    const options = isPlain ? undefined : entry['options'];
    // The file's own schema says what is wrong with anything else.
    if (name === undefined || (options !== undefined && !isMapping(options))) return [];
    const parsed = OPTION_SCHEMAS[name].safeParse(withoutEmpty(name, options));
    if (parsed.success) return [];
    const base = [...path, 'middleware', index, 'options'];
    return explainIssues(parsed.error.issues, data, {
      base,
      knownKeys: (keys) => (keys.length === base.length ? keysOf(name) : []),
      everyKey: () => [],
    });
  });
}

/** With defaults, and paths absolute. Options of a built-in must have passed checkMiddleware(). */
export function completeMiddleware({ use, options }: MiddlewareConfig, folder: string): MiddlewareConfig {
  if (use.kind === 'file') return { use: resolveReference(use, folder), options };
  const name = builtinNamed(use.builtin);
  if (name === undefined || (name === 'viaduct:lint' && options === undefined)) return { use, options };
  const complete: Record<string, unknown> = OPTION_SCHEMAS[name].parse(withoutEmpty(name, options));
  for (const key of PATHS[name] ?? []) {
    const path = complete[key];
    if (typeof path === 'string') complete[key] = resolve(folder, path);
  }
  return { use, options: complete };
}

/** Options that are paths. */
const PATHS: Partial<Record<BuiltinMiddleware, readonly string[]>> = {
  'viaduct:static': ['root'],
  'viaduct:basic-auth': ['file'],
};

const builtinNamed = (name: unknown): BuiltinMiddleware | undefined =>
  BUILTIN_MIDDLEWARE.find((each) => each === name);

const keysOf = (name: BuiltinMiddleware): string[] => Object.keys(OPTION_SCHEMAS[name].shape);

/** A known key without a value counts as not written, as everywhere in the file. */
function withoutEmpty(name: BuiltinMiddleware, options: Mapping = {}): Mapping {
  const known = keysOf(name);
  return Object.fromEntries(
    Object.entries(options).filter(([key, value]) => value !== null || !known.includes(key)),
  );
}
