// viaduct:forwarded: what trusted proxies say of the client becomes the environ; what others say is removed.
import type { ForwardedHeader, ForwardedOptions } from '../../config/middleware-options.ts';
import type { Application, Environ } from '../../gateway/contract.ts';
import { leaveOut } from '../../gateway/environ.ts';
import { hostName, hostPort } from '../../gateway/mounts.ts';
import { unquote } from '../../gateway/path.ts';
import { forwardedHops, type Hop, listedHops, TrustedProxies } from './proxy-chain.ts';

/** Headers by which an application could be told of a client; only the first ones are ever believed. */
const KEYS: Readonly<Record<ForwardedHeader, string>> = {
  'x-forwarded-for': 'HTTP_X_FORWARDED_FOR',
  'x-forwarded-proto': 'HTTP_X_FORWARDED_PROTO',
  'x-forwarded-host': 'HTTP_X_FORWARDED_HOST',
  'x-forwarded-port': 'HTTP_X_FORWARDED_PORT',
  'x-forwarded-prefix': 'HTTP_X_FORWARDED_PREFIX',
  forwarded: 'HTTP_FORWARDED',
};
const COUSINS =
  'HTTP_X_REAL_IP HTTP_X_FORWARDED HTTP_X_FORWARDED_SSL HTTP_X_FORWARDED_SCHEME HTTP_X_FORWARDED_PROTOCOL HTTP_X_FORWARDED_SERVER HTTP_X_URL_SCHEME HTTP_FRONT_END_HTTPS';
const ALL_KEYS = [...Object.values(KEYS), ...COUSINS.split(' ')];

export function forwarded(app: Application, options: ForwardedOptions): Application {
  const proxies = new TrustedProxies(options.trust);
  const { headers, hops: most = Infinity } = options;
  return (environ, startResponse) => {
    if (!ALL_KEYS.some((key) => environ[key] !== undefined)) return app(environ, startResponse);
    if (proxies.has(textOf(environ['REMOTE_ADDR']))) believe(environ, headers, proxies, most);
    else for (const key of ALL_KEYS) leaveOut(environ, key);
    return app(environ, startResponse);
  };
}

function believe(
  environ: Environ,
  headers: readonly ForwardedHeader[],
  proxies: TrustedProxies,
  most: number,
): void {
  const taken = new Map(headers.map((name) => [name, textOf(environ[KEYS[name]])]));
  for (const key of ALL_KEYS) leaveOut(environ, key);
  const chain = taken.get('forwarded') ?? '';
  const list = taken.get('x-forwarded-for') ?? '';
  const hops = chain === '' ? (list === '' ? [] : listedHops(list)) : forwardedHops(chain);
  const written = proxies.written(hops, most);
  setClient(environ, written);
  const own = written
    .map(({ text }) => text)
    .toReversed()
    .join(', ');
  if (own !== '') environ[chain === '' ? KEYS['x-forwarded-for'] : KEYS.forwarded] = own;
  const farthest = (key: 'proto' | 'host'): string => written.findLast((hop) => hop[key] !== '')?.[key] ?? '';
  const said = (name: ForwardedHeader): string => valueOf(taken.get(name) ?? '', written.length);
  const proto = setScheme(environ, said('x-forwarded-proto') || farthest('proto'));
  setHost(environ, said('x-forwarded-host') || farthest('host'), said('x-forwarded-port'), proto);
  setPrefix(environ, said('x-forwarded-prefix'));
}

/** Of several values the one by the farthest of `count` proxies; where fewer wrote one, the first of them. */
function valueOf(header: string, count: number): string {
  const values = header.split(',');
  return (values[Math.max(0, values.length - Math.max(1, count))] ?? '').trim();
}

/** The farthest address that a trusted proxy has seen; where it saw none ("unknown"), the last one known stays. */
function setClient(environ: Environ, written: readonly Hop[]): void {
  const from = written.findLast((hop) => hop.from !== null)?.from;
  if (from === null || from === undefined) return;
  environ['REMOTE_ADDR'] = from.ip;
  if (from.port === '') leaveOut(environ, 'REMOTE_PORT');
  else environ['REMOTE_PORT'] = from.port;
  leaveOut(environ, 'REMOTE_HOST');
}

const SCHEMES: Readonly<Record<string, 'http' | 'https'>> = {
  http: 'http',
  https: 'https',
  ws: 'http',
  wss: 'https',
};

/** Gives whether there was one. */
function setScheme(environ: Environ, text: string): boolean {
  const lower = text.toLowerCase();
  const scheme = Object.hasOwn(SCHEMES, lower) ? SCHEMES[lower] : undefined;
  if (scheme === undefined) return false;
  environ['wsgi.url_scheme'] = scheme;
  if (environ['REQUEST_SCHEME'] !== undefined) environ['REQUEST_SCHEME'] = scheme;
  if (scheme === 'https') environ['HTTPS'] = 'on';
  else leaveOut(environ, 'HTTPS');
  environ[KEYS['x-forwarded-proto']] = scheme;
  return true;
}

const HOST = /^(?:[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9.])?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?$/;

function setHost(environ: Environ, givenHost: string, givenPort: string, hasScheme: boolean): void {
  const isHost = HOST.test(givenHost);
  const isPort = /^[0-9]{1,5}$/.test(givenPort) && Number(givenPort) > 0 && Number(givenPort) <= 65_535;
  if (!isHost && !isPort && !hasScheme) return;
  const usual = environ['wsgi.url_scheme'] === 'https' ? '443' : '80';
  const host = isHost ? givenHost : textOf(environ['HTTP_HOST']);
  const port = isPort ? givenPort : hostPort(host) || usual;
  if (isHost) {
    environ.SERVER_NAME = hostName(host);
    environ[KEYS['x-forwarded-host']] = host;
  }
  if (host !== '' && isPort)
    environ['HTTP_HOST'] = port === usual ? hostName(host) : `${hostName(host)}:${port}`;
  else if (isHost) environ['HTTP_HOST'] = host;
  if (isPort) environ[KEYS['x-forwarded-port']] = port;
  environ.SERVER_PORT = port;
}

/** What the proxy has cut off in front: a path as SCRIPT_NAME has it. */
function setPrefix(environ: Environ, text: string): void {
  const path = unquote(text).replace(/\/+$/, '');
  // oxlint-disable-next-line no-control-regex -- those, and what would end a path or climb out of it
  const isPath = path.startsWith('/') && !/[\x00-\x1f\x7f?#\\]|\/(?:\/|\.{1,2}(?:\/|$))/.test(path);
  if (isPath) environ.SCRIPT_NAME = path + environ.SCRIPT_NAME;
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');
