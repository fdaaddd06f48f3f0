// The command line of `viaduct request`, checked and turned into values. Opens no socket.
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { AddressError, parseAddress, type SocketAddress } from './client/address.ts';
import type { BytePair } from './client/client.ts';
import { encodeTarget, TargetError } from './client/target.ts';

export const PROTOCOLS = ['fastcgi', 'uwsgi', 'scgi', 'http'] as const;
export type RequestProtocol = (typeof PROTOCOLS)[number];

export interface RequestArgs {
  readonly address: SocketAddress;
  readonly protocol: RequestProtocol;
  readonly method: string;
  readonly target: string;
  /** What -H gave; a value of '' takes a default header away. */
  readonly headers: readonly BytePair[];
  readonly params: readonly BytePair[];
  /** What -d gave; null without it. */
  readonly data: string | null;
  readonly timeoutMs: number;
  readonly keepConn: boolean;
}

export const REQUEST_USAGE = `usage: viaduct request --socket ADDRESS --protocol fastcgi|uwsgi|scgi|http METHOD PATH
         [-H 'Name: value']... [-d BODY|@FILE|@-] [-p PARAM=VALUE]... [--timeout 30s] [--keep-conn]

Sends one request straight to a socket, with the params a stock nginx would send, and prints status, headers and body.

  --socket ADDRESS   unix:PATH, HOST:PORT or [IPv6]:PORT
  --protocol NAME    what the socket speaks
  -H 'Name: value'   a request header; 'Name:' takes a default one away
  -d BODY            the request body; @FILE reads a file, @- standard input
  -p PARAM=VALUE     sets or adds a CGI param (not over http)
  --timeout TIME     for the whole exchange: 500ms, 30s, 5m (default 30s)
  --keep-conn        sets FCGI_KEEP_CONN, as nginx does with fastcgi_keep_conn on

Exit code: 0 complete response, 1 none or a broken one, 64 wrong usage.
`;

/** The command line is wrong; `message` says how. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
// oxlint-disable-next-line no-control-regex -- RFC 9110 section 5.5: what a field value must not hold
const CONTROL = /[\x00-\x08\x0a-\x1f\x7f]/;
const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
/** setTimeout() takes no more. */
const TIMEOUT_MAX = 2 ** 31 - 1;

/** UTF-8 bytes of what came from the command line, a character a byte. */
function toBytes(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

function parseTimeout(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text);
  const ms = Number(match?.[1]) * (UNITS[match?.[2] ?? ''] ?? Number.NaN);
  if (!(ms >= 1 && ms <= TIMEOUT_MAX)) {
    throw new UsageError(
      `reading --timeout '${text}' failed, wanted a time above 0 such as 500ms, 30s or 5m`,
    );
  }
  return ms;
}

function parseHeader(text: string): BytePair {
  const colon = text.indexOf(':');
  const name = text.slice(0, Math.max(colon, 0));
  const value = text.slice(colon + 1).trim();
  if (!TOKEN.test(name)) throw new UsageError(`reading -H '${text}' failed, wanted 'Name: value'`);
  if (CONTROL.test(value)) {
    throw new UsageError(
      `reading -H ${JSON.stringify(text)} failed: it holds a control character, wanted none`,
    );
  }
  return [name, toBytes(value)];
}

function parseParam(text: string): BytePair {
  const equals = text.indexOf('=');
  if (equals < 1) throw new UsageError(`reading -p '${text}' failed, wanted NAME=VALUE`);
  return [toBytes(text.slice(0, equals)), toBytes(text.slice(equals + 1))];
}

function parseProtocol(text: string | undefined): RequestProtocol {
  const found = PROTOCOLS.find((name) => name === text);
  if (found !== undefined) return found;
  const given = text === undefined ? '--protocol is missing' : `reading --protocol '${text}' failed`;
  throw new UsageError(`${given}, wanted ${PROTOCOLS.join(', ')}`);
}

function parseSocket(text: string | undefined, cwd: string): SocketAddress {
  if (text === undefined)
    throw new UsageError('--socket is missing, wanted unix:PATH, HOST:PORT or [IPv6]:PORT');
  return parseAddress(text, cwd);
}

function parse(argv: string[], cwd: string): RequestArgs | null {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      socket: { type: 'string' },
      protocol: { type: 'string' },
      header: { type: 'string', short: 'H', multiple: true, default: [] },
      data: { type: 'string', short: 'd', multiple: true, default: [] },
      param: { type: 'string', short: 'p', multiple: true, default: [] },
      timeout: { type: 'string', default: '30s' },
      'keep-conn': { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return null;
  const [method, path, ...more] = positionals;
  if (method === undefined || path === undefined || more.length > 0) {
    throw new UsageError(`${positionals.length} arguments were given, wanted two: METHOD and PATH`);
  }
  if (!TOKEN.test(method))
    throw new UsageError(`reading METHOD '${method}' failed, wanted a token such as GET`);
  if (values.data.length > 1) throw new UsageError('-d was given more than once, wanted one request body');
  const protocol = parseProtocol(values.protocol);
  if (protocol === 'http' && values.param.length > 0) {
    throw new UsageError('-p was given with --protocol http, wanted -H: HTTP carries no CGI params');
  }
  if (protocol !== 'fastcgi' && values['keep-conn']) {
    throw new UsageError(`--keep-conn was given with --protocol ${protocol}, wanted fastcgi`);
  }
  return {
    address: parseSocket(values.socket, cwd),
    protocol,
    method,
    target: encodeTarget(path),
    headers: values.header.map(parseHeader),
    params: values.param.map(parseParam),
    data: values.data[0] ?? null,
    timeoutMs: parseTimeout(values.timeout),
    keepConn: values['keep-conn'],
  };
}

/** True for the errors parseArgs() of node:util throws. */
function isParseArgsError(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS_');
}

/**
 * Reads the command line; null asks for the help text.
 * @throws {UsageError}
 */
export function parseRequestArgs(argv: string[], cwd: string): RequestArgs | null {
  try {
    return parse(argv, cwd);
  } catch (error) {
    if (error instanceof AddressError || error instanceof TargetError || isParseArgsError(error)) {
      throw new UsageError(error.message, { cause: error });
    }
    throw error;
  }
}

/** The bytes -d stands for; null without -d. */
export async function readBody(
  data: string | null,
  cwd: string,
  stdin: AsyncIterable<Uint8Array>,
): Promise<Buffer | null> {
  if (data === null) return null;
  if (data === '@-') {
    const chunks: Uint8Array[] = [];
    for await (const chunk of stdin) chunks.push(chunk);
    return Buffer.concat(chunks);
  }
  return data.startsWith('@') ? readFile(resolve(cwd, data.slice(1))) : Buffer.from(data, 'utf8');
}
