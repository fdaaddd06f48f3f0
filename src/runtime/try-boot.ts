// Boots every app of a configuration once, without serving: for `viaduct check --load-apps`.
import type { Config, MountConfig } from '../config/types.ts';
import { createLogger } from '../observe/logger.ts';
import { MetricSlots } from '../observe/metric-slots.ts';
import { type BootFailure, bootMounts } from './boot.ts';
import { targetIds } from './privileges.ts';
import { PythonProcess } from './python/process.ts';

/** One text for each mount that failed. */
export async function tryBoot(config: Config): Promise<string[]> {
  // A Python app needs a process; its middleware is tried around another app.
  const here = config.mounts.map((mount) => (mount.python === null ? mount : withoutPython(mount)));
  const { failures } = await bootMounts({ ...config, mounts: here }, new MetricSlots());
  const elsewhere = await Promise.all(config.mounts.map((mount) => tryPython(config, mount)));
  return [...failures, ...elsewhere.filter((failure) => failure !== null)].map(
    ({ mount, message }) => `mount ${mount}: ${message}`,
  );
}

const withoutPython = (mount: MountConfig): MountConfig => ({
  ...mount,
  app: { kind: 'builtin', builtin: 'viaduct:hello' },
  interface: 'wsgi',
  python: null,
});

function tryPython(config: Config, mount: MountConfig): Promise<BootFailure | null> {
  const { python } = mount;
  const logs = createLogger({ level: 'silent', file: null, stderr: 2 });
  if (python === null) return Promise.resolve(null);
  return new Promise((resolve) => {
    let isReady = false;
    const tried = new PythonProcess({
      mount,
      python,
      number: 0,
      lanes: Array.from({ length: python.threads }, () => null),
      token: '',
      ids: targetIds(config),
      logs,
      owner: {
        booted: () => {
          isReady = true;
          tried.kill('stop');
        },
        serving: () => undefined,
        leaves: () => undefined,
        exited: ({ failure }) => resolve(isReady ? null : failure),
      },
    });
  });
}
