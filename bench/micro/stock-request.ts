// What Debian's nginx sends for a browser's GET with its stock fastcgi_params: 24 entries.
import { fcgiRequest, scgiHeaders, scgiNetstring, uwsgiPacket, uwsgiVars } from '../../test/helpers/bytes.ts';

const ENTRIES = `
QUERY_STRING=name=you
REQUEST_METHOD=GET
CONTENT_TYPE=
CONTENT_LENGTH=
SCRIPT_NAME=/hello/world
REQUEST_URI=/hello/world?name=you
DOCUMENT_URI=/hello/world
DOCUMENT_ROOT=/usr/share/nginx/html
SERVER_PROTOCOL=HTTP/1.1
REQUEST_SCHEME=http
GATEWAY_INTERFACE=CGI/1.1
SERVER_SOFTWARE=nginx/1.22.1
REMOTE_ADDR=192.0.2.17
REMOTE_PORT=49152
SERVER_ADDR=192.0.2.1
SERVER_PORT=80
SERVER_NAME=example.com
REDIRECT_STATUS=200
HTTP_HOST=example.com
HTTP_USER_AGENT=Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0
HTTP_ACCEPT=text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8
HTTP_ACCEPT_LANGUAGE=en-GB,en;q=0.7,nl;q=0.3
HTTP_ACCEPT_ENCODING=gzip, deflate, br
HTTP_COOKIE=session=1f0c7a9e4b7d4a6c9e2f7f3b8a5d6c1e; theme=dark
`;

const PARAMS = ENTRIES.trim().split('\n').flatMap(splitEntry);

function splitEntry(line: string): [name: string, value: string] {
  const at = line.indexOf('=');
  return [line.slice(0, at), line.slice(at + 1)];
}

/** As nginx writes it with fastcgi_keep_conn on. */
export const FASTCGI_REQUEST: Buffer = fcgiRequest(1, PARAMS, '', { keepConn: true });

/** The same entries; over uwsgi nginx has the path in PATH_INFO. */
const STREAM_PARAMS = PARAMS.map((text) => (text === 'SCRIPT_NAME' ? 'PATH_INFO' : text));
export const UWSGI_REQUEST: Buffer = uwsgiPacket(uwsgiVars(STREAM_PARAMS));

const withLength = ['CONTENT_LENGTH', '0', ...without(STREAM_PARAMS, 'CONTENT_LENGTH'), 'SCGI', '1'];
export const SCGI_REQUEST: Buffer = scgiNetstring(scgiHeaders(withLength));

function without(params: readonly string[], name: string): string[] {
  const at = params.indexOf(name);
  return params.toSpliced(at, 2);
}

/** As nginx asks a server of HTTP: the client's headers alone. */
export const HTTP_REQUEST: Buffer = Buffer.from(
  `GET /hello/world?name=you HTTP/1.1\r\n${httpHeaders(PARAMS).join('\r\n')}\r\n\r\n`,
  'latin1',
);

function httpHeaders(params: readonly string[]): string[] {
  const lines: string[] = [];
  for (let at = 0; at < params.length; at += 2) {
    const name = params[at] ?? '';
    if (name.startsWith('HTTP_')) lines.push(`${name.slice(5).replaceAll('_', '-')}: ${params[at + 1]}`);
  }
  return lines;
}
