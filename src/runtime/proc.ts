// What a process uses, asked of the kernel and not of the process: it works where that one is stuck.
import { endianness } from 'node:os';
import { readFileSync } from 'node:fs';

export interface Usage {
  /** Bytes of memory that are resident. */
  readonly rss: number;
  /** CPU time, user and system, in seconds. */
  readonly cpu: number;
}

/** Clock ticks of /proc in a second: always 100 on Linux, whatever the kernel's own clock (time(7)). */
const USER_HZ = 100;
const PAGE_SIZE = pageSize();

/** null where there is no such process, or no /proc. */
export function readUsage(pid: number): Usage | null {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return null;
  }
  // proc(5): the second field is a name in parentheses that may hold anything; the third comes after the last ")".
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [utime, stime, pages] = [fields[11], fields[12], fields[21]].map(Number);
  if (utime === undefined || stime === undefined || pages === undefined) return null;
  return { rss: pages * PAGE_SIZE, cpu: (utime + stime) / USER_HZ };
}

/** From the auxiliary vector, getauxval(3): pairs of words, AT_PAGESZ being 6. */
function pageSize(): number {
  try {
    const vector = readFileSync('/proc/self/auxv');
    const view = new DataView(vector.buffer, vector.byteOffset, vector.byteLength);
    const little = endianness() === 'LE';
    for (let at = 0; at + 16 <= vector.byteLength; at += 16) {
      if (view.getBigUint64(at, little) === 6n) return Number(view.getBigUint64(at + 8, little));
    }
  } catch {
    // No /proc: nothing is read from it later either.
  }
  return 4096;
}
