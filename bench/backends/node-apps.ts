// An app of node:http two ways: in viaduct, and under its own server behind proxy_pass.
import { join } from 'node:path';
import type { Backend } from '../lib/backend.ts';
import { startNode } from './node.ts';
import { BUILT } from './paths.ts';
import { viaductMount } from './viaduct.ts';

export type NodeAppName = 'plain' | 'express' | 'fastify';

export const underNode = (app: NodeAppName): Backend => ({
  name: `${app}, node:http keep-alive`,
  protocol: 'http',
  keepAlive: true,
  prepare: () => Promise.resolve(null),
  start: (options) => startNode(options, [join(BUILT, 'programs/node-app.js'), options.socket, app]),
});

export const underViaduct = (app: NodeAppName): Backend =>
  viaductMount(`${app}, viaduct fastcgi keep-alive`, {
    app: `${join(BUILT, 'apps/node-apps.js')}:${app}`,
    interface: 'node',
  });
