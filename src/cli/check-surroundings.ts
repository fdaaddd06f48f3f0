// What a configuration names outside itself: files, folders, users and groups. Changes nothing, opens nothing but password
// files.
import { accessSync, constants, existsSync, statSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { readHtpasswd } from '../apps/middleware/htpasswd.ts';
import type { LoadedConfig } from '../config/load.ts';
import type { KeyPath, Problem } from '../config/problems.ts';
import { tooFewThreads } from '../config/python-checks.ts';
import type { BuiltinName, Reference } from '../config/reference.ts';
import type { PythonConfig } from '../config/types.ts';
import type { ListenAddress } from '../config/address.ts';
import { findTarget, PrivilegeError } from '../runtime/privileges.ts';
import { lookupGroup, lookupUser } from '../runtime/users.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';

export interface Findings {
  problems: Problem[];
  warnings: Problem[];
  /** What serve exits with because of them: 78, unless all that is wrong is rights (77) or what stands in the way (73). */
  exitCode: ExitCode;
}

export function checkSurroundings(loaded: LoadedConfig): Findings {
  const checker = new Checker(loaded);
  const { listeners, workers, mounts, admin, log, runDir, user, group } = loaded.config;
  checker.account(user, 'user', ['user']);
  checker.account(group, 'group', ['group']);
  checker.folder(runDir, ['run_dir']);
  for (const [index, listener] of listeners.entries()) {
    checker.socket(listener.address, ['listeners', index, 'address']);
    checker.account(listener.owner, 'user', ['listeners', index, 'owner']);
    checker.account(listener.group, 'group', ['listeners', index, 'group']);
  }
  for (const [index, mount] of mounts.entries()) {
    checker.source(mount.app, ['mounts', index, 'app']);
    if (mount.python !== null) checker.python(mount.python, workers, ['mounts', index, 'python']);
    for (const [place, { use, options = {} }] of mount.middleware.entries()) {
      const path = ['mounts', index, 'middleware', place];
      checker.source(use, path);
      if (use.kind === 'builtin') checker.builtin(use.builtin, options, [...path, 'options']);
    }
  }
  if (admin !== null) checker.socket(admin.address, ['admin', 'address']);
  checker.logFile(log.file, ['log', 'file']);
  checker.logFile(log.access.file, ['log', 'access', 'file']);
  const { problems, warnings, exitCode } = checker;
  return { problems, warnings, exitCode };
}

/** Where `serve`, started by who we are, could not become whom the file names: that it would end with exit code 77. */
export function checkPrivileges(loaded: LoadedConfig): Problem[] {
  try {
    findTarget(loaded.config);
    return [];
  } catch (error) {
    if (!(error instanceof PrivilegeError)) throw error;
    const hint = `viaduct serve, started like this, ends with exit code ${EXIT.permission}`;
    return [loaded.problemAt([loaded.config.user === null ? 'group' : 'user'], error.message, hint)];
  }
}

class Checker {
  readonly problems: Problem[] = [];
  readonly warnings: Problem[] = [];
  exitCode: ExitCode = EXIT.ok;
  readonly #loaded: LoadedConfig;

  constructor(loaded: LoadedConfig) {
    this.#loaded = loaded;
  }

  account(nameOrId: string | null, kind: 'user' | 'group', path: KeyPath): void {
    if (nameOrId === null) return;
    const found = kind === 'user' ? lookupUser(nameOrId) : lookupGroup(nameOrId);
    if (found !== undefined) return;
    const file = kind === 'user' ? '/etc/passwd' : '/etc/group';
    this.#fail(path, `There is no ${kind} "${nameOrId}" in ${file}`);
  }

  source(reference: Reference, path: KeyPath): void {
    const file = fileOf(reference);
    if (file === null) return;
    const kind = kindOf(file);
    if (kind === 'nothing') this.#fail(path, `Cannot find the file ${file}`);
    else if (kind === 'unreachable')
      this.#fail(path, `Cannot reach the file ${file}: permission denied`, EXIT.permission);
    else if (kind !== 'file') this.#fail(path, `Expected a file, found a ${kind} at ${file}`);
    else if (!allows(file, constants.R_OK))
      this.#fail(path, `Cannot read the file ${file}: permission denied`, EXIT.permission);
  }

  /** What the options of a built-in middleware name; they have passed the check of the file. */
  builtin(name: BuiltinName, { root, file }: Readonly<Record<string, unknown>>, path: KeyPath): void {
    if (name === 'viaduct:static' && typeof root === 'string') {
      const kind = kindOf(root);
      if (kind !== 'folder') this.#fail([...path, 'root'], `Expected a folder at ${root}, found ${kind}`);
    }
    if (name !== 'viaduct:basic-auth' || typeof file !== 'string') return;
    try {
      readHtpasswd(file);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      this.#fail([...path, 'file'], error.message);
    }
  }

  python(
    { executable, path, chdir, processes, threads }: PythonConfig,
    workers: number | 'auto',
    at: KeyPath,
  ): void {
    if (findProgram(executable) === undefined)
      this.#fail(
        [...at, 'executable'],
        `Cannot find the program ${executable}${executable.includes('/') ? '' : ' on PATH'}`,
      );
    for (const folder of new Set([chdir, ...path])) {
      const kind = kindOf(folder);
      const key = folder === chdir ? 'chdir' : 'path';
      if (kind !== 'folder') this.#fail([...at, key], `Expected a folder at ${folder}, found ${kind}`);
    }
    const message = tooFewThreads(processes, threads, workers === 'auto' ? availableParallelism() : workers);
    if (message !== null) this.#fail(at, message);
  }

  socket(address: ListenAddress, path: KeyPath): void {
    // who starts us passes it, or does not: that shows on the start
    if (address.kind === 'systemd') return;
    if (address.kind === 'tcp') {
      const { port } = address;
      if (port > 0 && port < 1024 && process.getuid?.() !== 0) {
        this.#warn(path, `Port ${port} is below 1024: most systems let only root bind it`);
      }
      return;
    }
    const kind = kindOf(address.path);
    // whether something serves on an existing socket is seen when it is bound
    if (kind === 'file' || kind === 'folder' || kind === 'device') {
      this.#fail(path, `Expected a socket or nothing at ${address.path}, found a ${kind}`, EXIT.cannotCreate);
    }
    this.folder(dirname(address.path), path);
  }

  logFile(file: string | null, path: KeyPath): void {
    if (file === null) return;
    const kind = kindOf(file);
    if (kind === 'folder' || kind === 'socket')
      this.#fail(path, `Expected a file, found a ${kind} at ${file}`, EXIT.cannotCreate);
    else if (kind === 'nothing' || kind === 'unreachable') this.folder(dirname(file), path);
    else if (!allows(file, constants.W_OK))
      this.#fail(path, `Cannot write the file ${file}: permission denied`, EXIT.permission);
  }

  /** The folder is writable, or may be made. */
  folder(folder: string, path: KeyPath): void {
    let nearest = folder;
    while (!existsSync(nearest) && dirname(nearest) !== nearest) nearest = dirname(nearest);
    const kind = kindOf(nearest);
    if (kind !== 'folder') {
      this.#fail(path, `Expected a folder, found a ${kind} at ${nearest}`, EXIT.cannotCreate);
    } else if (!allows(nearest, constants.W_OK | constants.X_OK)) {
      const action =
        nearest === folder ? `write to the folder ${folder}` : `create the folder ${folder} in ${nearest}`;
      this.#fail(path, `Cannot ${action}: permission denied`, EXIT.permission);
    }
  }

  #fail(path: KeyPath, message: string, exitCode: ExitCode = EXIT.config): void {
    if (this.exitCode === EXIT.ok || exitCode === EXIT.config) this.exitCode = exitCode;
    this.problems.push(this.#loaded.problemAt(path, message));
  }

  #warn(path: KeyPath, message: string): void {
    this.warnings.push(this.#loaded.problemAt(path, message));
  }
}

/** unreachable: a folder on the way there may not be entered, or links lead in a circle. */
type Kind = 'nothing' | 'unreachable' | 'file' | 'folder' | 'socket' | 'device';

function kindOf(path: string): Kind {
  let stat: Stats | undefined;
  try {
    stat = statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    // a file where a folder should be on the way there
    const isNotDirectory = error instanceof Error && 'code' in error && error.code === 'ENOTDIR';
    return isNotDirectory ? 'nothing' : 'unreachable';
  }
  if (stat === undefined) return 'nothing';
  if (stat.isFile()) return 'file';
  if (stat.isDirectory()) return 'folder';
  return stat.isSocket() ? 'socket' : 'device';
}

/** null: nothing that could be looked for. */
function fileOf(reference: Reference): string | null {
  if (reference.kind === 'file') return reference.file;
  return reference.kind === 'python' && reference.isFile ? reference.module : null;
}

/** Where execvp(3) would find it. */
function findProgram(name: string): string | undefined {
  const folders = name.includes('/') ? [''] : (process.env['PATH'] ?? '').split(':');
  return folders
    .map((folder) => join(folder, name))
    .find((file) => kindOf(file) === 'file' && allows(file, constants.X_OK));
}

function allows(path: string, access: number): boolean {
  try {
    accessSync(path, access);
    return true;
  } catch {
    return false;
  }
}
