// Sockets that are bound and listen, but that nobody accepts from in this process: node:net has no public way to one.
// Does not know what they are for.
import { spawn } from 'node:child_process';
import * as net from 'node:net';
import { extname, join } from 'node:path';
import { getSystemErrorMap } from 'node:util';
import { makeSocketFile, SocketError, type SocketFile } from '../transport/unix-socket.ts';

/** A handle of libuv. Not polled, so it neither accepts nor keeps the process alive. */
export interface BareSocket {
  readonly fd: number;
  /** Closes it; a Unix socket's path is unlinked, whoever's file stands there now (libuv's uv__pipe_close). */
  close(): void;
}

interface TcpHandle extends BareSocket {
  /** Gives 0, or the negative error number of a bind() that libuv has put off until listen(). */
  getsockname(out: { port?: number }): number;
}

/** Port and family are -1 for a path. Gives a negative error number where it failed at once. */
type CreateServerHandle = (address: string, port: number, family: number) => TcpHandle | number;

/** Milliseconds for the child that calls listen(2). */
const LISTEN_LIMIT = 10_000;

/** @throws {SocketError} or the system's error */
export async function bindUnix(file: SocketFile): Promise<BareSocket> {
  const made: BareSocket[] = [];
  try {
    return await makeSocketFile(file, () => {
      const handle = createHandle(`unix:${file.path}`, file.path, -1, -1);
      made.push(handle);
      return handle;
    });
  } catch (error) {
    for (const handle of made) handle.close();
    throw error;
  }
}

/**
 * @param host an IP address
 * @returns with the port the kernel chose where `port` is 0
 * @throws {SocketError} with the system's code
 */
export function bindTcp(host: string, port: number): { socket: BareSocket; port: number } {
  const what = `${host}, port ${port}`;
  const handle = createHandle(what, host, port, net.isIPv6(host) ? 6 : 4);
  const name: { port?: number } = {};
  const status = handle.getsockname(name);
  if (status !== 0) {
    handle.close();
    throw systemError(what, status);
  }
  return { socket: handle, port: name.port ?? port };
}

/**
 * Calls listen(2) on bound sockets: from then on connections wait in their queues, though nobody accepts yet, and another
 * process that asks whether the address is in use gets the right answer. Here libuv would accept from the next turn on,
 * so a child does it, which ends before its first turn.
 * @returns the codes of those that cannot listen, by their place in `sockets`
 * @throws {Error} where the child cannot run
 */
export async function startQueues(
  sockets: readonly { fd: number; backlog: number }[],
): Promise<Map<number, string>> {
  const failed = new Map<number, string>();
  if (sockets.length === 0) return failed;
  const program = join(import.meta.dirname, `listen-main${extname(import.meta.filename)}`);
  const child = spawn(process.execPath, [program, ...sockets.map(({ backlog }) => String(backlog))], {
    env: {},
    stdio: ['ignore', 'pipe', 'ignore', ...sockets.map(({ fd }) => fd)],
    timeout: LISTEN_LIMIT,
    killSignal: 'SIGKILL',
  });
  let output = '';
  child.stdout?.setEncoding('latin1').on('data', (text: string) => (output += text));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code !== 0) throw new Error(`Cannot listen: the process that was to call listen(2) ended with ${code}`);
  for (const [, place, error = ''] of output.matchAll(/^(\d+) (\w+)$/gm)) failed.set(Number(place), error);
  return failed;
}

function createHandle(what: string, address: string, port: number, family: number): TcpHandle {
  // What node:cluster uses for its workers' sockets.
  const { _createServerHandle: create } = net as { _createServerHandle?: CreateServerHandle };
  if (create === undefined) {
    throw new SocketError(
      'ERR_SOCKET_UNSUPPORTED',
      `Cannot listen on ${what}: Node ${process.version} has no net._createServerHandle, wanted a version of Node that viaduct is tested with`,
    );
  }
  const handle = create(address, port, family);
  if (typeof handle === 'number') throw systemError(what, handle);
  return handle;
}

function systemError(what: string, status: number): SocketError {
  const [code, text] = getSystemErrorMap().get(status) ?? [`E${-status}`, 'unknown error'];
  return new SocketError(code, `Cannot listen on ${what}: ${text} (${code})`);
}
