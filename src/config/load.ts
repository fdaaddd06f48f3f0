// The configuration file from disk to Config: read, interpolate, check, make absolute. Every mistake is collected.
// Looks at no other file: whether apps, sockets and users exist is checked elsewhere.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { resolveAddress } from './address.ts';
import { crossCheck, findIdleKeys, defaultMountName } from './checks.ts';
import { readDocument } from './document.ts';
import type { Position, SourceDocument } from './document.ts';
import { explainIssues } from './issues.ts';
import { knownKeys } from './json-schema.ts';
import { completeMiddleware } from './middleware-checks.ts';
import { ConfigError, formatPath } from './problems.ts';
import type { Issue, KeyPath, Problem } from './problems.ts';
import { resolveReference } from './reference.ts';
import { configSchema } from './schema.ts';
import type { FileConfig, FileMount } from './schema.ts';
import type { FilePython } from './python-schema.ts';
import type { Config, MountConfig, PythonConfig, Recycle } from './types.ts';

export interface LoadedConfig {
  config: Config;
  /** Absolute. */
  file: string;
  /** Allowed, but hardly meant. */
  warnings: Problem[];
  /** Paths of the texts that came, wholly or in part, from the environment. */
  interpolated: KeyPath[];
  /** Where a key of the file (in the file's own names) has its value; the nearest thing around it when it is a default. */
  locate(path: KeyPath): Position;
  /** A problem found later, at its place in the file. */
  problemAt(path: KeyPath, message: string, hint?: string): Problem;
}

/** The places looked at, in order; relative ones from the current folder. */
export const CONFIG_PLACES = ['viaduct.yaml', 'config/viaduct.yaml', '/etc/viaduct/viaduct.yaml'] as const;

/** nginx's keepalive_timeout for upstream connections, in milliseconds (ngx_http_upstream_module). */
const NGINX_KEEPALIVE_TIMEOUT = 60_000;

/** The first of CONFIG_PLACES that exists, absolute; undefined when there is none. */
export function findConfigFile(cwd: string): string | undefined {
  return CONFIG_PLACES.map((place) => resolve(cwd, place)).find((file) => existsSync(file));
}

/**
 * @param file absolute, or relative to the current folder
 * @param env what `${NAME}` is taken from
 * @throws {ConfigError} with every problem of the file
 */
export function loadConfig(file: string, env: NodeJS.ProcessEnv): LoadedConfig {
  const path = resolve(file);
  const folder = dirname(path);
  const document = parseFile(path, env);
  const place = ({ path: keys, message, hint, atKey }: Issue): Problem => ({
    file: path,
    ...document.locate(keys, atKey),
    path: formatPath(keys),
    message,
    ...(hint === undefined ? {} : { hint }),
  });
  const data = dropEmpty(document.data, []);
  const parsed = configSchema.safeParse(data);
  const shape = parsed.success ? [] : explainIssues(parsed.error.issues, data);
  const cross = crossCheck(data, folder, (keys) => document.locate(keys).line);
  // what could not be read was said; that it is missing need not be
  const unread = document.issues.filter((issue) => issue.atKey !== true).map((issue) => issue.path);
  const issues = [...shape, ...cross].filter((issue) => !unread.some((keys) => isWithin(issue.path, keys)));
  const problems = [...document.issues, ...issues].map(place).concat(syntaxProblems(path, document));
  if (!parsed.success || problems.length > 0) throw new ConfigError('ERR_CONFIG_INVALID', problems);
  const config = complete(parsed.data, folder);
  return {
    config,
    file: path,
    warnings: [...findIdleKeys(data), ...findOddities(config)].map(place),
    interpolated: document.interpolated,
    locate: (keys) => document.locate(keys),
    problemAt: (keys, message, hint) => place({ path: keys, message, hint }),
  };
}

function parseFile(file: string, env: NodeJS.ProcessEnv): SourceDocument {
  let source: string;
  try {
    source = new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(file));
  } catch (error) {
    const message = `Cannot read the configuration: ${readingFailed(error)}`;
    throw new ConfigError('ERR_CONFIG_READ', [{ file, line: 1, column: 1, path: '', message }]);
  }
  const document = readDocument(source, env);
  if (document.fatal) throw new ConfigError('ERR_CONFIG_SYNTAX', syntaxProblems(file, document));
  return document;
}

function readingFailed(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'there is no such file';
  if (code === 'EACCES') return 'permission denied';
  if (code === 'EISDIR') return 'expected a file, found a folder';
  if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') return 'expected UTF-8 text';
  return error instanceof Error ? error.message : String(error);
}

function syntaxProblems(file: string, document: SourceDocument): Problem[] {
  return document.syntax.map((fault) => ({ file, path: '', ...fault }));
}

/** A known key without a value counts as not written: all its lines may be commented out. */
function dropEmpty(data: unknown, path: KeyPath): unknown {
  if (Array.isArray(data)) return data.map((item, index) => dropEmpty(item, [...path, index]));
  if (typeof data !== 'object' || data === null) return data;
  const known = knownKeys(path);
  const kept = Object.entries(data).filter(([key, value]) => value !== null || !known.includes(key));
  return Object.fromEntries(kept.map(([key, value]) => [key, dropEmpty(value, [...path, key])]));
}

function isWithin(path: KeyPath, outer: KeyPath): boolean {
  return outer.every((part, index) => path[index] === part);
}

function complete(file: FileConfig, folder: string): Config {
  const { log, admin } = file;
  const absolute = (path: string | null): string | null => (path === null ? null : resolve(folder, path));
  return {
    ...file,
    listeners: file.listeners.map((listener) => ({
      ...listener,
      address: resolveAddress(listener.address, folder),
      allowedClients: listener.address.kind === 'unix' ? null : listener.allowedClients,
    })),
    runDir: resolve(folder, file.runDir),
    mounts: file.mounts.map((mount) => completeMount(mount, file, folder)),
    admin: admin === null ? null : { address: resolveAddress(admin.address, folder) },
    log: { ...log, file: absolute(log.file), access: { ...log.access, file: absolute(log.access.file) } },
    development: false,
  };
}

function completeMount(mount: FileMount, file: FileConfig, folder: string): MountConfig {
  const { bodySize, responseHeadersSize, requests, queue } = file.limits;
  const { body, send, request, queue: wait, boot } = file.timeouts;
  const host = mount.host ?? null;
  return {
    path: mount.path,
    host,
    name: mount.name ?? defaultMountName(mount.path, host),
    app: resolveReference(mount.app, folder),
    interface: mount.interface,
    env: mount.env,
    middleware: mount.middleware.map((each) => completeMiddleware(each, folder)),
    timeouts: { body, send, request, queue: wait, boot, ...mount.timeouts },
    limits: { bodySize, responseHeadersSize, requests, queue, ...mount.limits },
    accessLog: mount.accessLog,
    python: mount.interface === 'python' ? completePython(mount.python, file.recycle, folder) : null,
  };
}

function completePython(python: FilePython, recycle: Recycle, folder: string): PythonConfig {
  const { executable, processes, threads, chdir, path, ...own } = python;
  return {
    executable: executable.includes('/') ? resolve(folder, executable) : executable,
    path: path.map((each) => resolve(folder, each)),
    chdir: resolve(folder, chdir ?? '.'),
    processes,
    threads,
    recycle: { ...recycle, ...own },
  };
}

function findOddities(config: Config): Issue[] {
  if (config.timeouts.idle > NGINX_KEEPALIVE_TIMEOUT) return [];
  const message =
    'Idle connections are closed before nginx lets go of them (keepalive_timeout, 60s by default)';
  return [
    { path: ['timeouts', 'idle'], message, hint: 'requests sent at that moment fail with 502; write 75s' },
  ];
}
