// Who may leave HTTP behind, and what a 101 says (RFC 9110, section 7.8).
import type { Environ, HeaderList, Tunnel } from './contract.ts';
import { GatewayError } from './errors.ts';
import type { Exchange } from './exchange.ts';
import { checkHeaders, hasHeader } from './headers.ts';

/**
 * Whether the client of a request with an Upgrade header asks for another protocol. A front server may keep the Connection
 * header to itself; one that is there has to name the other. An HTTP/1.0 client may not ask, and no other HTTP has it.
 */
export function asksForUpgrade(environ: Environ): boolean {
  if (environ['HTTP_UPGRADE'] === '' || environ.SERVER_PROTOCOL !== 'HTTP/1.1') return false;
  const connection = environ['HTTP_CONNECTION'];
  return typeof connection !== 'string' || /(?:^|[,\s])upgrade(?:$|[,\s])/i.test(connection);
}

/** Whether the client asks for one, and the protocol can. */
export const mayUpgrade = (environ: Environ, exchange: Exchange): boolean =>
  exchange.upgrade !== undefined && asksForUpgrade(environ);

/**
 * The headers of a 101: what the application gives, and the two it has to have.
 * @throws {GatewayError} as startResponse()
 */
export function upgradeHeaders(given: unknown, asked: string, maxSize: number): HeaderList {
  const list: unknown = given ?? [];
  const isOwn = (header: unknown): boolean =>
    Array.isArray(header) && OWN.has(String(header[0]).toLowerCase());
  const own: HeaderList = [];
  const others = Array.isArray(list) ? list.filter((header) => !isOwn(header)) : list;
  for (const header of Array.isArray(list) ? list.filter(isOwn) : []) {
    // Their values are checked like any other's, under a name that an application may send.
    checkHeaders([['X-Upgrade', header[1]]], maxSize);
    own.push([String(header[0]), String(header[1])]);
  }
  const length = checkHeaders(others, maxSize);
  if (length !== -1) {
    throw new GatewayError('ERR_GATEWAY_HEADERS', 'Cannot upgrade: a 101 has no body, and no Content-Length');
  }
  if (!hasHeader(own, 'upgrade')) own.push(['Upgrade', asked]);
  if (!hasHeader(own, 'connection')) own.push(['Connection', 'Upgrade']);
  return [...own, ...(others as HeaderList)];
}

/** @throws {GatewayError} ERR_GATEWAY_UPGRADE, ERR_GATEWAY_CLIENT_GONE */
export function openTunnel(exchange: Exchange, headers: HeaderList): Tunnel {
  if (exchange.closed)
    throw new GatewayError('ERR_GATEWAY_CLIENT_GONE', 'Cannot upgrade: the client has left');
  if (exchange.upgrade === undefined)
    throw new GatewayError('ERR_GATEWAY_UPGRADE', `Cannot upgrade: ${exchange.protocol} carries no tunnel`);
  if (!exchange.body.complete)
    throw new GatewayError('ERR_GATEWAY_UPGRADE', 'Cannot upgrade: the request body has to be read before');
  return exchange.upgrade(headers);
}

const OWN: ReadonlySet<string> = new Set(['upgrade', 'connection']);
