// What the kernel tells of processes: who descends from whom, what they hold open. Reads proc(5), knows nothing of viaduct.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

export interface ProcessInfo {
  readonly pid: number;
  readonly parent: number;
  readonly session: number;
  /** Clock ticks since boot: with the pid it names one process for ever. */
  readonly startedAt: string;
  /** `Z`: it has exited, and its parent has not asked for its status yet. */
  readonly state: string;
  readonly command: string;
}

/** All processes there are now. */
export function listProcesses(): ProcessInfo[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      const stat = readOrEmpty(`/proc/${name}/stat`);
      // The name in parentheses may hold anything, parentheses too.
      const nameEnd = stat.lastIndexOf(')');
      if (nameEnd === -1) return [];
      const fields = stat.slice(nameEnd + 2).split(' ');
      const command = readOrEmpty(`/proc/${name}/cmdline`).replaceAll('\0', ' ').trim();
      return [
        {
          pid: Number(name),
          state: fields[0] ?? '',
          parent: Number(fields[1]),
          session: Number(fields[3]),
          startedAt: fields[19] ?? '',
          command: command === '' ? stat.slice(stat.indexOf('('), nameEnd + 1) : command,
        },
      ];
    });
}

/** Those among `all` that `pid` has started, and what they have started. Nearest first. */
export function descendantsOf(pid: number, all: readonly ProcessInfo[] = listProcesses()): ProcessInfo[] {
  const children = all.filter(({ parent }) => parent === pid);
  return [...children, ...children.flatMap((child) => descendantsOf(child.pid, all))];
}

/** Whether its environment had this variable with this value when it began. */
export function hasInEnvironment(pid: number, name: string, value: string): boolean {
  return readOrEmpty(`/proc/${pid}/environ`).split('\0').includes(`${name}=${value}`);
}

/** What each descriptor of a process is, as readlink(2) has it; none for a process that is gone. */
export function descriptorsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return [readlinkSync(`/proc/${pid}/fd/${fd}`)];
      } catch {
        return [];
      }
    });
  } catch {
    return [];
  }
}

/** Bytes of memory that are resident, 0 for a process that is gone. */
export function residentMemory(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readOrEmpty(`/proc/${pid}/status`))?.[1] ?? 0;
  return Number(kilobytes) * 1024;
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
