// Boots every app of a configuration once, without serving: for `viaduct check --load-apps`. An app may end or block the
// process it is loaded in, so that is another one.
import { type ChildProcess, spawn } from 'node:child_process';
import { extname, join } from 'node:path';
import type { Config, MountConfig } from '../config/types.ts';
import { createLogger } from '../observe/logger.ts';
import type { BootFailure } from './boot.ts';
import { BOOT_SLACK, loadingFailure } from './exits.ts';
import { targetIds } from './privileges.ts';
import { PythonProcess } from './python/process.ts';
import { nodeOptions } from './start-process.ts';

const ENTRY = join(import.meta.dirname, `trial-main${extname(import.meta.filename)}`);

export interface TrialOrder {
  readonly config: Config;
  /** Mounts that are not to be loaded: loading them has ended a process before. */
  readonly skip: readonly BootFailure[];
}

export type TrialReport =
  /** About to load a file of this mount. */
  | { readonly kind: 'loading'; readonly mount: string }
  /** Every mount has been tried. */
  | { readonly kind: 'tried'; readonly failures: readonly BootFailure[] };

/** One text for each mount that failed. */
export async function tryBoot(config: Config): Promise<string[]> {
  // A Python app needs a process; its middleware is tried around another app.
  const here = config.mounts.map((mount) => (mount.python === null ? mount : withoutPython(mount)));
  const failures = await tryHere({ ...config, mounts: here });
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

/** Tries again without the mounts that ended the process, until one gets to its end. */
async function tryHere(config: Config): Promise<readonly BootFailure[]> {
  const fatal: BootFailure[] = [];
  for (;;) {
    const { failures, culprit } = await trial({ config, skip: fatal });
    if (culprit === null) return [...fatal, ...failures];
    fatal.push(culprit);
  }
}

interface Trial {
  readonly failures: readonly BootFailure[];
  /** Whom its early end is the fault of; null: it came to its end. */
  readonly culprit: BootFailure | null;
}

/** @throws {Error} where the process cannot be started, or ends before it loads anything */
function trial(order: TrialOrder): Promise<Trial> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...nodeOptions(), ENTRY], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      serialization: 'advanced',
    });
    let loading: string | null = null;
    let failures: readonly BootFailure[] | null = null;
    let isLate = false;
    let deadline: NodeJS.Timeout | undefined;
    child.on('error', reject);
    child.on('message', (message) => {
      if (!isReport(message)) return;
      clearTimeout(deadline);
      if (message.kind === 'tried') ({ failures } = message);
      else {
        loading = message.mount;
        deadline = setTimeout(() => (isLate = child.kill('SIGKILL')), bootTime(order.config, loading));
      }
    });
    child.once('close', () => {
      clearTimeout(deadline);
      if (failures !== null) resolve({ failures, culprit: null });
      else if (loading !== null)
        resolve({ failures: [], culprit: loadingFailure(loading, endOf(child), isLate) });
      else reject(new Error('Cannot try the apps: the process for it ended before it loaded any'));
    });
    child.send(order, () => undefined);
  });
}

const endOf = ({
  exitCode,
  signalCode,
}: ChildProcess): { code: number | null; signal: NodeJS.Signals | null } => ({
  code: exitCode,
  signal: signalCode,
});

const bootTime = ({ mounts, timeouts }: Config, name: string): number =>
  (mounts.find((mount) => mount.name === name)?.timeouts ?? timeouts).boot + BOOT_SLACK;

/** Apps say things of their own on the channel. */
function isReport(message: unknown): message is TrialReport {
  if (typeof message !== 'object' || message === null || !('kind' in message)) return false;
  if (message.kind === 'tried') return 'failures' in message && Array.isArray(message.failures);
  return message.kind === 'loading' && 'mount' in message && typeof message.mount === 'string';
}

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
