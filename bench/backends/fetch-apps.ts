// Apps of Request and Response: under viaduct, and under @hono/node-server behind proxy_pass.
import { join } from 'node:path';
import type { Backend } from '../lib/backend.ts';
import { startChild } from '../lib/child.ts';
import { startViaduct } from '../lib/viaduct.ts';
import { BUILT } from './paths.ts';

/** @param app an export of bench/apps/fetch-apps.ts */
export function honoNodeServer(app: string): Backend {
  return {
    name: `${app}, @hono/node-server`,
    protocol: 'http',
    keepAlive: true,
    prepare: () => Promise.resolve(null),
    start: ({ dir, socket, wrap, node, nodeArgs }) =>
      startChild({
        command: [...wrap, node, ...nodeArgs, join(BUILT, 'programs/hono-node-server.js'), socket, app],
        log: join(dir, 'node.log'),
        socket,
      }),
  };
}

/** @param app the same */
export function viaductFetch(app: string): Backend {
  return {
    name: `${app}, viaduct fastcgi keep-alive`,
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
        mounts: { '/': { app: `${join(BUILT, 'apps/fetch-apps.js')}:${app}`, interface: 'fetch' } },
      }),
  };
}
