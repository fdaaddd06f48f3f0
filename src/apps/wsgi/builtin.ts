// The built-in apps: viaduct:hello to see that it works, viaduct:environ to see what a front server sends.
import { Buffer } from 'node:buffer';
import type { Application, Environ } from '../../gateway/contract.ts';

const HELLO = Buffer.from('Hello from viaduct!\n');

const hello: Application = (_environ, startResponse) => {
  startResponse('200 OK', [['Content-Type', 'text/plain']]);
  return [HELLO];
};

/** Every key of the environ, sorted, one a line; with the request body's size, which proves that it can be read. */
const environ: Application = async (env, startResponse) => {
  let size = 0;
  for (;;) {
    const chunk = await env['wsgi.input'].read(64 * 1024);
    if (chunk.length === 0) break;
    size += chunk.length;
  }
  startResponse('200 OK', [['Content-Type', 'text/plain; charset=iso-8859-1']]);
  return [Buffer.from(`${listing(env)}\nbody: ${size} bytes\n`, 'latin1')];
};

const listing = (env: Environ): string =>
  Object.keys(env)
    .toSorted()
    .map((key) => `${key} = ${shown(env[key])}`)
    .join('\n');

function shown(value: unknown): string {
  if (typeof value === 'function') return '[function]';
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return '[object]';
  return JSON.stringify(value) ?? 'undefined';
}

export const BUILTIN_APPS: ReadonlyMap<string, Application> = new Map([
  ['viaduct:hello', hello],
  ['viaduct:environ', environ],
]);
