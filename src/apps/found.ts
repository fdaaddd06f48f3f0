// What an export is, in the words of an error message, and what to do about it.
import type { Interface } from '../config/types.ts';
import { hasFetch, nodeFramework } from './frameworks.ts';
import { isClass, isGatewayApp, isListener, isPlugin } from './functions.ts';
import { LoadError } from './load-error.ts';

/** That `found` cannot be `wanted`, and what it may have been meant as. `made`: a function gave it, say which. */
export function unusable(
  found: unknown,
  {
    place,
    wanted,
    kind,
    made = null,
  }: { place: string; wanted: string; kind: Interface; made?: string | null },
): LoadError {
  const what = made === null ? `found ${describeFound(found)}` : `${made} made ${describeFound(found)}`;
  return new LoadError(`Cannot use ${place}: ${what}, wanted ${wanted}${hintFor(found, kind)}`);
}

/** "a class Server", "an object with keys a, b". */
function describeFound(found: unknown): string {
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

/** "" where nothing can be told. */
function hintFor(found: unknown, wanted: Interface): string {
  const [what, kind] = looksLike(found) ?? [];
  if (what !== undefined && kind !== wanted) return `; it looks like ${what}: set "interface: ${kind}"`;
  if (typeof found !== 'function') return '';
  if (isClass(found)) return '; export an instance of it, or a function';
  if (isPlugin(found)) return '; it looks like a Fastify plugin: register it on an instance and export that';
  if (wanted === 'node' && found.length > 3) return '; a handler of errors is no app on its own';
  return '';
}

/** The kind of app it most likely is, and the interface that takes it. */
function looksLike(found: unknown): [what: string, kind: Interface] | null {
  const framework = nodeFramework(found);
  if (framework !== null) return [framework, 'node'];
  if (hasFetch(found)) return ['an app with fetch()', 'fetch'];
  if (typeof found !== 'function' || isClass(found) || isPlugin(found)) return null;
  if (isGatewayApp(found)) return ['a gateway app by its parameters', 'wsgi'];
  if (isListener(found)) return ['a (req, res) function by its parameters', 'node'];
  return found.length === 1 ? ['a fetch handler by its one parameter', 'fetch'] : null;
}
