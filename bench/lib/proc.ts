// What Linux says of a process and its children: memory and processor time, read from /proc (proc(5)).
import { readdirSync, readFileSync } from 'node:fs';

/** Clock ticks a second of /proc/PID/stat: USER_HZ, 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/** Resident memory in bytes; 0 once the process has gone. */
export function residentBytes(pid: number): number {
  return kilobytesOf(pid, 'VmRSS') * 1024;
}

/** Seconds of user and system time that the process and its living descendants have used. */
export function cpuSeconds(pid: number): number {
  let ticks = 0;
  for (const each of treeOf(pid)) ticks += ticksOf(each);
  return ticks / TICKS_PER_SECOND;
}

/** Resident memory of the process and its living descendants, in bytes; shared pages count in each. */
export function treeResidentBytes(pid: number): number {
  return treeOf(pid).reduce((sum, each) => sum + residentBytes(each), 0);
}

/** The process and its living descendants. */
export function treeOf(root: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const parent = Number(statFields(Number(name))[1]);
    const list = children.get(parent);
    if (list === undefined) children.set(parent, [Number(name)]);
    else list.push(Number(name));
  }
  const tree = [root];
  for (const pid of tree) tree.push(...(children.get(pid) ?? []));
  return tree;
}

function ticksOf(pid: number): number {
  const fields = statFields(pid);
  // utime, stime, and those of children that it has waited for: cutime, cstime.
  return [11, 12, 13, 14].reduce((sum, at) => sum + Number(fields[at] ?? 0), 0);
}

/** The fields after the program's name, which may itself hold blanks and parentheses: the first is the state. */
function statFields(pid: number): string[] {
  const text = readOrEmpty(`/proc/${pid}/stat`);
  return text.slice(text.lastIndexOf(')') + 2).split(' ');
}

function kilobytesOf(pid: number, name: string): number {
  const match = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(readOrEmpty(`/proc/${pid}/status`));
  return Number(match?.[1] ?? 0);
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
