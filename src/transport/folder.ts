// Folders for sockets and logs, made where they are missing.
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Makes `path` and what is missing above it. Not with mkdirSync's `recursive`: below /proc, where nothing can be made, that
 * never comes back (Node 20).
 * @throws {Error} of node:fs
 */
export function makeFolder(path: string, mode: number): void {
  try {
    mkdirSync(path, { mode });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return;
    const above = dirname(path);
    if (code !== 'ENOENT' || above === path) throw error;
    makeFolder(above, mode);
    mkdirSync(path, { mode });
  }
}
