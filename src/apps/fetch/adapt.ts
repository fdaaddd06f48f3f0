// From what a file exports to a gateway application: apps of Request and Response.
import type { Application } from '../../gateway/contract.ts';
import { isThenable } from '../../gateway/iteration.ts';
import { LoadError } from '../load-error.ts';
import { fetchApplication, type FetchHandler } from './application.ts';

const WANTED =
  'an object with fetch(request, env, context), such as a Hono app, a function (request, env, context), or a promise of one';

/**
 * @param place the reference, for messages
 * @param timeout milliseconds that a promise of an app may take
 * @param env the mount's own values
 * @throws {LoadError}
 */
export async function adaptFetch(
  found: unknown,
  place: string,
  timeout: number,
  env: Readonly<Record<string, string>> = {},
): Promise<Application> {
  const app = unwrap(isThenable(found) ? await withLimit(found, place, timeout) : found);
  return fetchApplication(handlerOf(app, place), env);
}

/** A CommonJS file compiled from one of ECMAScript has its default export below. */
const unwrap = (found: unknown): unknown =>
  hasMembers(found) && found['__esModule'] === true && 'default' in found ? found['default'] : found;

const hasMembers = (value: unknown): value is Record<string, unknown> =>
  value !== null && (typeof value === 'object' || typeof value === 'function');

/** A function is always taken for the handler: to find out whether it makes an app, it would have to be called. */
function handlerOf(found: unknown, place: string): FetchHandler {
  if (hasMembers(found) && typeof found['fetch'] === 'function') {
    const app = found as { fetch: FetchHandler };
    return (request, env, context) => app.fetch(request, env, context);
  }
  const other = otherKind(found);
  if (typeof found === 'function' && other === null) return found as FetchHandler;
  const hint = other === null ? '' : `; ${other}`;
  throw new LoadError(`Cannot use ${place}: found ${nameOf(found)}, wanted ${WANTED}${hint}`);
}

function nameOf(found: unknown): string {
  if (typeof found === 'function') return `function ${found.name || '(no name)'}`;
  if (!hasMembers(found)) return found === null ? 'null' : typeof found;
  const keys = Object.keys(found).slice(0, 8).join(', ');
  return `an object ${keys === '' ? 'without members' : `with ${keys}`}`;
}

/** What to do with an app of another kind; null: it is none that shows. */
function otherKind(found: unknown): string | null {
  if (!hasMembers(found)) return null;
  const has = (...names: string[]): boolean => names.every((name) => typeof found[name] === 'function');
  const isNode =
    has('listen', 'use') || has('listen', 'callback') || has('ready', 'inject') || has('listen', 'close');
  if (isNode || hasParameters(found, /^(?:req|request|_req), (?:res|response|_res)\b/))
    return 'this looks like an app of node:http: use interface: node';
  if (hasParameters(found, /^\w+, _?start_?response\b/i))
    return 'this looks like a gateway app: use interface: wsgi';
  return /^class\b/.test(sourceOf(found)) ? 'this is a class: export an instance of it' : null;
}

const sourceOf = (found: unknown): string =>
  typeof found === 'function' ? Function.prototype.toString.call(found) : '';

function hasParameters(found: unknown, wanted: RegExp): boolean {
  const list = /^[^(]*\(([^)]*)\)/.exec(sourceOf(found))?.[1] ?? '';
  return wanted.test(list.trim().replaceAll(/\s*,\s*/g, ', '));
}

async function withLimit(promise: PromiseLike<unknown>, place: string, timeout: number): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () =>
        reject(
          new LoadError(
            `Cannot use ${place}: the promise of an app was not kept within ${timeout} ms (timeouts.boot)`,
          ),
        ),
      timeout,
    );
  });
  try {
    return await Promise.race([promise, late]);
  } catch (error) {
    if (error instanceof LoadError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new LoadError(`Cannot use ${place}: the promise of an app failed: ${why}`, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}
