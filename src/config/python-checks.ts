// What the keys of a Python mount mean for others, and others for them. Reads the data as the file has it.
import { MAX_SOCKET_PATH_BYTES } from './address.ts';
import { isMapping, type Mapping } from './mapping.ts';
import { BadValue, describeValue, type Issue, type KeyPath } from './problems.ts';
import { parseReference, type Reference, WANTED_JAVASCRIPT, WANTED_PYTHON } from './reference.ts';

/** Keys of `env` that cannot be set for an app whose environ they reach. */
const RESERVED_NAMES =
  /^(wsgi\.|viaduct\.|HTTP_|CONTENT_|REQUEST_METHOD$|SCRIPT_NAME$|PATH_INFO$|QUERY_STRING$|SERVER_)/;

/** Of "/lanes/GENERATION-WORKER-MOUNT.sock.PROCESS" below run_dir, at most. */
const LANE_NAME_BYTES = 36;

export const DEFAULT_PROCESSES = 2;
export const DEFAULT_THREADS = 4;

/** What does not go together in one mount. */
export function checkInterface(mount: Mapping, path: KeyPath): Issue[] {
  const isPython = mount['interface'] === 'python';
  const issues = isPython ? [] : reservedKeys(mount['env'], [...path, 'env']);
  const { app } = mount;
  if (typeof app !== 'string') return issues;
  const reference = parse(app);
  if (reference === undefined || (reference.kind === 'python') === isPython) return issues;
  const found = `found ${describeValue(app)}`;
  issues.push(
    isPython
      ? { path: [...path, 'app'], message: `Expected ${WANTED_PYTHON}, ${found}` }
      : {
          path: [...path, 'app'],
          message: `Expected ${WANTED_JAVASCRIPT}, ${found}`,
          hint: 'write interface: python for a Python app',
        },
  );
  return issues;
}

/** Every worker needs a thread of each Python mount, and room for the paths of their sockets. */
export function checkLanes(mount: Mapping, path: KeyPath, workers: unknown, runDir: string): Issue[] {
  if (mount['interface'] !== 'python') return [];
  const bytes = Buffer.byteLength(runDir) + LANE_NAME_BYTES;
  if (bytes > MAX_SOCKET_PATH_BYTES) {
    const most = MAX_SOCKET_PATH_BYTES - LANE_NAME_BYTES;
    const message = `Expected a path of at most ${most} bytes where there are Python apps, found ${bytes - LANE_NAME_BYTES}: ${runDir}`;
    return [{ path: ['run_dir'], message, hint: 'use a shorter folder such as /run/viaduct' }];
  }
  const python = isMapping(mount['python']) ? mount['python'] : {};
  const processes = python['processes'] ?? DEFAULT_PROCESSES;
  const threads = python['threads'] ?? DEFAULT_THREADS;
  if (typeof processes !== 'number' || typeof threads !== 'number' || typeof workers !== 'number') return [];
  const message = tooFewThreads(processes, threads, workers);
  return message === null ? [] : [{ path: isMapping(mount['python']) ? [...path, 'python'] : path, message }];
}

/** What to say where workers would be left without a Python thread; null: none would. */
export function tooFewThreads(processes: number, threads: number, workers: number): string | null {
  if (processes * threads >= workers) return null;
  return `Expected a Python thread for each of ${workers} workers, found ${processes * threads} (processes x threads)`;
}

/** `python` where no Python runs. */
export function idlePython(mount: Mapping, path: KeyPath): Issue[] {
  if (mount['python'] === undefined || mount['python'] === null || mount['interface'] === 'python') return [];
  const message = 'This key has no effect: it is only for interface: python';
  return [{ path: [...path, 'python'], message, atKey: true }];
}

function reservedKeys(env: unknown, path: KeyPath): Issue[] {
  if (!isMapping(env)) return [];
  return Object.keys(env)
    .filter((name) => RESERVED_NAMES.test(name))
    .map((name) => ({ path: [...path, name], message: 'The request sets this key itself', atKey: true }));
}

function parse(text: string): Reference | undefined {
  try {
    return parseReference(text, 'app');
  } catch (error) {
    // The schema has said what is wrong.
    if (error instanceof BadValue) return undefined;
    throw error;
  }
}
