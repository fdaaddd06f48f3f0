// Unix sockets in the file system: who may connect, what an earlier process left behind, and what is ours to remove.
import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import { chownSync, lstatSync, type Stats, unlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { MAX_SOCKET_PATH_BYTES } from '../config/address.ts';
import { makeFolder } from './folder.ts';

/** A socket file could not be made. `code` is the system's, or ERR_SOCKET_... where the system would not tell. */
export class SocketError extends Error {
  override readonly name = 'SocketError';
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

export interface SocketFile {
  readonly path: string;
  /** Permission bits. */
  readonly mode: number;
  /** -1 leaves it as it is. */
  readonly uid: number;
  readonly gid: number;
}

/**
 * Makes the socket `file` by what `make` binds, with its mode from the first moment on. The folder is made where it is
 * missing; a socket that nobody serves any more is replaced.
 * @throws {SocketError} ERR_SOCKET_PATH, ERR_SOCKET_IN_USE, ERR_SOCKET_NOT_A_SOCKET; what `make` throws; the system's error
 */
export async function makeSocketFile<T>(file: SocketFile, make: () => T | Promise<T>): Promise<T> {
  // Node 20 and 22 cut a longer path without a word, and listen somewhere else.
  const length = Buffer.byteLength(file.path);
  if (length > MAX_SOCKET_PATH_BYTES) {
    throw new SocketError(
      'ERR_SOCKET_PATH',
      `Cannot listen on ${file.path}: the path has ${length} bytes, wanted at most ${MAX_SOCKET_PATH_BYTES}`,
    );
  }
  // Below /run nothing outlives a reboot. Open for passing through: who may connect is the socket's own mode.
  makeFolder(dirname(file.path), 0o755);
  await removeStale(file.path);
  // bind() makes the file with the umask of that moment: chmod afterwards would leave a gap.
  const umask = process.umask(0o777 & ~file.mode);
  let making: T | Promise<T>;
  try {
    making = make();
  } finally {
    process.umask(umask);
  }
  const made = await making;
  if (file.uid !== -1 || file.gid !== -1) chownSync(file.path, file.uid, file.gid);
  return made;
}

/**
 * Whether `path` still is the file we made: it may be gone, or a successor may have put its own there.
 * @throws the system's error where the path cannot be looked at
 */
export function isOwn(path: string, made: Stats): boolean {
  const now = lstatSync(path, { throwIfNoEntry: false });
  return now !== undefined && now.dev === made.dev && now.ino === made.ino;
}

/** Removes the socket file if it is still the one we made. */
export function removeOwn(path: string, made: Stats): void {
  if (isOwn(path, made)) unlinkSync(path);
}

async function removeStale(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) {
    throw new SocketError(
      'ERR_SOCKET_NOT_A_SOCKET',
      `Cannot listen on ${path}: a file that is not a socket stands there, remove it or choose another path`,
    );
  }
  const state = await probe(path);
  if (state === 'alive') {
    throw new SocketError(
      'ERR_SOCKET_IN_USE',
      `Cannot listen on ${path}: another process serves it, stop that one first`,
    );
  }
  if (state === 'stale') removeOwn(path, found);
}

/** Tells a socket that a process serves from one that a dead process left. */
async function probe(path: string): Promise<'alive' | 'stale' | 'gone'> {
  const socket = connect(path);
  try {
    await once(socket, 'connect');
    return 'alive';
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ECONNREFUSED') return 'stale';
    if (code === 'ENOENT') return 'gone';
    // EAGAIN is a full backlog, EACCES somebody else's socket: both are alive.
    return 'alive';
  } finally {
    socket.destroy();
  }
}
