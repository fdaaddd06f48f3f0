// One request's environ from the params a protocol brought, repaired where nginx's stock param files fall short of PEP 3333.
// Hot code: it runs for every request. Lists of names that come often have a constructor of their own, see environ-shape.ts.
import type { Cancellation } from './cancellation.ts';
import type { Environ, ErrorStream, InputStream } from './contract.ts';
import { type Plan, ShapeTable } from './environ-shape.ts';
import { describe, GatewayError } from './errors.ts';
import { fileWrapper } from './file-wrapper.ts';
import { hostName, hostPort } from './mounts.ts';
import { ParamKind, paramKind } from './param-kinds.ts';
import { decodeRequestUri, isBelow, normalize } from './path.ts';

const VERSION: readonly [1, 0] = Object.freeze([1, 0] as const);
const CANCELLATION = Symbol('cancellation');

/** Made when it is first read, see Cancellation. */
const SIGNAL: PropertyDescriptor & ThisType<{ [CANCELLATION]: Cancellation | null }> = {
  get() {
    return this[CANCELLATION]?.signal;
  },
  set(value: unknown) {
    this[CANCELLATION] = null;
    Object.defineProperty(this, 'viaduct.signal', {
      value,
      writable: true,
      enumerable: true,
      configurable: true,
    });
  },
  enumerable: true,
  configurable: true,
};

/** It inherits viaduct.signal alone, which no param can have for a name: so none can reach anything inherited. */
export class RequestEnviron implements Environ {
  REQUEST_METHOD = '';
  SCRIPT_NAME = '';
  PATH_INFO = '';
  QUERY_STRING = '';
  SERVER_NAME = '';
  SERVER_PORT = '';
  SERVER_PROTOCOL = '';
  'wsgi.version': readonly [1, 0] = VERSION;
  'wsgi.url_scheme' = 'http';
  'wsgi.input': InputStream = null as unknown as InputStream;
  'wsgi.errors': ErrorStream = null as unknown as ErrorStream;
  'wsgi.multithread' = false;
  'wsgi.multiprocess' = false;
  'wsgi.run_once' = false;
  'wsgi.input_terminated' = true;
  'wsgi.file_wrapper': Environ['wsgi.file_wrapper'] = fileWrapper;
  declare 'viaduct.signal': AbortSignal;
  'viaduct.mount' = '';
  'viaduct.request_id' = '';
  /** null: a middleware has put another signal in its place. */
  declare [CANCELLATION]: Cancellation | null;
  [key: string]: unknown;
}
Object.setPrototypeOf(RequestEnviron.prototype, null);
Reflect.deleteProperty(RequestEnviron.prototype, 'constructor');
Object.defineProperty(RequestEnviron.prototype, 'viaduct.signal', { ...SIGNAL, enumerable: false });

const METHOD = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** What the params say of the path, before a mount splits it. */
export interface RequestPath {
  /** The SCRIPT_NAME a front server set on purpose, "" for most. */
  readonly script: string;
  /** The path below it, decoded, with its leading slash. */
  readonly path: string;
}

/** Lists longer than this are made the general way. */
const MAX_SHAPED = 2 * 128;
const BASE: Readonly<Record<string, unknown>> = Object.fromEntries(Object.entries(new RequestEnviron()));
const shapes = new ShapeTable<RequestEnviron>(BASE, RequestEnviron.prototype, plan);

/**
 * The environ for `params` (name, value, name, value ...); param-kinds.ts says what becomes of each. completeEnviron() has
 * to come next: until then PATH_INFO is what the peer sent.
 */
export function makeEnviron(
  params: readonly string[],
  input: InputStream,
  errors: ErrorStream,
  cancellation: Cancellation,
): RequestEnviron {
  const Shaped = shapes.find(params);
  const environ = Shaped === null ? fill(params) : new Shaped(params);
  environ['wsgi.input'] = input;
  environ['wsgi.errors'] = errors;
  environ[CANCELLATION] = cancellation;
  return environ;
}

/**
 * Makes viaduct.signal a key of the environ's own, as code that lists or copies it expects. That costs 230 ns, and
 * Object.values() more after it: not for adapters whose apps see no environ.
 */
export function exposeSignal(environ: RequestEnviron): void {
  Object.defineProperty(environ, 'viaduct.signal', SIGNAL);
}

/** Calls `listener` once when the request of `environ` is given up, with the reason; as its viaduct.signal would. */
export function whenCancelled(environ: Environ, listener: (reason: unknown) => void): void {
  // A copy has the symbol too, and perhaps another signal.
  const cancellation =
    Object.getPrototypeOf(environ) === RequestEnviron.prototype
      ? (environ as RequestEnviron)[CANCELLATION]
      : null;
  if (cancellation !== null) {
    cancellation.listen(listener);
    return;
  }
  const signal = environ['viaduct.signal'];
  if (signal.aborted) listener(signal.reason);
  else signal.addEventListener('abort', () => listener(signal.reason), { once: true });
}

/** The general way. */
function fill(params: readonly string[]): RequestEnviron {
  const environ = new RequestEnviron();
  for (let at = 0; at < params.length; at += 2) {
    const name = params[at] as string;
    const value = params[at + 1] as string;
    switch (paramKind(name)) {
      case ParamKind.Plain:
        environ[name] = value;
        break;
      case ParamKind.Header:
        join(environ, name, ', ', value);
        break;
      case ParamKind.Cookie:
        join(environ, name, '; ', value);
        break;
      case ParamKind.Optional:
        if (value === '') leaveOut(environ, name);
        else environ[name] = value;
        break;
      case ParamKind.Dropped:
        break;
    }
  }
  return environ;
}

/** What fill() would do, without the values; null where that depends on more than which of them are empty. */
function plan(params: readonly string[]): Plan | null {
  if (params.length > MAX_SHAPED) return null;
  const places = new Map(Object.keys(BASE).map((name) => [name, -1]));
  const empty: number[] = [];
  const filled: number[] = [];
  for (let at = 1; at < params.length; at += 2) {
    const name = params[at - 1] as string;
    const kind = paramKind(name);
    if (kind === ParamKind.Dropped) continue;
    if (kind !== ParamKind.Plain && places.has(name)) return null;
    if (kind !== ParamKind.Optional) places.set(name, at);
    else if (params[at] === '') empty.push(at);
    else {
      filled.push(at);
      places.set(name, at);
    }
  }
  return { properties: [...places], empty, filled };
}

/**
 * Repairs what nginx's param files leave out, and gives the path to mount.
 * @throws {GatewayError} ERR_REQUEST_METHOD, ERR_REQUEST_PATH
 */
export function completeEnviron(environ: RequestEnviron): RequestPath {
  const https = environ['HTTPS'];
  const secure =
    https === undefined ? environ['REQUEST_SCHEME'] === 'https' : https === 'on' || https === '1';
  if (secure) environ['wsgi.url_scheme'] = 'https';
  fillServer(environ);
  const method = environ.REQUEST_METHOD;
  if (method === '') environ.REQUEST_METHOD = 'GET';
  else if (method !== 'GET' && method !== 'POST' && !METHOD.test(method)) {
    throw new GatewayError(
      'ERR_REQUEST_METHOD',
      `Cannot take request: method is ${describe(method)}, wanted a token`,
    );
  }
  return requestPath(environ);
}

/** Where a request header stands: "HTTP_X_REQUEST_ID" for "X-Request-ID" (RFC 3875, section 4.1.18). */
export const environKey = (header: string): string => `HTTP_${header.toUpperCase().replaceAll('-', '_')}`;

/** An empty repeat takes the value back; most often there is none, and then a delete would only cost time. */
export function leaveOut(environ: Environ, name: string): void {
  if (environ[name] !== undefined) Reflect.deleteProperty(environ, name);
}

function join(environ: RequestEnviron, name: string, separator: string, value: string): void {
  const before = environ[name];
  environ[name] = typeof before === 'string' ? before + separator + value : value;
}

/** SERVER_NAME and SERVER_PORT are never empty (PEP 3333); nginx's are, without server_name or on a Unix listener. */
function fillServer(environ: RequestEnviron): void {
  if (environ.SERVER_NAME === '' || environ.SERVER_PORT === '') {
    const host = typeof environ['HTTP_HOST'] === 'string' ? environ['HTTP_HOST'] : '';
    const address = typeof environ['SERVER_ADDR'] === 'string' ? environ['SERVER_ADDR'] : '';
    environ.SERVER_NAME ||= hostName(host) || addressName(address) || 'localhost';
    environ.SERVER_PORT ||= hostPort(host) || (environ['wsgi.url_scheme'] === 'https' ? '443' : '80');
  }
  if (environ.SERVER_PROTOCOL === '') environ.SERVER_PROTOCOL = 'HTTP/1.1';
}

/** SERVER_ADDR as a SERVER_NAME, which has IPv6 in brackets (RFC 3875, section 4.1.14). */
function addressName(address: string): string {
  if (address.startsWith('unix:')) return '';
  return address.includes(':') ? `[${address}]` : address;
}

/**
 * nginx's fastcgi_params have the whole path in SCRIPT_NAME and no PATH_INFO; its uwsgi_params the other way round;
 * its scgi_params neither, but DOCUMENT_URI. Where both are set, PATH_INFO may still begin with SCRIPT_NAME, because
 * nginx cannot cut it (uwsgi's modifier1 30 exists for that).
 */
function requestPath(environ: RequestEnviron): RequestPath {
  const { SCRIPT_NAME: script, PATH_INFO: pathInfo } = environ;
  let front = '';
  let path: string;
  if (pathInfo === '') {
    path = script || documentUri(environ) || decodeRequestUri(requestUri(environ)) || '/';
  } else if (script === '' || script === '/') {
    path = pathInfo;
  } else {
    front = script.endsWith('/') ? script.slice(0, -1) : script;
    path =
      isBelow(pathInfo, front) && !isWholePath(environ, front + pathInfo)
        ? pathInfo.slice(front.length)
        : pathInfo;
  }
  if ((path !== '' && !path.startsWith('/')) || (front !== '' && !front.startsWith('/'))) {
    throw new GatewayError(
      'ERR_REQUEST_PATH',
      `Cannot take request: path is ${describe(front + path)}, wanted it to begin with "/"`,
    );
  }
  // nginx refuses it; an application may end a file name there.
  if (path.includes('\0') || front.includes('\0')) {
    throw new GatewayError(
      'ERR_REQUEST_PATH',
      `Cannot take request: path is ${describe(front + path)}, wanted it without NUL`,
    );
  }
  return { script: front, path };
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '');
const documentUri = (environ: RequestEnviron): string => text(environ['DOCUMENT_URI']);
const requestUri = (environ: RequestEnviron): string => text(environ['REQUEST_URI']);

/** True when the front server says that the whole path is SCRIPT_NAME + PATH_INFO as they stand. */
const isWholePath = (environ: RequestEnviron, whole: string): boolean =>
  (documentUri(environ) || decodeRequestUri(requestUri(environ))) === normalize(whole);
