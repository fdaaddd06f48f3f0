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
  /** Path to FILE:EXPORT, or to a mount as the configuration has it. */
  readonly mounts: Readonly<Record<string, string | object>>;
  /** This one unless told. */
  readonly node?: string;
  /** For node, in front of the program: `--cpu-prof` say. */
  readonly nodeArgs?: readonly string[];
  /** In front of node. */
  readonly wrap?: readonly string[];
  /** JSON lines to a file. */
  readonly accessLog?: boolean;
  /** `limits.connections`; its default unless told. */
  readonly connections?: number;
}

const MAIN = join(projectRoot, 'dist/src/cli/main.js');

export async function startViaduct(options: ViaductOptions): Promise<Child> {
  const { dir, listeners, mounts, node = process.execPath, nodeArgs = [], wrap = [] } = options;
  const { accessLog = false, connections } = options;
  const file = join(dir, 'viaduct.yaml');
  // A YAML file may be JSON.
  const config = {
    listeners: listeners.map(({ protocol, socket }) => ({ address: `unix:${socket}`, protocol })),
    run_dir: 'run',
    limits: { connections },
    // A heavy transfer may take longer than a request should.
    timeouts: { request: '10m' },
    mounts: Object.entries(mounts).map(([path, mount]) =>
      typeof mount === 'string' ? { path, app: mount } : { path, ...mount },
    ),
    admin: { address: `unix:${join(dir, 'admin.sock')}` },
    log: { access: { enabled: accessLog, file: join(dir, 'access.log') } },
  };
  await writeFile(file, JSON.stringify(config));
  const command = [...wrap, node, ...nodeArgs, MAIN, 'serve', '-c', file];
  const log = join(dir, 'viaduct.log');
  // They are bound in this order.
  const { socket } = listeners.at(-1) ?? listeners[0];
  return startChild({ command, log, socket });
}
