// Ends a child with all that it has started.
import type { ChildProcess } from 'node:child_process';

/** SIGKILL to the process group that `child` leads; nothing where it never started, or nobody is left. */
export function killGroup({ pid }: Pick<ChildProcess, 'pid'>): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // ESRCH: nobody is left.
  }
}
