// Whether a request for what is not for everybody was meant for us. A page of another site can make its own name resolve to
// 127.0.0.1 (DNS rebinding) and then read what answers there: its requests have that name as Host.
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';

/** False where a loopback address is asked under a name that is not its own. */
export function isForUs({ headers, socket }: Pick<IncomingMessage, 'headers' | 'socket'>): boolean {
  const { localAddress } = socket;
  // A Unix socket has none, and no browser reaches it; elsewhere the names are the operator's.
  if (localAddress === undefined || !isLoopback(localAddress)) return true;
  const host = (headers.host ?? 'localhost').replace(/:\d*$/, '').replaceAll(/[[\]]/g, '');
  return isIP(host) !== 0 || /^(?:.+\.)?localhost\.?$/i.test(host);
}

const isLoopback = (address: string): boolean => /^(?:::ffff:)?127\./.test(address) || address === '::1';
