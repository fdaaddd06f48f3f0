// What one key means for another: duplicates, keys that fit only one kind of socket, paths too long to bind.
// Reads the data as the file has it, so that it says its part even where the schema found mistakes too.
import { resolve } from 'node:path';
import {
  addressesCollide,
  DEFAULT_ADMIN_ADDRESS,
  formatAddress,
  MAX_SOCKET_PATH_BYTES,
  parseListenAddress,
  resolveAddress,
} from './address.ts';
import type { ListenAddress } from './address.ts';
import { isMapping, type Mapping } from './mapping.ts';
import { checkMiddleware } from './middleware-checks.ts';
import { checkInterface, checkLanes, idlePython } from './python-checks.ts';
import { parseHost, parseMountPath } from './mount-place.ts';
import { BadValue, formatPath } from './problems.ts';
import type { Issue, KeyPath } from './problems.ts';
import { DEFAULT_RUN_DIR } from './run-dir.ts';

type LineOf = (path: KeyPath) => number;

/** `folder` is what relative paths are relative to. */
export function crossCheck(data: unknown, folder: string, lineOf: LineOf): Issue[] {
  if (!isMapping(data)) return [];
  const listeners = rows(data['listeners']);
  const addresses = listeners.flatMap(([listener, index]) =>
    readAddress(listener['address'], ['listeners', index, 'address'], folder),
  );
  return [
    ...checkAddresses(addresses, adminAddress(data['admin'], folder), lineOf),
    ...checkMounts(rows(data['mounts']), lineOf),
    ...checkPython(data, folder),
    ...rows(data['mounts']).flatMap(([mount, index]) => checkMiddleware(mount, ['mounts', index], data)),
  ];
}

/** "/blog", or "example.com/blog" */
export function defaultMountName(path: string, host: string | null): string {
  return `${host ?? ''}${path}`;
}

interface Placed<T> {
  value: T;
  /** null: not in the file, a default. */
  path: KeyPath | null;
}

/** Keys without effect: those of the other kind of socket or app. */
export function findIdleKeys(data: unknown): Issue[] {
  if (!isMapping(data)) return [];
  return [
    ...rows(data['listeners']).flatMap(([listener, index]) => idleKeys(listener, ['listeners', index])),
    ...rows(data['mounts']).flatMap(([mount, index]) => idlePython(mount, ['mounts', index])),
  ];
}

function idleKeys(listener: Mapping, path: KeyPath): Issue[] {
  const address = listener['address'];
  if (typeof address !== 'string') return [];
  const isUnix = address.startsWith('unix:');
  const isPassed = address.startsWith('systemd:');
  const wrong = isUnix ? ['allowed_clients'] : ['mode', 'owner', 'group'];
  const only = isUnix
    ? 'for TCP listeners'
    : isPassed
      ? 'for sockets that viaduct makes'
      : 'for Unix sockets';
  const message = `This key has no effect: it is only ${only}`;
  const passedHint = 'write SocketMode=, SocketUser= and SocketGroup= into the socket unit';
  const hint = isUnix ? 'use mode, owner and group' : isPassed ? passedHint : undefined;
  return wrong
    .filter((key) => listener[key] !== undefined && listener[key] !== null)
    .map((key) => ({ path: [...path, key], message, hint, atKey: true }));
}

function readAddress(text: unknown, path: KeyPath | null, folder: string): Placed<ListenAddress>[] {
  const value = typeof text === 'string' ? attempt(() => parseListenAddress(text)) : undefined;
  return value === undefined ? [] : [{ value: resolveAddress(value, folder), path }];
}

function adminAddress(admin: unknown, folder: string): Placed<ListenAddress>[] {
  if (admin === false) return [];
  const written = isMapping(admin) ? admin['address'] : undefined;
  if (written === undefined) return readAddress(DEFAULT_ADMIN_ADDRESS, null, folder);
  // systemd:NAME is none for the schema already
  return readAddress(written, ['admin', 'address'], folder).filter(({ value }) => value.kind !== 'systemd');
}

function checkAddresses(
  listeners: Placed<ListenAddress>[],
  admin: Placed<ListenAddress>[],
  lineOf: LineOf,
): Issue[] {
  const issues: Issue[] = [];
  // a default admin address goes first: the listener that takes it is what the file can change
  const all = admin[0]?.path === null ? [...admin, ...listeners] : [...listeners, ...admin];
  for (const [index, { value, path }] of all.entries()) {
    if (path === null) continue;
    const bytes = value.kind === 'unix' ? Buffer.byteLength(value.path) : 0;
    if (bytes > MAX_SOCKET_PATH_BYTES && value.kind === 'unix') {
      const message = `Expected a socket path of at most ${MAX_SOCKET_PATH_BYTES} bytes, found ${bytes}: ${value.path}`;
      issues.push({ path, message, hint: 'use a shorter folder such as /run/viaduct' });
    }
    const earlier = all.slice(0, index).find((other) => addressesCollide(other.value, value));
    if (earlier === undefined) continue;
    const owner =
      earlier.path === null ? 'the admin page (a default; see admin.address)' : where(earlier.path, lineOf);
    issues.push({ path, message: `${formatAddress(value)} is already taken by ${owner}` });
  }
  return issues;
}

function checkMounts(mounts: [Mapping, number][], lineOf: LineOf): Issue[] {
  const issues: Issue[] = [];
  const places = new Map<string, KeyPath>();
  const names = new Map<string, KeyPath>();
  for (const [mount, index] of mounts) {
    const { path: rawPath, host: rawHost, name: rawName } = mount;
    const path = typeof rawPath === 'string' ? attempt(() => parseMountPath(rawPath)) : undefined;
    const host = typeof rawHost === 'string' ? attempt(() => parseHost(rawHost)) : null;
    if (path === undefined || host === undefined) continue;
    const place = defaultMountName(path, host);
    const ownPath: KeyPath = ['mounts', index, 'path'];
    const sameplace = places.get(place);
    if (sameplace !== undefined) {
      issues.push({ path: ownPath, message: `${place} is already mounted by ${where(sameplace, lineOf)}` });
      continue;
    }
    places.set(place, ownPath);
    const name = typeof rawName === 'string' ? rawName : place;
    const namePath: KeyPath = typeof rawName === 'string' ? ['mounts', index, 'name'] : ownPath;
    const namesake = names.get(name);
    if (namesake === undefined) names.set(name, namePath);
    else
      issues.push({
        path: namePath,
        message: `The name "${name}" is already taken by ${where(namesake, lineOf)}`,
      });
  }
  return issues;
}

function checkPython(data: Mapping, folder: string): Issue[] {
  const runDir = resolve(folder, typeof data['run_dir'] === 'string' ? data['run_dir'] : DEFAULT_RUN_DIR);
  return rows(data['mounts']).flatMap(([mount, index]) => [
    ...checkInterface(mount, ['mounts', index]),
    ...checkLanes(mount, ['mounts', index], data['workers'], runDir),
  ]);
}

function where(path: KeyPath, lineOf: LineOf): string {
  const owner = path.length > 2 ? path.slice(0, 2) : path;
  return `${formatPath(owner)} in line ${lineOf(path)}`;
}

function rows(list: unknown): [Mapping, number][] {
  if (!Array.isArray(list)) return [];
  return list.flatMap((item: unknown, index): [Mapping, number][] =>
    isMapping(item) ? [[item, index]] : [],
  );
}

/** undefined where the schema already has said what is wrong. */
function attempt<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch (error) {
    if (error instanceof BadValue) return undefined;
    throw error;
  }
}
