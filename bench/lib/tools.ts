// Finds programs, and runs those that only prepare something.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, readdirSync } from 'node:fs';
import { join } from 'node:path';

const FOLDERS = [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/usr/local/sbin'];

/** The path of the first program whose whole name fits. */
export function findProgram(name: RegExp): string | undefined {
  for (const folder of FOLDERS) {
    for (const file of namesIn(folder)) {
      if (name.test(file) && isExecutable(join(folder, file))) return join(folder, file);
    }
  }
  return undefined;
}

/** Runs a program to its end; what went wrong in a line, or null. */
export function runTool(
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): string | null {
  const result = spawnSync(program, args, { encoding: 'utf8', env: { ...process.env, ...env } });
  if (result.status === 0) return null;
  const reason = result.error?.message ?? result.stderr.trim().split('\n').at(-1) ?? '';
  return `${program} failed: ${reason}`;
}

/** The first line that a program prints, "" where it cannot run. */
export function firstLine(program: string, args: readonly string[]): string {
  const { stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  return (stdout || stderr || '').trim().split('\n')[0] ?? '';
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
