// Unix sockets in the file system: who may connect, what an earlier process left behind, and what is ours to remove.
import { Buffer } from 'node:buffer';
import { chownSync, lstatSync, type Stats, unlinkSync } from 'node:fs';
import { connect, type Server } from 'node:net';
import { once } from 'node:events';
import { MAX_SOCKET_PATH_BYTES } from '../config/address.ts';

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
 * Listens on `file`, with its mode from the first moment on. A socket that nobody serves any more is replaced.
 * @throws {SocketError} ERR_SOCKET_PATH, ERR_SOCKET_IN_USE, ERR_SOCKET_NOT_A_SOCKET, or the system's code
 */
export async function listenUnix(server: Server, file: SocketFile, backlog: number): Promise<void> {
  // Node 20 and 22 cut a longer path without a word, and listen somewhere else.
  const length = Buffer.byteLength(file.path);
  if (length > MAX_SOCKET_PATH_BYTES) {
    throw new SocketError(
      'ERR_SOCKET_PATH',
      `Cannot listen on ${file.path}: the path has ${length} bytes, wanted at most ${MAX_SOCKET_PATH_BYTES}`,
    );
  }
  await removeStale(file.path);
  // bind() makes the file with the umask of that moment: chmod afterwards would leave a gap.
  const umask = process.umask(0o777 & ~file.mode);
  try {
    server.listen({ path: file.path, backlog });
  } finally {
    process.umask(umask);
  }
  await once(server, 'listening');
  if (file.uid !== -1 || file.gid !== -1) chownSync(file.path, file.uid, file.gid);
}

/** Removes the socket file if it is still the one we made: a successor may have put its own there. */
export function removeOwn(path: string, made: Stats): void {
  const now = lstatSync(path, { throwIfNoEntry: false });
  if (now !== undefined && now.dev === made.dev && now.ino === made.ino) unlinkSync(path);
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
