// Puts a server on its address, Unix or TCP, or on a socket that was bound before, and takes it off again without
// touching what is not ours.
import { once } from 'node:events';
import { lstatSync } from 'node:fs';
import type { Server } from 'node:net';
import type { Address } from '../config/address.ts';
import { makeSocketFile, removeOwn, type SocketFile } from './unix-socket.ts';

export interface Binding {
  readonly address: Address;
  readonly backlog: number;
  /** Rights of a Unix socket; not looked at for TCP. */
  readonly file: Omit<SocketFile, 'path'>;
}

/** Removes the socket file, where that is still possible. */
export type Unbind = () => void;

/** @throws {SocketError} or the system's error when the address cannot be listened on */
export async function bind(server: Server, { address, backlog, file }: Binding): Promise<Unbind> {
  if (address.kind === 'tcp') {
    server.listen({ host: address.host, port: address.port, backlog });
    await once(server, 'listening');
    return () => undefined;
  }
  const { path } = address;
  await makeSocketFile({ ...file, path }, () => {
    server.listen({ path, backlog });
    return once(server, 'listening');
  });
  const made = lstatSync(path);
  return () => {
    try {
      removeOwn(path, made);
    } catch {
      // Often not ours to remove after the change of user; the next start replaces it, and a stop must not end here.
    }
  };
}

/**
 * Listens on a descriptor that somebody else has bound, and goes on owning: closing the server leaves its file alone.
 * @throws the system's error, where it is no socket that can listen
 */
export async function listenOn(server: Server, fd: number, backlog: number): Promise<void> {
  // Node takes the backlog of a descriptor from the second argument only, and else 511 (listenInCluster in lib/net.js).
  server.listen({ fd }, backlog);
  await once(server, 'listening');
}
