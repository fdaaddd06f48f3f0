// The other two ways to run Node behind nginx: node:http with proxy_pass, and the npm package node-fastcgi.
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Backend, StartOptions } from '../lib/backend.ts';
import { type Child, startChild } from '../lib/child.ts';
import { runTool } from '../lib/tools.ts';
import { BUILT, CACHE } from './paths.ts';

/** What every ratio is against. */
export const nodeHttp: Backend = {
  name: 'node:http keep-alive',
  protocol: 'http',
  keepAlive: true,
  prepare: () => Promise.resolve(null),
  start: (options) => startNode(options, [join(BUILT, 'programs/node-http.js'), options.socket, options.app]),
};

const PACKAGE = 'node-fastcgi';
const VERSION = '2.0.0';
const FOLDER = join(CACHE, 'npm/node_modules', PACKAGE);

export const nodeFastcgi: Backend = {
  name: PACKAGE,
  protocol: 'fastcgi',
  keepAlive: true,
  async prepare() {
    if (existsSync(FOLDER)) return null;
    const prefix = join(CACHE, 'npm');
    await mkdir(prefix, { recursive: true });
    return runTool('npm', [
      'install',
      '--no-audit',
      '--no-fund',
      '--prefix',
      prefix,
      `${PACKAGE}@${VERSION}`,
    ]);
  },
  start: (options) => startNode(options, [join(BUILT, 'programs/node-fastcgi.js'), FOLDER, options.socket]),
};

export function startNode(
  { dir, socket, wrap, node, nodeArgs }: StartOptions,
  args: readonly string[],
): Promise<Child> {
  const log = join(dir, 'node.log');
  return startChild({ command: [...wrap, node, ...nodeArgs, ...args], log, socket });
}
