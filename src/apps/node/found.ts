// What an export is, in the words of an error message, and what to do about it.
import { isClass, isGatewayApp, isPlugin } from './functions.ts';

/** "a class Server", "an object with keys a, b". */
export function describeFound(found: unknown): string {
  if (typeof found === 'function') {
    if (isClass(found)) return `a class ${found.name}`;
    return `a function of ${found.length} parameter${found.length === 1 ? '' : 's'}`;
  }
  if (found === null || typeof found !== 'object') {
    return typeof found === 'string' ? `the string ${JSON.stringify(found.slice(0, 60))}` : String(found);
  }
  if (Array.isArray(found)) return 'an array';
  const keys = Object.keys(found);
  const name = (Object.getPrototypeOf(found) as object | null)?.constructor?.name ?? '';
  const kind = name === '' || name === 'Object' ? 'an object' : `an object of class ${name}`;
  if (keys.length === 0) return `${kind} without keys`;
  const more = keys.length > 8 ? ', ...' : '';
  return `${kind} with key${keys.length === 1 ? '' : 's'} ${keys.slice(0, 8).join(', ')}${more}`;
}

/** What it may have been meant as; "" when that cannot be told. */
export function hintFor(found: unknown): string {
  if (found === null || (typeof found !== 'object' && typeof found !== 'function')) return '';
  if (typeof (found as { fetch?: unknown }).fetch === 'function')
    return '; it has fetch(), so it may be an app for "interface: fetch"';
  if (typeof found !== 'function') return '';
  if (isClass(found)) return '; export an instance of it, or its request handler';
  if (isGatewayApp(found)) return '; its parameters are those of a gateway app, "interface: wsgi"';
  if (isPlugin(found)) return '; it looks like a Fastify plugin: register it on an instance and export that';
  if (found.length === 1) return '; a fetch handler is mounted with "interface: fetch"';
  if (found.length > 3) return '; a handler of errors is no app on its own';
  return '';
}
