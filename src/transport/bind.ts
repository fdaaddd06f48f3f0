// Puts a server on its address, Unix or TCP, and takes it off again without touching what is not ours.
import { once } from 'node:events';
import { lstatSync } from 'node:fs';
import type { Server } from 'node:net';
import type { Address } from '../config/address.ts';
import { listenUnix, removeOwn, type SocketFile } from './unix-socket.ts';

export interface Binding {
  readonly address: Address;
  readonly backlog: number;
  /** Rights of a Unix socket; not looked at for TCP. */
  readonly file: Omit<SocketFile, 'path'>;
}

/** Removes the socket file, where the rights we still have allow it; left behind, it is replaced at the next start. */
export type Unbind = () => void;

/** @throws {SocketError} or the system's error when the address cannot be listened on */
export async function bind(server: Server, { address, backlog, file }: Binding): Promise<Unbind> {
  if (address.kind === 'tcp') {
    server.listen({ host: address.host, port: address.port, backlog });
    await once(server, 'listening');
    return () => undefined;
  }
  const { path } = address;
  await listenUnix(server, { ...file, path }, backlog);
  const made = lstatSync(path);
  return () => {
    try {
      removeOwn(path, made);
    } catch {
      // Most often the folder is root's, and we are not root any more.
    }
  };
}
