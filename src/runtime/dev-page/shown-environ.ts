// An environ as a developer may see it in a browser: its texts, cut to a sane length, secrets masked. Knows no page.
import { MASK, looksSecret } from '../../config/print.ts';
import type { Environ } from '../../gateway/contract.ts';

const MAX_VALUE = 500;
/** Beside those whose names say so. */
const SECRETS = /COOKIE|AUTHORIZATION|SESSION|CSRF|XSRF|SIGNATURE|CLIENT_CERT/i;

/** By name. */
export function shownEnviron(environ: Environ): [name: string, value: string][] {
  const texts = Object.entries(environ).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string',
  );
  return texts
    .map(([name, value]): [string, string] => [name, masked(name, value)])
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
}

function masked(name: string, value: string): string {
  if (value !== '' && (SECRETS.test(name) || looksSecret(name, value))) return MASK;
  const text = readable(value);
  return text.length > MAX_VALUE ? `${text.slice(0, MAX_VALUE)}…` : text;
}

/** Latin-1 characters that stand for bytes of UTF-8, as PEP 3333 has it, as what they say. */
export const readable = (value: string): string => Buffer.from(value, 'latin1').toString('utf8');
