// Where a mount answers: its path and its host.
import { BadValue, describeValue } from './problems.ts';

/** A path as SCRIPT_NAME has it: decoded, "/" first, none last (but for the root), no empty or dot segments. */
export function parseMountPath(text: string): string {
  const found = `found ${describeValue(text)}`;
  if (!text.startsWith('/')) throw new BadValue(`Expected a path that begins with "/", ${found}`);
  if (text.includes('//')) throw new BadValue(`Expected a path without "//", ${found}`);
  if (text.length > 1 && text.endsWith('/')) {
    throw new BadValue(`Expected a path without "/" at its end, ${found}`, `write ${text.slice(0, -1)}`);
  }
  if (text.split('/').some((segment) => segment === '.' || segment === '..')) {
    throw new BadValue(`Expected a path without "." and ".." segments, ${found}`);
  }
  if (/[?#]|\p{Cc}/u.test(text)) {
    throw new BadValue(`Expected a path without "?", "#" and control characters, ${found}`);
  }
  if (/%[0-9a-f]{2}/i.test(text)) {
    throw new BadValue(`Expected a decoded path, ${found}`, 'write the characters themselves instead of %XX');
  }
  return text;
}

/** `example.com`, `*.example.com`, `[::1]` -> lower case, since host names have no case (RFC 9110 section 4.2.3). */
export function parseHost(text: string): string {
  const host = text.toLowerCase();
  const label = '[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?';
  const name = new RegExp(`^(\\*\\.)?${label}(\\.${label})*$`);
  if (name.test(host) || /^\[[0-9a-f:.]+\]$/.test(host)) return host;
  throw new BadValue(
    `Expected a host name such as example.com or *.example.com, found ${describeValue(text)}`,
    hostHint(host),
  );
}

function hostHint(host: string): string | undefined {
  if (host.includes('://')) return 'leave the scheme away';
  if (/:\d+$/.test(host)) return 'leave the port away: a mount answers on every listener';
  if (host.startsWith('.')) return `write *${host}`;
  if (host.includes('*')) return '"*" stands only in front, as in *.example.com';
  if (/[^\u0021-\u007e]/.test(host)) return 'write an international name in its xn-- form';
  return undefined;
}
