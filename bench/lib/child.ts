// Starts one program for a measurement and makes sure that it ends with it. Knows nothing of what the program is.
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { waitFor } from '../../test/helpers/wait.ts';

export interface Child {
  readonly pid: number;
  /** All that it wrote to stdout and stderr. */
  output(): string;
  /** SIGTERM, and SIGKILL to its whole group where that is not enough. */
  stop(): Promise<void>;
}

export interface ChildOptions {
  /** The program and its arguments. */
  readonly command: readonly string[];
  /** Where its output goes. */
  readonly log: string;
  /** It is ready once this Unix socket accepts connections. */
  readonly socket: string;
  readonly env?: NodeJS.ProcessEnv;
}

const START_TIMEOUT_MS = 20_000;
const STOP_TIMEOUT_MS = 3000;
const running = new Set<ChildProcess>();

// A measurement that broke off must not leave a program behind.
process.once('exit', () => {
  for (const child of running) killGroup(child);
});

/** @throws {Error} with the program's own words where it ends before it is ready */
export async function startChild(options: ChildOptions): Promise<Child> {
  const { command, log, socket, env = {} } = options;
  const [program = '', ...args] = command;
  const out = openSync(log, 'w');
  const child = spawn(program, args, {
    stdio: ['ignore', out, out],
    env: { ...process.env, ...env },
    detached: true,
  });
  closeSync(out);
  running.add(child);
  child.on('error', () => running.delete(child));
  child.on('exit', () => running.delete(child));
  const output = (): string => readFileSync(log, 'utf8');
  const isUp = (): Promise<boolean> | true => hasEnded(child) || accepts(socket);
  try {
    await waitFor(isUp, { what: `it to listen on ${socket}`, timeout: START_TIMEOUT_MS });
    if (hasEnded(child)) throw new Error(`It ended with code ${child.exitCode}`);
  } catch (error) {
    killGroup(child);
    const words = output().trim() || 'it said nothing';
    throw new Error(`Cannot start ${command.join(' ')}: ${words}`, { cause: error });
  }
  return { pid: child.pid ?? 0, output, stop: () => end(child) };
}

async function end(child: ChildProcess): Promise<void> {
  if (hasEnded(child)) return;
  child.kill('SIGTERM');
  try {
    await waitFor(() => hasEnded(child), { what: 'a program to end', timeout: STOP_TIMEOUT_MS });
  } catch {
    killGroup(child);
    await waitFor(() => hasEnded(child), { what: 'a program to be killed', timeout: STOP_TIMEOUT_MS });
  }
}

function hasEnded(child: ChildProcess): boolean {
  return child.pid === undefined || child.exitCode !== null || child.signalCode !== null;
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // The group is gone already.
  }
}

function accepts(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.once('error', () => resolve(false));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}
