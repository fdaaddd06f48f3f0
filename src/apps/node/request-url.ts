// The request URI of an environ as an app of node:http sees it: raw, and split at the mount as Express splits it at its own.
// Hot code: it runs for every request.
import type { IncomingMessage } from 'node:http';
import type { Environ } from '../../gateway/contract.ts';
import { decodeRequestUri, normalize } from '../../gateway/path.ts';

export interface RequestUrl {
  /** Below the mount: begins with "/", has the query. */
  readonly url: string;
  /** The mount, decoded, without a slash at its end; "" at the root. */
  readonly baseUrl: string;
  /** All of it. */
  readonly originalUrl: string;
}

export function requestUrl(environ: Environ): RequestUrl {
  const { SCRIPT_NAME: baseUrl, PATH_INFO: path } = environ;
  const uri = environ['REQUEST_URI'];
  const raw = typeof uri === 'string' && uri.startsWith('/') ? withoutFragment(uri) : '';
  const whole = baseUrl + path;
  // Most have nothing to decode, and then SCRIPT_NAME + PATH_INFO is how the URI begins.
  if (raw.startsWith(whole) && endsPath(raw, whole.length) && whole !== '') {
    return { url: rooted(baseUrl === '' ? raw : raw.slice(baseUrl.length)), baseUrl, originalUrl: raw };
  }
  const end = raw === '' ? -1 : cutAt(raw, baseUrl, whole);
  if (end !== -1) return { url: rooted(raw.slice(end)), baseUrl, originalUrl: raw };
  // The front server, or a middleware, has rewritten the path: then that is what the app is asked for.
  const query = environ.QUERY_STRING === '' ? '' : `?${environ.QUERY_STRING}`;
  return { url: rooted(quote(path) + query), baseUrl, originalUrl: rooted(quote(whole) + query) };
}

/** What Express and Connect set on a request below a mount of theirs; at the root it is left to them. */
export function mountRequest(req: IncomingMessage, { baseUrl, originalUrl }: RequestUrl): void {
  if (baseUrl === '') return;
  const mounted = req as IncomingMessage & { originalUrl?: string; baseUrl?: string };
  mounted.baseUrl = baseUrl;
  mounted.originalUrl = originalUrl;
}

/** Where the raw path goes on below the mount; -1: it is not the path that the environ has. */
function cutAt(raw: string, baseUrl: string, whole: string): number {
  const query = raw.indexOf('?');
  const path = query === -1 ? raw : raw.slice(0, query);
  const decoded = decodeRequestUri(path);
  if (decoded !== whole && decoded !== normalize(whole)) return -1;
  if (baseUrl === '') return 0;
  for (let at = path.indexOf('/', 1); ; at = path.indexOf('/', at + 1)) {
    const end = at === -1 ? path.length : at;
    // "/x/../api" has no place to cut that leaves the rest below "/api"; a part of it that climbs has none either.
    if (
      decodeRequestUri(path.slice(0, end)) === baseUrl &&
      restIs(path.slice(end), whole.slice(baseUrl.length))
    )
      return end;
    if (at === -1) return -1;
  }
}

const restIs = (rest: string, path: string): boolean =>
  decodeRequestUri(rooted(rest)) === rooted(path) ||
  decodeRequestUri(rooted(rest)) === normalize(rooted(path));

const endsPath = (raw: string, at: number): boolean => raw.length === at || raw.charCodeAt(at) === 63;
const rooted = (url: string): string => (url.charCodeAt(0) === 47 ? url : `/${url}`);

function withoutFragment(uri: string): string {
  const hash = uri.indexOf('#');
  return hash === -1 ? uri : uri.slice(0, hash);
}

/** Latin-1 text as a path of RFC 3986: what may not stand there goes as %XX of its byte. */
function quote(text: string): string {
  return text.replace(/[^A-Za-z0-9\-._~!$&'()*+,;=:@/]/g, (character) => {
    const hex = character.charCodeAt(0).toString(16).toUpperCase();
    return hex.length === 1 ? `%0${hex}` : `%${hex}`;
  });
}
