// viaduct as nginx may talk to it: metrics on, the access log off but in one.
import { join } from 'node:path';
import type { Backend } from '../lib/backend.ts';
import { startViaduct, type ViaductOptions } from '../lib/viaduct.ts';
import { BUILT } from './paths.ts';

/** One mount at /, over FastCGI on connections that are kept. */
export const viaductMount = (name: string, mount: object): Backend => ({
  name,
  protocol: 'fastcgi',
  keepAlive: true,
  prepare: () => Promise.resolve(null),
  start: ({ dir, socket, wrap, node, nodeArgs }) =>
    startViaduct({
      dir,
      wrap,
      node,
      nodeArgs,
      listeners: [{ protocol: 'fastcgi', socket }],
      mounts: { '/': mount },
    }),
});

type Settings = Pick<ViaductOptions, 'accessLog' | 'connections'>;

function viaduct(
  name: string,
  protocol: Backend['protocol'],
  keepAlive: boolean,
  settings: Settings = {},
): Backend {
  return {
    name: `viaduct ${name}`,
    protocol,
    keepAlive,
    prepare: () => Promise.resolve(null),
    start: ({ dir, socket, app, wrap, node, nodeArgs }) =>
      startViaduct({
        dir,
        wrap,
        node,
        nodeArgs,
        listeners: [{ protocol, socket }],
        mounts: { '/': `${join(BUILT, 'apps', `${app}.js`)}:${app}` },
        ...settings,
      }),
  };
}

export const viaductFastcgi: Backend = viaduct('fastcgi keep-alive', 'fastcgi', true);
export const viaductUwsgi: Backend = viaduct('uwsgi', 'uwsgi', false);
export const viaductBackends: readonly Backend[] = [
  viaductFastcgi,
  viaduct('fastcgi', 'fastcgi', false),
  viaductUwsgi,
  viaduct('scgi', 'scgi', false),
  viaduct('http keep-alive', 'http', true),
];

export const viaductLogging: Backend = viaduct('fastcgi keep-alive, access log', 'fastcgi', true, {
  accessLog: true,
});

/** Takes up to `connections` of them. */
export const viaductWith = (connections: number): Backend =>
  viaduct('fastcgi keep-alive', 'fastcgi', true, { connections });
