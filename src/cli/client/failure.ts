// The one error of the probe client: what happened, what was wanted, and what to look at next.
import { formatAddress, type SocketAddress } from './address.ts';

/** The exchange did not end in a complete response. `message` is one line; `hint` says what to try. */
export class ClientFailure extends Error {
  override readonly name = 'ClientFailure';
  readonly hint: string;

  constructor(message: string, hint: string) {
    super(message);
    this.hint = hint;
  }
}

const CONNECT_HINTS: Readonly<Record<string, readonly [found: string, hint: string]>> = {
  ENOENT: ['there is no such socket', 'is the daemon running, and is the path the one in its listeners?'],
  ECONNREFUSED: ['nobody listens there', 'is the daemon running? A killed one leaves its socket file behind'],
  EACCES: [
    'this user may not open the socket',
    'compare `id` with owner, group and mode of the socket and of the folders above it',
  ],
  EPERM: ['this user may not open the socket', 'compare `id` with owner, group and mode of the socket'],
  EAGAIN: ['the backlog of the socket is full', 'the daemon accepts too slowly; look at `viaduct status`'],
  ENOTFOUND: ['the host name is unknown', 'give an IP address, or unix:PATH for a Unix socket'],
  EAI_AGAIN: ['the host name could not be looked up', 'give an IP address'],
  EHOSTUNREACH: ['the host cannot be reached', 'check the address and the firewall'],
  ENETUNREACH: ['the network cannot be reached', 'check the address and the routes'],
  ETIMEDOUT: ['the host did not answer', 'check the address and the firewall'],
};

/** The error code of a system error, '' where there is none. */
export function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Puts a failed connect() into words. */
export function connectFailure(error: unknown, address: SocketAddress, protocol: string): ClientFailure {
  const code = errorCode(error);
  const [found, hint] = CONNECT_HINTS[code] ?? [messageOf(error), 'check the address'];
  const reason = code === '' ? found : `${found} (${code})`;
  return new ClientFailure(
    `connecting to ${formatAddress(address)} failed: ${reason}, wanted a listening ${protocol} daemon`,
    hint,
  );
}

/** Puts a connection that broke after connect() into words. */
export function brokenFailure(error: unknown, address: SocketAddress, protocol: string): ClientFailure {
  const code = errorCode(error);
  const detail = code === '' ? messageOf(error) : code;
  return new ClientFailure(
    `reading the response from ${formatAddress(address)} failed: the connection broke (${detail}), wanted a complete ${protocol} response`,
    'the daemon closed with unread bytes of the request, aborted the response, or died; see its log',
  );
}
