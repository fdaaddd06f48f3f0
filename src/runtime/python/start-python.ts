// Starts a Python process: program, folder, environment, user. Does not know what it will do.
import { type ChildProcess, spawn } from 'node:child_process';
import { PROGRAM } from '../../apps/python/program.ts';
import type { MountConfig, PythonConfig } from '../../config/types.ts';

/** Its control channel. */
export const CONTROL_DESCRIPTOR = 3;

/** What systemd, Node and npm have set for us, and what would mislead another program or tell it of our sockets. */
const OURS = /^(?:NODE_|LISTEN_(?:PID|FDS|FDNAMES)$|NOTIFY_SOCKET$|WATCHDOG_(?:PID|USEC)$|npm_)/;

/** @param ids whom it becomes; null: it stays who we are */
export function startPython(
  { executable, chdir }: PythonConfig,
  { env }: Pick<MountConfig, 'env'>,
  ids: { readonly uid: number; readonly gid: number } | null,
): ChildProcess {
  return spawn(executable, ['-u', PROGRAM], {
    cwd: chdir,
    env: environment(process.env, env),
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    // It leads a group of its own: what it has started can be ended with it.
    detached: true,
    ...ids,
  });
}

/** Ours without what is only for us, and the mount's on top. */
export function environment(
  ours: NodeJS.ProcessEnv,
  mount: Readonly<Record<string, string>>,
): NodeJS.ProcessEnv {
  const inherited = Object.entries(ours).filter(([name]) => !OURS.test(name));
  // Without any locale Python would open files as ASCII (before 3.15, PEP 686).
  return { LANG: 'C.UTF-8', ...Object.fromEntries(inherited), ...mount };
}
