// The built-in middleware by name. Each is loaded when a mount asks for it: a worker without them pays nothing.
import type { BuiltinMiddleware } from '../../config/reference.ts';
import type { Application, Middleware } from '../../gateway/contract.ts';

/** Its options are what config/middleware-options.ts lets through, defaults included. */
type Builtin = (app: Application, options: never) => Application;

const BUILTIN_MIDDLEWARE: Readonly<Record<BuiltinMiddleware, () => Promise<Builtin>>> = {
  'viaduct:lint': async () => (await import('../../gateway/lint.ts')).lint,
  'viaduct:static': async () => (await import('./static.ts')).staticFiles,
  'viaduct:forwarded': async () => (await import('./forwarded.ts')).forwarded,
  'viaduct:request-id': async () => (await import('./request-id.ts')).requestIdHeader,
  'viaduct:basic-auth': async () => (await import('./basic-auth.ts')).basicAuth,
};

/** undefined: there is none of that name. */
export async function loadBuiltin(name: string): Promise<Middleware | undefined> {
  if (!isBuiltin(name)) return undefined;
  // The configuration has checked that the options are those of this one.
  return (await BUILTIN_MIDDLEWARE[name]()) as Middleware;
}

const isBuiltin = (name: string): name is BuiltinMiddleware => Object.hasOwn(BUILTIN_MIDDLEWARE, name);
