// Temporary folders for tests: short paths (a Unix socket's is limited to 107 bytes, unix(7)), always removed.
import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const folders = new Set<string>();

// What a test left behind, or a failed hook never reached.
process.once('exit', () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** Makes an empty folder, mode 0700. It goes with removeTempDir(), at the latest when the process ends. */
export async function makeTempDir(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'viaduct-'));
  folders.add(folder);
  return folder;
}

/** Removes a folder made by makeTempDir() and all in it. */
export async function removeTempDir(folder: string): Promise<void> {
  if (!folders.delete(folder))
    throw new Error(`Cannot remove "${folder}": it is not a folder of makeTempDir()`);
  await rm(folder, { recursive: true, force: true });
}
