// viaduct as nginx may talk to it: metrics on, the access log off.
import { join } from 'node:path';
import type { Backend } from '../lib/backend.ts';
import { startViaduct } from '../lib/viaduct.ts';
import { BUILT } from './paths.ts';

function viaduct(name: string, protocol: Backend['protocol'], keepAlive: boolean): Backend {
  return {
    name: `viaduct ${name}`,
    protocol,
    keepAlive,
    prepare: () => Promise.resolve(null),
    start: ({ dir, socket, wrap, nodeArgs }) =>
      startViaduct({
        dir,
        wrap,
        nodeArgs,
        listeners: [{ protocol, socket }],
        mounts: { '/': `${join(BUILT, 'apps/hello.js')}:hello` },
      }),
  };
}

export const viaductBackends: readonly Backend[] = [
  viaduct('fastcgi keep-alive', 'fastcgi', true),
  viaduct('fastcgi', 'fastcgi', false),
  viaduct('uwsgi', 'uwsgi', false),
  viaduct('scgi', 'scgi', false),
  viaduct('http keep-alive', 'http', true),
];
