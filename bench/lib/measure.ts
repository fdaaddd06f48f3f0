// One measurement: one backend, and mostly one nginx, started for it, warmed up, loaded, stopped.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Nginx } from '../../test/helpers/nginx.ts';
import { makeTempDir, removeTempDir } from '../../test/helpers/temp.ts';
import type { AppName, Backend } from './backend.ts';
import type { Child } from './child.ts';
import type { Drive } from './drive.ts';
import { type FrontSettings, startFront } from './front.ts';
import { backendWrap } from './pinning.ts';
import { cpuSeconds, treeResidentBytes } from './proc.ts';
import type { Case, Figures, Load } from './scenario.ts';

export interface BehindNginx {
  /** The backend's unless told. */
  readonly name?: string;
  readonly app: AppName;
  readonly drive: (load: Load) => Drive;
  readonly front?: FrontSettings;
  /** Seconds of warm-up at least. */
  readonly warmup?: number;
}

/** A backend behind nginx, as a row of a scenario. */
export function behindNginx(backend: Backend, { name, app, drive, front, warmup = 0 }: BehindNginx): Case {
  return {
    name: name ?? backend.name,
    prepare: () => backend.prepare(),
    measure: (given) => {
      const load = { ...given, warmup: Math.max(given.warmup, warmup) };
      return withBackend(backend, app, load, async (child, socket) => {
        const driver = drive(load);
        const nginx = await startFront(backend, socket, driver.connections, front);
        try {
          return await takeSample(child.pid, nginx, driver, load);
        } finally {
          await nginx.stop();
        }
      });
    },
  };
}

/** Runs a backend in a folder of its own for as long as `use` takes. */
export async function withBackend<T>(
  backend: Backend,
  app: AppName,
  { pinned, node, nodeArgs }: Load,
  use: (child: Child, socket: string) => Promise<T>,
): Promise<T> {
  const dir = await makeTempDir();
  const socket = join(dir, 'app.sock');
  await mkdir(join(dir, 'run'));
  let child: Child | undefined;
  try {
    child = await backend.start({ dir, socket, app, wrap: backendWrap(pinned), node, nodeArgs });
    return await use(child, socket);
  } finally {
    await child?.stop();
    await removeTempDir(dir);
  }
}

async function takeSample(pid: number, nginx: Nginx, drive: Drive, load: Load): Promise<Figures> {
  await drive.check(nginx.port);
  await drive.run(nginx.port, load.warmup);
  const before = cpuSeconds(pid);
  const nginxBefore = cpuSeconds(nginx.pid);
  const { units, figures } = await drive.run(nginx.port, load.seconds);
  if (units === 0) throw new Error('Cannot measure: nothing was answered in time');
  return {
    ...figures,
    cpu: (cpuSeconds(pid) - before) / units,
    nginxCpu: (cpuSeconds(nginx.pid) - nginxBefore) / units,
    resident: treeResidentBytes(pid),
  };
}
