// An app of node:http two ways: in viaduct, and under its own server behind proxy_pass.
import { join } from 'node:path';
import type { Backend } from '../lib/backend.ts';
import { startViaduct } from '../lib/viaduct.ts';
import { startNode } from './node.ts';
import { BUILT } from './paths.ts';

export type NodeAppName = 'plain' | 'express' | 'fastify';

export const underNode = (app: NodeAppName): Backend => ({
  name: `${app}, node:http keep-alive`,
  protocol: 'http',
  keepAlive: true,
  prepare: () => Promise.resolve(null),
  start: (options) => startNode(options, [join(BUILT, 'programs/node-app.js'), options.socket, app]),
});

export const underViaduct = (app: NodeAppName): Backend => ({
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
      mounts: { '/': { app: `${join(BUILT, 'apps/node-apps.js')}:${app}`, interface: 'node' } },
    }),
});
