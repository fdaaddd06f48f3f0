// The URL of a request as the client wrote it, and as `new URL()` spells it. Hot code: hosts and plain targets are not parsed.
import type { Environ } from '../../gateway/contract.ts';

/** Origins by host, as new URL() has them. Full is emptied: clients may send any host. */
const MAX_KNOWN = 256;
const KNOWN: Readonly<Record<string, Map<string, string>>> = { http: new Map(), https: new Map() };

/** A path and query that new URL() leaves alone, but for dot segments. */
const PLAIN = /^\/[!$-&(-;=?-Z_a-z~]*$/;
/** No user, path, query or white space in it (RFC 9110, section 7.2). */
const HOST = /^[^\s/?#@\\]+$/;
// oxlint-disable-next-line no-control-regex
const ASCII = /^[\x21-\x7e]*$/;
const ABSOLUTE = /^https?:\/\//i;

/** The whole URL, also below a mount; null where Host or the target cannot be one. */
export function requestUrl(environ: Environ): string | null {
  const { REQUEST_URI: target } = environ;
  const origin = requestOrigin(environ);
  if (origin === null) return null;
  if (typeof target !== 'string' || target === '') return parse(origin + rebuiltTarget(environ));
  // A dot may be written as %2e, and then the segment counts just the same.
  if (PLAIN.test(target) && !target.includes('/.') && !target.includes('/%2')) return origin + target;
  if (target.startsWith('/')) return parse(origin + escapeBytes(target));
  return ABSOLUTE.test(target) ? parse(escapeBytes(target)) : null;
}

/** Scheme, host and port. The Host header is the client's; the server's name fills in where HTTP/1.0 has none. */
function requestOrigin(environ: Environ): string | null {
  const { HTTP_HOST: host } = environ;
  const scheme = environ['wsgi.url_scheme'] === 'https' ? 'https' : 'http';
  if (typeof host === 'string' && host !== '') return originOf(scheme, host);
  const { SERVER_NAME: name, SERVER_PORT: port } = environ;
  // A server_name may be a pattern; the client cannot help it.
  return originOf(scheme, `${name}:${port}`) ?? `${scheme}://localhost`;
}

function originOf(scheme: 'http' | 'https', host: string): string | null {
  const known = KNOWN[scheme] as Map<string, string>;
  const found = known.get(host);
  if (found !== undefined) return found;
  if (!HOST.test(host) || !ASCII.test(host) || !URL.canParse(`${scheme}://${host}`)) return null;
  const { origin } = new URL(`${scheme}://${host}`);
  if (known.size >= MAX_KNOWN) known.clear();
  known.set(host, origin);
  return origin;
}

function parse(text: string): string | null {
  if (!URL.canParse(text)) return null;
  const url = new URL(text);
  // A fragment never belongs to a request.
  url.hash = '';
  return url.href;
}

/** Bytes that a client should have escaped: to new URL() they would be characters, and each become two bytes. */
const escapeBytes = (target: string): string => target.replace(/[\x80-\xff]/g, escapeByte);

const escapeByte = (char: string): string =>
  `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;

/** Where there is no REQUEST_URI: from the decoded path. */
function rebuiltTarget({ SCRIPT_NAME, PATH_INFO, QUERY_STRING }: Environ): string {
  const path = (SCRIPT_NAME + PATH_INFO || '/').replace(/[^!$&-;=@-Z_a-z~]/g, escapeByte);
  return QUERY_STRING === '' ? path : `${path}?${escapeBytes(QUERY_STRING)}`;
}
