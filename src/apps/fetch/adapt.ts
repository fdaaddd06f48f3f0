// From what a file exports to a gateway application: apps of Request and Response.
import type { Application } from '../../gateway/contract.ts';
import { unusable } from '../found.ts';
import { hasFetch, nodeFramework } from '../frameworks.ts';
import { isClass, isGatewayApp, isListener } from '../functions.ts';
import { fetchApplication, type FetchHandler } from './application.ts';

const WANTED =
  'an object with fetch(request, env, context), such as a Hono app, a function (request, env, context), or a promise of one';

/**
 * @param place the reference, for messages
 * @param env the mount's own values
 * @throws {LoadError}
 */
export function adaptFetch(
  found: unknown,
  place: string,
  env: Readonly<Record<string, string>> = {},
): Application {
  const app = unwrap(found);
  const handler = handlerOf(app);
  if (handler === null) throw unusable(app, { place, wanted: WANTED, kind: 'fetch' });
  return fetchApplication(handler, env);
}

/** A CommonJS file compiled from one of ECMAScript has its default export below. */
function unwrap(found: unknown): unknown {
  if (typeof found !== 'object' || found === null) return found;
  const module = found as Record<string, unknown>;
  return module['__esModule'] === true && 'default' in module ? module['default'] : found;
}

/** A function is mostly taken for the handler: to find out whether it makes an app, it would have to be called. */
function handlerOf(found: unknown): FetchHandler | null {
  if (hasFetch(found)) {
    return (request, env, context) => found.fetch(request, env, context);
  }
  if (typeof found !== 'function' || isClass(found) || nodeFramework(found) !== null) return null;
  return isListener(found) || isGatewayApp(found) ? null : (found as FetchHandler);
}
