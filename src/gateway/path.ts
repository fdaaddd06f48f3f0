// The request path as nginx shows it to CGI: percent-decoded bytes as latin-1, dot segments resolved, slashes merged.

/** The path part of a raw request URI ("/a%20b?x" or "http://host/a%20b"), decoded; "" when there is none. */
export function decodeRequestUri(uri: string): string {
  const path = uriPath(uri);
  if (!path.startsWith('/')) return path === '*' ? '' : path;
  return normalize(unquote(path));
}

function uriPath(uri: string): string {
  let start = 0;
  if (!uri.startsWith('/')) {
    const scheme = uri.indexOf('://');
    if (scheme > 0) {
      start = uri.indexOf('/', scheme + 3);
      if (start === -1) return '/';
    }
  }
  const query = uri.indexOf('?', start);
  return query === -1 ? uri.slice(start) : uri.slice(start, query);
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
