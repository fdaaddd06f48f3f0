// An HTTP request as CGI params, the way nginx would have sent it (RFC 3875, section 4.1).
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { decodeRequestUri } from '../../gateway/path.ts';

/** Name, value, name, value ...; SERVER_NAME and SERVER_PORT are left to the gateway, which has the Host header. */
export function httpParams(request: IncomingMessage): string[] {
  const uri = request.url ?? '/';
  const query = uri.indexOf('?');
  const params = [
    'REQUEST_METHOD',
    request.method ?? 'GET',
    'REQUEST_URI',
    uri,
    'QUERY_STRING',
    query === -1 ? '' : uri.slice(query + 1),
    'PATH_INFO',
    decodeRequestUri(uri),
    'SERVER_PROTOCOL',
    `HTTP/${request.httpVersion}`,
    'REQUEST_SCHEME',
    'http',
    'GATEWAY_INTERFACE',
    'CGI/1.1',
  ];
  pushAddresses(params, request.socket);
  pushHeaders(params, request.rawHeaders);
  return params;
}

function pushAddresses(params: string[], socket: Socket): void {
  if (socket.remoteAddress === undefined) {
    // As nginx has it for a Unix socket.
    params.push('REMOTE_ADDR', 'unix:');
    return;
  }
  params.push('REMOTE_ADDR', socket.remoteAddress, 'REMOTE_PORT', String(socket.remotePort ?? ''));
  params.push('SERVER_ADDR', socket.localAddress ?? '', 'SERVER_PORT', String(socket.localPort ?? ''));
}

function pushHeaders(params: string[], rawHeaders: readonly string[]): void {
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] as string;
    const value = rawHeaders[at + 1] as string;
    // "X_A" and "X-A" would become one key, so a client could pose as a proxy: nginx drops the first (underscores_in_headers).
    if (name.includes('_')) continue;
    const key = name.toUpperCase().replaceAll('-', '_');
    if (key === 'CONTENT_TYPE' || key === 'CONTENT_LENGTH') params.push(key, value);
    else params.push(`HTTP_${key}`, value);
  }
}
