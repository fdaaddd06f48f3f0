// Starts the daemon as a user would, `viaduct serve` with a file of its own: metrics on, the access log off.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { projectRoot } from '../../test/helpers/project.ts';
import { type Child, startChild } from './child.ts';

export interface ViaductListener {
  readonly protocol: 'fastcgi' | 'uwsgi' | 'scgi' | 'http';
  /** Path of a Unix socket. */
  readonly socket: string;
}

export interface ViaductOptions {
  /** Its folder: configuration, log, pid file. */
  readonly dir: string;
  readonly listeners: readonly [ViaductListener, ...ViaductListener[]];
  /** Path to FILE:EXPORT. */
  readonly mounts: Readonly<Record<string, string>>;
  /** For node, in front of the program: `--cpu-prof` say. */
  readonly nodeArgs?: readonly string[];
  /** In front of node. */
  readonly wrap?: readonly string[];
  readonly accessLog?: boolean;
}

const MAIN = join(projectRoot, 'dist/src/cli/main.js');

export async function startViaduct(options: ViaductOptions): Promise<Child> {
  const { dir, listeners, mounts, nodeArgs = [], wrap = [], accessLog = false } = options;
  const file = join(dir, 'viaduct.yaml');
  // A YAML file may be JSON.
  const config = {
    listeners: listeners.map(({ protocol, socket }) => ({ address: `unix:${socket}`, protocol })),
    run_dir: 'run',
    // A heavy transfer may take longer than a request should.
    timeouts: { request: '10m' },
    mounts: Object.entries(mounts).map(([path, app]) => ({ path, app })),
    admin: { address: `unix:${join(dir, 'admin.sock')}` },
    log: { access: { enabled: accessLog, file: join(dir, 'access.log') } },
  };
  await writeFile(file, JSON.stringify(config));
  const command = [...wrap, process.execPath, ...nodeArgs, MAIN, 'serve', '-c', file];
  const log = join(dir, 'viaduct.log');
  // They are bound in this order.
  const { socket } = listeners.at(-1) ?? listeners[0];
  return startChild({ command, log, socket });
}
