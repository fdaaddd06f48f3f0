// Who runs on which processor: the backend alone on one; nginx, the client and this program together on another.
import { spawnSync } from 'node:child_process';
import { cpus } from 'node:os';
import { findProgram } from './tools.ts';

export const FRONT_CPU = 0;
export const BACKEND_CPU = 1;

export const canPin = (): boolean => cpus().length > 1 && findProgram(/^taskset$/) !== undefined;

/** Puts this program to the front, all its threads, and whatever it starts from now on. */
export function pinToFront(): void {
  spawnSync('taskset', ['-a', '-p', '-c', String(FRONT_CPU), String(process.pid)]);
}

/** What stands before the command of a backend. */
export const backendWrap = (pinned: boolean): string[] =>
  pinned ? ['taskset', '-c', String(BACKEND_CPU)] : [];
