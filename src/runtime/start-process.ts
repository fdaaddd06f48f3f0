// Starts a worker process: program, options and descriptors. Does not know what it will do.
import { type ChildProcess, spawn } from 'node:child_process';
import { extname, join } from 'node:path';

const ENTRY = join(import.meta.dirname, `worker-main${extname(import.meta.filename)}`);

/**
 * @param descriptors listening sockets, in the order of the configuration's listeners
 * @returns its `pid` is undefined where it could not be started; 'error' says why
 */
export function startProcess(descriptors: readonly number[]): ChildProcess {
  return spawn(process.execPath, [...nodeOptions(), ENTRY], {
    // ipc.ts has the layout.
    stdio: ['ignore', 'pipe', 'pipe', 'ipc', 2, ...descriptors, 2, 2],
    detached: true,
    // JSON would lose the infinity in a middleware's options.
    serialization: 'advanced',
  });
}

/** This process's own, without a debugger, whose port is taken. */
export function nodeOptions(): string[] {
  const own = process.execArgv.filter((option) => !option.startsWith('--inspect'));
  const flag = '--disable-sigusr1';
  return process.allowedNodeEnvironmentFlags.has(flag) ? [...own, flag] : own;
}
