// The CGI params of a request, as nginx's stock fastcgi_params, uwsgi_params and scgi_params would send them.
// An app that works here works behind a default nginx; what differs on purpose says so.
import type { BytePair } from './client.ts';
import { documentUri, queryOf } from './target.ts';

export type CgiProtocol = 'fastcgi' | 'uwsgi' | 'scgi';

export interface ParamsInput {
  readonly method: string;
  /** As encodeTarget() returned it. */
  readonly target: string;
  readonly headers: readonly BytePair[];
  /** Bytes of the body; -1 where none is sent. */
  readonly bodySize: number;
}

function header(input: ParamsInput, name: string): string {
  return input.headers.find(([key]) => key.toLowerCase() === name)?.[1] ?? '';
}

/** Host as nginx's $host and $server_port have it; the port is the one the client named. */
function splitHost(host: string): [name: string, port: string] {
  const match = /^(.*?)(?::(\d+))?$/.exec(host);
  return [(match?.[1] ?? '').toLowerCase() || 'localhost', match?.[2] ?? '80'];
}

/** Each protocol's own way of naming the path: FastCGI SCRIPT_NAME, uwsgi PATH_INFO, SCGI neither. */
function pathParams(protocol: CgiProtocol, uri: string): BytePair[] {
  if (protocol === 'fastcgi') return [['SCRIPT_NAME', uri]];
  return protocol === 'uwsgi' ? [['PATH_INFO', uri]] : [['SCGI', '1']];
}

/** What only fastcgi_params has. */
const FASTCGI_ONLY: readonly BytePair[] = [
  ['GATEWAY_INTERFACE', 'CGI/1.1'],
  ['SERVER_SOFTWARE', 'viaduct-request'],
  ['REMOTE_USER', ''],
  ['SERVER_ADDR', '127.0.0.1'],
  ['REDIRECT_STATUS', '200'],
];

function stockParams(protocol: CgiProtocol, input: ParamsInput): BytePair[] {
  const uri = documentUri(input.target);
  const [serverName, serverPort] = splitHost(header(input, 'host'));
  const size = input.bodySize < 0 ? '' : String(input.bodySize);
  const length = header(input, 'content-length') || size;
  return [
    // SCGI demands it as the first one, and as a number (SCGI 1, section 3).
    ['CONTENT_LENGTH', protocol === 'scgi' && length === '' ? '0' : length],
    ['QUERY_STRING', queryOf(input.target)],
    ['REQUEST_METHOD', input.method],
    ['CONTENT_TYPE', header(input, 'content-type')],
    ...pathParams(protocol, uri),
    ['REQUEST_URI', input.target],
    ['DOCUMENT_URI', uri],
    ['DOCUMENT_ROOT', '/usr/share/nginx/html'],
    ['SERVER_PROTOCOL', 'HTTP/1.1'],
    ['REQUEST_SCHEME', 'http'],
    ['REMOTE_ADDR', '127.0.0.1'],
    ['REMOTE_PORT', '0'],
    ['SERVER_PORT', serverPort],
    ['SERVER_NAME', serverName],
    ...(protocol === 'fastcgi' ? FASTCGI_ONLY : []),
  ];
}

/** nginx sends every request header, Content-Type and Content-Length too, and a repeated one as a repeated param. */
function headerParams(headers: readonly BytePair[]): BytePair[] {
  return headers.map(([name, value]) => [`HTTP_${name.toUpperCase().replaceAll('-', '_')}`, value]);
}

/**
 * All params of a request.
 * @param overrides a name that is there replaces its value in place, any other is added at the end
 * @throws {TargetError} where nginx would refuse the path
 */
export function buildParams(
  protocol: CgiProtocol,
  input: ParamsInput,
  overrides: readonly BytePair[],
): BytePair[] {
  const wanted = new Map(overrides);
  const base = [...stockParams(protocol, input), ...headerParams(input.headers)];
  const seen = new Set<string>();
  const params: BytePair[] = [];
  for (const [name, value] of base) {
    const override = wanted.get(name);
    if (override === undefined) params.push([name, value]);
    else if (!seen.has(name)) params.push([name, override]);
    seen.add(name);
  }
  for (const pair of wanted) if (!seen.has(pair[0])) params.push(pair);
  return params;
}
