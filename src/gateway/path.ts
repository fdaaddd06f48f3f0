// The request path as nginx shows it to CGI: percent-decoded bytes as latin-1, dot segments resolved, slashes merged.
import type { Environ } from './contract.ts';

/** The path part of a raw request URI ("/a%20b?x" or "http://host/a%20b"), decoded; "" when there is none. */
export function decodeRequestUri(uri: string): string {
  const path = uriPath(uri);
  if (!path.startsWith('/')) return path === '*' ? '' : path;
  return normalize(unquote(path));
}

/** What the client asked for, query included: REQUEST_URI, or where there is none, put together again. */
export function requestUri(environ: Environ): string {
  if (typeof environ['REQUEST_URI'] === 'string') return environ['REQUEST_URI'];
  const path = environ.SCRIPT_NAME + environ.PATH_INFO;
  return environ.QUERY_STRING === '' ? path : `${path}?${environ.QUERY_STRING}`;
}

function uriPath(uri: string): string {
  let rest = uri;
  const scheme = uri.startsWith('/') ? -1 : uri.indexOf('://');
  if (scheme > 0) {
    // The authority ends at the first of these (RFC 3986, section 3.2).
    const authority = uri.slice(scheme + 3);
    const start = authority.search(/[/?#]/);
    rest = start === -1 ? '' : authority.slice(start);
    if (!rest.startsWith('/')) return '/';
  }
  // A fragment never belongs to a request; nginx cuts it off too.
  const end = rest.search(/[?#]/);
  return end === -1 ? rest : rest.slice(0, end);
}

/** %XX to the character of that byte; anything else stays as it is. */
export function unquote(text: string): string {
  if (!text.includes('%')) return text;
  return text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

/** Merges slashes and resolves "." and ".." as nginx does (ngx_http_parse_complex_uri), never above the root. */
export function normalize(path: string): string {
  if (!path.includes('//') && !path.includes('/.')) return path;
  const out: string[] = [];
  const segments = path.split('/');
  const last = segments.length - 1;
  for (const [index, segment] of segments.entries()) {
    if (segment === '..') out.pop();
    if (segment === '' || segment === '.' || segment === '..') {
      if (index === last) out.push('');
    } else {
      out.push(segment);
    }
  }
  return `/${out.join('/')}`;
}

/** True when `path` is `prefix` itself or lies below it, at a "/" boundary. */
export function isBelow(path: string, prefix: string): boolean {
  return path.startsWith(prefix) && (path.length === prefix.length || path.charCodeAt(prefix.length) === 47);
}
