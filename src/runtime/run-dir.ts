// run_dir and what viaduct itself keeps there: the pid file, the control socket and the sockets of Python threads.
import {
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { ListenAddress } from '../config/address.ts';
import type { Config } from '../config/types.ts';
import { makeFolder } from '../transport/folder.ts';
import { targetIds } from './privileges.ts';

export const controlSocket = (runDir: string): string => join(runDir, 'control.sock');

/**
 * Makes run_dir where it is missing: for nobody else, unless a socket that others connect to lies in it, or a log that
 * another user writes; then they may pass through it, and no more. A folder that is there keeps its mode. To be called
 * before any file or socket is made.
 */
export function makeRunDir({
  runDir,
  listeners,
  admin,
  mounts,
  log,
  user,
}: Pick<Config, 'runDir' | 'listeners' | 'admin' | 'mounts' | 'log' | 'user'>): void {
  const addresses: ListenAddress[] = listeners.map(({ address }) => address);
  if (admin !== null) addresses.push(admin.address);
  const paths = addresses.map((address) => (address.kind === 'unix' ? address.path : null));
  const hasOthers = user !== null && mounts.some(({ python }) => python !== null);
  if (user !== null) paths.push(log.file, log.access.file);
  const isPassage = hasOthers || paths.some((path) => path !== null && dirname(path) === runDir);
  makeFolder(dirname(runDir), 0o755);
  try {
    mkdirSync(runDir);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return;
    throw error;
  }
  // mkdir(2) takes the umask off, which may hold back what nginx needs.
  chmodSync(runDir, isPassage ? 0o711 : 0o700);
}

const laneFolder = (runDir: string): string => join(runDir, 'lanes');

/** Where the threads of a Python mount meet the worker in that place; python-checks.ts counts on the length. */
export const lanePath = (runDir: string, generation: number, worker: number, mount: number): string =>
  join(laneFolder(runDir), `${generation}-${worker}-${mount}.sock`);

/** Makes the folder of the lane sockets where there are any, for nobody but the workers and the Python processes. */
export function makeLaneFolder(config: Config): void {
  if (config.mounts.every(({ python }) => python === null)) return;
  const folder = laneFolder(config.runDir);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  chmodSync(folder, 0o700);
  const ids = targetIds(config);
  if (ids !== null) chownSync(folder, ids.uid, ids.gid);
}

/** Removes the lane sockets of one generation, or all there are. */
export function removeLanes(runDir: string, generation?: number): void {
  const folder = laneFolder(runDir);
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    // There were none.
    return;
  }
  for (const name of names)
    if (generation === undefined || name.startsWith(`${generation}-`))
      rmSync(join(folder, name), { force: true });
}

/** Writes run_dir/viaduct.pid; gives what removes the file again if it is still ours. */
export function writePidFile(runDir: string): () => void {
  const file = join(runDir, 'viaduct.pid');
  const text = `${process.pid}\n`;
  writeFileSync(file, text, { mode: 0o644 });
  return () => {
    try {
      if (readFileSync(file, 'latin1') === text) unlinkSync(file);
    } catch {
      // Gone already, or no longer ours to remove.
    }
  };
}
