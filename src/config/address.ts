// Socket addresses and client ranges: text to data and back. Never opens a socket.
import { isIP, isIPv4, isIPv6 } from 'node:net';
import { resolve } from 'node:path';
import { BadValue, describeValue } from './problems.ts';

export type Address = { kind: 'unix'; path: string } | { kind: 'tcp'; host: string; port: number };

/** Sockets that systemd has bound, and passes under this name (FileDescriptorName= of a socket unit). */
export interface PassedAddress {
  kind: 'systemd';
  name: string;
}

export type ListenAddress = Address | PassedAddress;

/** What net.BlockList.addSubnet takes. */
export interface ClientRange {
  address: string;
  prefix: number;
  family: 'ipv4' | 'ipv6';
}

/** Where the admin page is when the file does not say. */
export const DEFAULT_ADMIN_ADDRESS = '127.0.0.1:9180';

/** sockaddr_un.sun_path has 108 bytes on Linux, one of them for the final NUL (unix(7)). */
export const MAX_SOCKET_PATH_BYTES = 107;

/** systemd's own limit, FDNAME_MAX. */
const MAX_NAME_LENGTH = 255;

/** `unix:PATH`, `HOST:PORT`, `[v6]:PORT`, `systemd:NAME`; port 0 lets the kernel choose. A relative path stays relative. */
export function parseListenAddress(text: string): ListenAddress {
  return text.startsWith('systemd:')
    ? parsePassed(text)
    : readAddress(text, 'unix:PATH, HOST:PORT or systemd:NAME');
}

/** `unix:PATH`, `HOST:PORT`, `[v6]:PORT`; port 0 lets the kernel choose. A relative path stays relative. */
export function parseAddress(text: string): Address {
  return readAddress(text, 'unix:PATH or HOST:PORT');
}

function readAddress(text: string, wanted: string): Address {
  if (text.startsWith('unix:')) return parseUnix(text);
  const match = /^(?:\[([^\]]*)\]|([^:]*)):(\d+)$/.exec(text);
  if (match === null)
    throw new BadValue(`Expected ${wanted}, found ${describeValue(text)}`, addressHint(text));
  const [, bracketed, plain = '', digits] = match;
  const port = Number(digits);
  if (port > 65_535)
    throw new BadValue(`Expected a port from 0 to 65535, found ${digits} in ${describeValue(text)}`);
  if (bracketed !== undefined) {
    if (isIPv6(bracketed)) return { kind: 'tcp', host: bracketed, port };
    throw new BadValue(
      `Expected an IPv6 address in the brackets of ${describeValue(text)}, found "${bracketed}"`,
    );
  }
  return { kind: 'tcp', host: checkHost(plain, text), port };
}

function parseUnix(text: string): Address {
  const path = text.slice('unix:'.length);
  if (path === '') throw new BadValue(`Expected a path after "unix:", found nothing`);
  if (path.includes('\0'))
    throw new BadValue(`Expected a path without NUL bytes, found ${describeValue(text)}`);
  if (path.startsWith('@')) {
    throw new BadValue(
      `Expected a path in the file system, found the abstract socket ${describeValue(text)}`,
    );
  }
  return { kind: 'unix', path };
}

function parsePassed(text: string): PassedAddress {
  const name = text.slice('systemd:'.length);
  // systemd's fdname_is_valid(): ASCII, without control characters and colons.
  if (!/^[ -9;-~]+$/.test(name) || name.length > MAX_NAME_LENGTH) {
    throw new BadValue(
      `Expected a name of at most ${MAX_NAME_LENGTH} ASCII characters without a colon after "systemd:", found ${describeValue(name)}`,
      'it is what FileDescriptorName= of the socket unit says',
    );
  }
  return { kind: 'systemd', name };
}

function checkHost(host: string, text: string): string {
  if (host === '' || host === '*') {
    throw new BadValue(
      `Expected a host before the port, found ${describeValue(text)}`,
      'write 0.0.0.0 or [::] to listen on every interface',
    );
  }
  const looksNumeric = /^[\d.]+$/.test(host);
  if (looksNumeric ? !isIPv4(host) : !/^[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?$/i.test(host)) {
    throw new BadValue(`Expected an IP address or a host name, found "${host}" in ${describeValue(text)}`);
  }
  return host;
}

function addressHint(text: string): string | undefined {
  if (text.startsWith('systemd:')) return 'what systemd passes can only be a listener';
  if (/^\d+$/.test(text)) return `write 127.0.0.1:${text}`;
  if (/^[./]|\.sock$/.test(text)) return `write unix:${text}`;
  if (/^(https?|tcp|fastcgi|uwsgi):\/\//.test(text))
    return 'leave the scheme away: the protocol has a key of its own';
  if (/^[0-9a-f:]+$/i.test(text) && text.includes('::'))
    return 'put an IPv6 address in brackets, such as "[::1]:9000"';
  return undefined;
}

/** Makes a Unix socket's path absolute. */
export function resolveAddress<A extends ListenAddress>(address: A, folder: string): A {
  return address.kind === 'unix' ? { ...address, path: resolve(folder, address.path) } : address;
}

/** The address as the file has it. */
export function formatAddress(address: ListenAddress): string {
  if (address.kind === 'systemd') return `systemd:${address.name}`;
  if (address.kind === 'unix') return `unix:${address.path}`;
  return `${isIPv6(address.host) ? `[${address.host}]` : address.host}:${address.port}`;
}

/** `127.0.0.1`, `10.0.0.0/8`, `fd00::/8` */
export function parseClientRange(text: string): ClientRange {
  const [address = '', bits, ...rest] = text.split('/');
  const version = isIP(address);
  const most = version === 4 ? 32 : 128;
  const prefix = bits === undefined ? most : /^\d{1,3}$/.test(bits) ? Number(bits) : NaN;
  if (version === 0 || rest.length > 0 || !(prefix <= most)) {
    throw new BadValue(`Expected an IP address or a range such as 10.0.0.0/8, found ${describeValue(text)}`);
  }
  return { address, prefix, family: version === 4 ? 'ipv4' : 'ipv6' };
}

export function formatClientRange(range: ClientRange): string {
  return `${range.address}/${range.prefix}`;
}

/** Whether binding both would fail because they are the same, or one takes every interface of the other's port. */
export function addressesCollide(a: ListenAddress, b: ListenAddress): boolean {
  if (a.kind === 'systemd' || b.kind === 'systemd')
    return a.kind === 'systemd' && b.kind === 'systemd' && a.name === b.name;
  if (a.kind === 'unix' || b.kind === 'unix')
    return a.kind === 'unix' && b.kind === 'unix' && a.path === b.path;
  if (a.port !== b.port || a.port === 0) return false;
  return a.host === b.host || isWildcard(a.host) || isWildcard(b.host);
}

function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}
