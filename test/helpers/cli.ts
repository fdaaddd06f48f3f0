// Runs the viaduct program to its end, as a shell would.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { projectRoot } from './project.ts';

export const VIADUCT: string = join(projectRoot, 'dist/src/cli/main.js');

export interface CliOptions {
  cwd?: string;
  env?: Readonly<Record<string, string>>;
  /** To run as, where the tests run as root. */
  uid?: number;
  gid?: number;
  /** Milliseconds until it is killed; 20000 unless told. */
  timeout?: number;
}

export interface CliResult {
  /** null where a signal ended it. */
  code: number | null;
  stdout: string;
  stderr: string;
}

export function runViaduct(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  const { cwd, env = {}, uid, gid, timeout = 20_000 } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [VIADUCT, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
      timeout,
      killSignal: 'SIGKILL',
      ...(cwd !== undefined && { cwd }),
      ...(uid !== undefined && { uid }),
      ...(gid !== undefined && { gid }),
    });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
    child.on('error', reject);
    child.on('close', (code) => {
      resolve({ code, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() });
    });
  });
}
