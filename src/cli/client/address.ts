// Where a daemon listens, as users write it: unix:PATH, HOST:PORT or [v6]:PORT. Knows no protocol.
import { resolve } from 'node:path';
import { isIPv6 } from 'node:net';

export type SocketAddress =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number };

/** The text is no address of a socket one can connect to. */
export class AddressError extends Error {
  override readonly name = 'AddressError';
}

// sun_path of Linux holds 108 bytes with its NUL (unix(7)).
const UNIX_PATH_MAX = 107;
const FORMS = 'unix:PATH, HOST:PORT or [IPv6]:PORT';

function wrong(text: string, found: string): AddressError {
  return new AddressError(`reading the address '${text}' failed: ${found}, wanted ${FORMS}`);
}

function parseUnix(text: string, cwd: string): SocketAddress {
  const given = text.slice('unix:'.length);
  if (given === '') throw wrong(text, 'the path is empty');
  if (given.includes('\0')) throw wrong(text, 'the path contains a NUL byte');
  const path = resolve(cwd, given);
  const size = Buffer.byteLength(path);
  if (size > UNIX_PATH_MAX) {
    throw wrong(text, `the path is ${size} bytes long and Unix sockets allow ${UNIX_PATH_MAX}`);
  }
  return { kind: 'unix', path };
}

function parsePort(text: string, digits: string): number {
  const port = Number(digits);
  if (!/^\d{1,5}$/.test(digits) || port < 1 || port > 65535) {
    throw wrong(text, `the port is '${digits}' and ports are 1 to 65535`);
  }
  return port;
}

/**
 * Parses an address to connect to.
 * @param cwd the folder relative paths of Unix sockets start from
 * @throws {AddressError}
 */
export function parseAddress(text: string, cwd: string): SocketAddress {
  if (text.startsWith('unix:')) return parseUnix(text, cwd);
  if (text.startsWith('[')) {
    const close = text.indexOf(']');
    const host = text.slice(1, close);
    if (close < 0 || !isIPv6(host)) throw wrong(text, 'there is no IPv6 address between brackets');
    if (text[close + 1] !== ':') throw wrong(text, 'there is no port after the bracket');
    return { kind: 'tcp', host, port: parsePort(text, text.slice(close + 2)) };
  }
  const colon = text.lastIndexOf(':');
  if (colon < 0)
    throw wrong(text, text.includes('/') ? "a path needs 'unix:' before it" : 'there is no port');
  const host = text.slice(0, colon);
  if (host === '') throw wrong(text, 'the host is empty');
  if (host.includes(':')) throw wrong(text, 'an IPv6 address needs brackets around it');
  if (/[/\s]/.test(host)) throw wrong(text, `'${host}' is no host name`);
  return { kind: 'tcp', host, port: parsePort(text, text.slice(colon + 1)) };
}

/** The address as parseAddress() takes it. */
export function formatAddress(address: SocketAddress): string {
  if (address.kind === 'unix') return `unix:${address.path}`;
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

/** Options for net.connect(). */
export function connectOptions(address: SocketAddress): { path: string } | { host: string; port: number } {
  return address.kind === 'unix' ? { path: address.path } : { host: address.host, port: address.port };
}
