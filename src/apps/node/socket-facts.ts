// What an environ says of the client's connection, in the names and types of node:net.
import type { Environ } from '../../gateway/contract.ts';

type Family = 'IPv4' | 'IPv6';

export interface SocketFacts {
  readonly encrypted: boolean;
  /** undefined for a client on a Unix socket, as node:net has it. */
  readonly remoteAddress: string | undefined;
  readonly remotePort: number | undefined;
  readonly remoteFamily: Family | undefined;
  readonly localAddress: string | undefined;
  readonly localPort: number | undefined;
  readonly localFamily: Family | undefined;
}

export function socketFacts(environ: Environ): SocketFacts {
  const remoteAddress = address(environ['REMOTE_ADDR']);
  const localAddress = address(environ['SERVER_ADDR']);
  return {
    encrypted: environ['wsgi.url_scheme'] === 'https',
    remoteAddress,
    remotePort: port(environ['REMOTE_PORT']),
    remoteFamily: family(remoteAddress),
    localAddress,
    localPort: port(environ.SERVER_PORT),
    localFamily: family(localAddress),
  };
}

/** nginx says "unix:" for a Unix socket. */
const address = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' && !value.startsWith('unix:') ? value : undefined;

const port = (value: unknown): number | undefined =>
  typeof value === 'string' && value !== '' ? Number(value) : undefined;

const family = (of: string | undefined): Family | undefined =>
  of === undefined ? undefined : of.includes(':') ? 'IPv6' : 'IPv4';
