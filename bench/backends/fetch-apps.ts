// Apps of Request and Response: under viaduct, and under @hono/node-server behind proxy_pass.
import { join } from 'node:path';
import type { Backend } from '../lib/backend.ts';
import { startChild } from '../lib/child.ts';
import { BUILT } from './paths.ts';
import { viaductMount } from './viaduct.ts';

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
export const viaductFetch = (app: string): Backend =>
  viaductMount(`${app}, viaduct fastcgi keep-alive`, {
    app: `${join(BUILT, 'apps/fetch-apps.js')}:${app}`,
    interface: 'fetch',
  });
