// run_dir and what viaduct itself keeps there: the pid file and the control socket.
import { chmodSync, mkdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ListenAddress } from '../config/address.ts';
import type { Config } from '../config/types.ts';
import { makeFolder } from '../transport/folder.ts';

export const controlSocket = (runDir: string): string => join(runDir, 'control.sock');

/**
 * Makes run_dir where it is missing: for nobody else, unless a socket that others connect to lies in it; then they may
 * pass through it, and no more. A folder that is there keeps its mode. To be called before any socket is made.
 */
export function makeRunDir({
  runDir,
  listeners,
  admin,
}: Pick<Config, 'runDir' | 'listeners' | 'admin'>): void {
  const addresses: ListenAddress[] = listeners.map(({ address }) => address);
  if (admin !== null) addresses.push(admin.address);
  const isPassage = addresses.some((address) => address.kind === 'unix' && dirname(address.path) === runDir);
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
