// run_dir and the pid file in it.
import { mkdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Writes run_dir/viaduct.pid, making run_dir where it is missing; gives what removes the file again if it is still ours.
 * Everybody may pass through the folder: sockets for nginx, who is another user, often lie in it too.
 */
export function writePidFile(runDir: string): () => void {
  mkdirSync(runDir, { recursive: true, mode: 0o755 });
  const file = join(runDir, 'viaduct.pid');
  const text = `${process.pid}\n`;
  writeFileSync(file, text, { mode: 0o644 });
  return () => {
    try {
      if (readFileSync(file, 'latin1') === text) unlinkSync(file);
    } catch {
      // Gone already, or no longer ours to remove after the change of user.
    }
  };
}
