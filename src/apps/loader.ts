// Loads what a mount names, FILE[:EXPORT] or a built-in, and says what was found where it is not what was wanted.
import { pathToFileURL } from 'node:url';
import type { Reference, ScriptReference } from '../config/reference.ts';
import { formatReference } from '../config/reference.ts';
import type { Interface } from '../config/types.ts';
import type { Application, Middleware } from '../gateway/contract.ts';
import { isThenable } from '../gateway/iteration.ts';
import { boot, withBootLimit } from './boot-limit.ts';
import { adaptFetch } from './fetch/adapt.ts';
import { installGlobals } from './fetch/globals.ts';
import { unusable } from './found.ts';
import { LoadError } from './load-error.ts';
import { loadBuiltin } from './middleware/builtin.ts';
import { adaptNode } from './node/adapt.ts';
import { noticingServers } from './own-server.ts';
import { placeOf } from './syntax-place.ts';
import { adaptWsgi } from './wsgi/adapt.ts';
import { BUILTIN_APPS } from './wsgi/builtin.ts';

/** Kinds of app that run in a worker. */
export type ScriptInterface = Exclude<Interface, 'python'>;

/**
 * @param env the mount's own values, for kinds of app that have a place for them
 * @throws {LoadError}
 */
export async function loadApplication(
  reference: ScriptReference,
  kind: ScriptInterface,
  timeout: number,
  env: Readonly<Record<string, string>> = {},
): Promise<Application> {
  if (kind === 'fetch') installGlobals();
  const place = formatReference(reference);
  if (reference.kind === 'builtin') return adaptWsgi(BUILTIN_APPS.get(reference.builtin), place);
  return noticingServers(place, async () => {
    const found = await loadFile(reference, ['application', 'default'], timeout);
    if (kind === 'node') return adaptNode(found, place, timeout);
    return kind === 'fetch' ? adaptFetch(found, place, env) : adaptWsgi(found, place);
  });
}

/** @throws {LoadError} */
export async function loadMiddleware(reference: ScriptReference, timeout: number): Promise<Middleware> {
  const found =
    reference.kind === 'builtin'
      ? await loadBuiltin(reference.builtin)
      : await loadFile(reference, ['middleware', 'default'], timeout);
  if (typeof found === 'function') return found as Middleware;
  throw unusable(found, {
    place: formatReference(reference),
    wanted: 'a middleware (app, options)',
    kind: 'wsgi',
  });
}

type FileReference = Extract<Reference, { kind: 'file' }>;

async function loadFile(
  reference: FileReference,
  defaults: readonly string[],
  timeout: number,
): Promise<unknown> {
  const module = await importFile(reference, timeout);
  const names = reference.exportName === null ? defaults : [reference.exportName];
  for (const name of names) {
    // module.exports of a CommonJS file is its default export; its properties are not always exports of their own.
    const holder = name in module ? module : module['default'];
    if (isHolder(holder) && name in holder && holder[name] !== undefined)
      return settled(holder[name], formatReference(reference), timeout);
  }
  const exports = Object.keys(module).filter((name) => name !== 'module.exports');
  const found = exports.length === 0 ? 'exports nothing' : `exports ${exports.join(', ')}`;
  throw new LoadError(
    `Cannot load ${formatReference(reference)}: the file ${found}, wanted an export named ${names.join(' or ')}`,
  );
}

/** An export may be the promise of one. */
const settled = async (found: unknown, place: string, timeout: number): Promise<unknown> =>
  isThenable(found) ? boot(found, place, timeout) : found;

const isHolder = (value: unknown): value is Record<string, unknown> =>
  value !== null && (typeof value === 'object' || typeof value === 'function');

async function importFile(reference: FileReference, timeout: number): Promise<Record<string, unknown>> {
  const { file } = reference;
  if (/\.[cm]?ts$/.test(file) && !hasTypeScript()) {
    throw new LoadError(
      `Cannot load ${file}: Node ${process.version} does not run TypeScript; use Node 22.18 or newer, or compile it to .js and mount that`,
    );
  }
  try {
    return (await withBootLimit(import(pathToFileURL(file).href), `load ${file}`, timeout)) as Record<
      string,
      unknown
    >;
  } catch (error) {
    if (error instanceof LoadError) throw error;
    const place = error instanceof SyntaxError ? await placeOf(error, file) : null;
    const why = error instanceof Error ? error.message : String(error);
    throw new LoadError(`Cannot load ${file}: ${why}${place === null ? '' : ` at ${place}`}`, {
      cause: error,
    });
  }
}

/** Set since Node 22.10 to what the process was started with. */
const hasTypeScript = (): boolean => Boolean((process.features as { typescript?: unknown }).typescript);
