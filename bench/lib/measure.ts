// One measurement: one backend and one nginx, started for it, warmed up, loaded, stopped.
import { spawnSync } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { request } from '../../test/helpers/http-client.ts';
import type { Nginx } from '../../test/helpers/nginx.ts';
import { makeTempDir, removeTempDir } from '../../test/helpers/temp.ts';
import type { Backend } from './backend.ts';
import type { Child } from './child.ts';
import { startFront } from './front.ts';
import { cpuSeconds, treeOf, treeResidentBytes } from './proc.ts';
import { runWrk, type WrkResult } from './wrk.ts';

export interface Load {
  readonly connections: number;
  readonly seconds: number;
  readonly warmup: number;
  /** Backend on the last processor, nginx and wrk on the first. */
  readonly pinned: boolean;
  readonly nodeArgs: readonly string[];
}

export interface Sample extends WrkResult {
  /** Microseconds of user and system time of the backend's processes, a request. */
  readonly cpu: number;
  /** The same of nginx. */
  readonly nginxCpu: number;
  /** Bytes, of all its processes, at the end. */
  readonly resident: number;
}

/** Which processor is whose, where things are pinned. */
export const FRONT_CPU = 0;
export const BACKEND_CPU = 1;

const PATH = '/hello/world?name=you';

export async function measure(backend: Backend, load: Load): Promise<Sample> {
  const dir = await makeTempDir();
  const socket = join(dir, 'app.sock');
  await mkdir(join(dir, 'run'));
  let child: Child | undefined;
  let nginx: Nginx | undefined;
  try {
    child = await backend.start({ dir, socket, wrap: pin(load, BACKEND_CPU), nodeArgs: load.nodeArgs });
    nginx = await startFront(backend, socket, load.connections);
    if (load.pinned) pinTree(nginx.pid, FRONT_CPU);
    return await takeSample(child.pid, nginx, load);
  } finally {
    await nginx?.stop();
    await child?.stop();
    await removeTempDir(dir);
  }
}

async function takeSample(pid: number, nginx: Nginx, load: Load): Promise<Sample> {
  const url = `http://127.0.0.1:${nginx.port}${PATH}`;
  const wrap = pin(load, FRONT_CPU);
  const { connections } = load;
  await expectHello(nginx.port);
  await runWrk({ url, connections, seconds: load.warmup, wrap });
  const before = cpuSeconds(pid);
  const nginxBefore = cpuSeconds(nginx.pid);
  const result = await runWrk({ url, connections, seconds: load.seconds, wrap });
  const perRequest = (seconds: number): number => (seconds * 1e6) / Math.max(1, result.requests);
  return {
    ...result,
    cpu: perRequest(cpuSeconds(pid) - before),
    nginxCpu: perRequest(cpuSeconds(nginx.pid) - nginxBefore),
    resident: treeResidentBytes(pid),
  };
}

/** A backend that answers fast but wrong is not measured. */
async function expectHello(port: number): Promise<void> {
  const { status, text } = await request({ port, path: PATH });
  if (status !== 200 || text !== 'Hello, World!\n')
    throw new Error(`Cannot measure: the backend answered ${status} ${JSON.stringify(text)}, wanted hello`);
}

const pin = ({ pinned }: Load, cpu: number): string[] => (pinned ? ['taskset', '-c', String(cpu)] : []);

function pinTree(root: number, cpu: number): void {
  for (const pid of treeOf(root)) spawnSync('taskset', ['-a', '-p', '-c', String(cpu), String(pid)]);
}
