// Where the admin server listens, and how it stops. May not know what it serves.
import { lstatSync, unlinkSync } from 'node:fs';
import type { Server } from 'node:http';
import { connect } from 'node:net';
import type { ListenOptions } from 'node:net';

// sockaddr_un holds 108 bytes with the end mark (unix(7)); Node 20 and 22 cut a longer path off and say nothing
const MAX_SOCKET_PATH = 107;
const CLOSE_GRACE_MS = 1000;

/**
 * Listens on `HOST:PORT`, `[IPV6]:PORT` or `unix:PATH`; a Unix socket is open to the owner alone (0600). A socket file
 * that nobody listens on any more is replaced, any other file is left alone.
 * @returns the address that was bound, in the same form; tells the port where 0 was asked for
 * @throws {Error} where the address makes no sense or cannot be bound
 */
export async function listenAdmin(server: Server, address: string): Promise<string> {
  if (!address.startsWith('unix:')) {
    const { host, port } = parseTcp(address);
    await listen(server, { host, port });
    const bound = server.address();
    if (bound === null || typeof bound === 'string') return address;
    return `${bound.family === 'IPv6' ? `[${bound.address}]` : bound.address}:${bound.port}`;
  }
  const path = address.slice('unix:'.length);
  const length = Buffer.byteLength(path);
  if (length === 0 || length > MAX_SOCKET_PATH) {
    throw new Error(
      `Cannot listen on admin address "${address}": the path has ${length} bytes, wanted 1 to ${MAX_SOCKET_PATH}`,
    );
  }
  await removeStale(path);
  await listenPrivately(server, path);
  return address;
}

/** Stops listening, lets running answers end for a second, then cuts. */
export function closeAdmin(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const deadline = setTimeout(() => server.closeAllConnections(), CLOSE_GRACE_MS);
    server.close(() => {
      clearTimeout(deadline);
      resolve();
    });
    server.closeIdleConnections();
  });
}

function parseTcp(address: string): { host: string; port: number } {
  const [, bracketed, plain, digits = ''] = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(address) ?? [];
  const host = bracketed ?? plain;
  const port = Number(digits);
  if (host === undefined || port > 65535) {
    throw new Error(
      `Cannot listen on admin address "${address}": wanted HOST:PORT, [IPV6]:PORT or unix:PATH`,
    );
  }
  return { host, port };
}

function listen(server: Server, options: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(options, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

// bind(2) makes the file, with the rights umask leaves, and listen() binds a path before it returns: so the mode is
// right from the first moment, which a chmod afterwards could not promise.
function listenPrivately(server: Server, path: string): Promise<void> {
  const before = process.umask(0o177);
  try {
    return listen(server, { path });
  } finally {
    process.umask(before);
  }
}

async function removeStale(path: string): Promise<void> {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (!stat) return;
  if (!stat.isSocket()) {
    throw new Error(`Cannot listen on admin address "unix:${path}": a file that is no socket is there`);
  }
  if (await answers(path)) {
    throw new Error(`Cannot listen on admin address "unix:${path}": another process listens there`);
  }
  unlinkSync(path);
}

// Only a refused connection proves that nobody listens; EAGAIN (a full backlog) or EACCES do not
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'ECONNREFUSED'));
  });
}
