// `viaduct request`: sends one request straight to a socket and prints the response as `curl -i` does.
import { EXIT } from './exit-codes.ts';
import type { ResponseHead } from './client/cgi-response.ts';
import type { BytePair, Client, ClientRequest, ResponseSink } from './client/client.ts';
import { ClientFailure, errorCode } from './client/failure.ts';
import { buildParams } from './client/request-params.ts';
import { TargetError } from './client/target.ts';
import {
  parseRequestArgs,
  readBody,
  REQUEST_USAGE,
  type RequestArgs,
  type RequestProtocol,
  UsageError,
} from './request-args.ts';

/** What the verb needs of the terminal. Bytes go out as they are. */
export interface RequestIo {
  stdout(text: string | Uint8Array): void;
  stderr(text: string): void;
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  /** What `-d @-` reads; process.stdin where absent. */
  readonly stdin?: AsyncIterable<Uint8Array>;
}

/** Loaded only when asked for, so that fastcgi-stream costs nothing to any other verb. */
const CLIENTS: Readonly<Record<RequestProtocol, () => Promise<Client>>> = {
  fastcgi: async () => (await import('./client/fastcgi.ts')).requestFastcgi,
  uwsgi: async () => (await import('./client/uwsgi.ts')).requestUwsgi,
  scgi: async () => (await import('./client/scgi.ts')).requestScgi,
  http: async () => (await import('./client/http.ts')).requestHttp,
};

/** Default headers, then what -H gave: it replaces a default one of its name, and repeats of it are all sent. */
function mergeHeaders(args: RequestArgs, body: Buffer | null): BytePair[] {
  const defaults: BytePair[] = [
    ['Host', 'localhost'],
    ['User-Agent', 'viaduct-request'],
    ['Accept', '*/*'],
  ];
  if (body !== null) {
    defaults.push(['Content-Type', 'application/x-www-form-urlencoded']);
    defaults.push(['Content-Length', String(body.length)]);
  }
  if (args.protocol === 'http') {
    defaults.push(['Connection', 'close']);
    // Without it node:http would frame the empty body of a POST in chunks.
    if (body === null && !['GET', 'HEAD', 'OPTIONS', 'DELETE', 'TRACE'].includes(args.method)) {
      defaults.push(['Content-Length', '0']);
    }
  }
  const given = new Set(args.headers.map(([name]) => name.toLowerCase()));
  const kept = defaults.filter(([name]) => !given.has(name.toLowerCase()));
  return [...kept, ...args.headers.filter(([, value]) => value !== '')];
}

function buildRequest(args: RequestArgs, body: Buffer | null): ClientRequest {
  const headers = mergeHeaders(args, body);
  const { method, target } = args;
  const input = { method, target, headers, bodySize: body?.length ?? -1 };
  const params = args.protocol === 'http' ? [] : buildParams(args.protocol, input, args.params);
  return {
    address: args.address,
    method,
    target,
    headers,
    params,
    body: body ?? Buffer.alloc(0),
    keepConn: args.keepConn,
  };
}

/** Prints what the client tells, and remembers how far the response came. */
class Printer implements ResponseSink {
  readonly #io: RequestIo;
  readonly #decoder = new TextDecoder();
  #atLineStart = true;
  #headSeen = false;
  #received = 0;

  constructor(io: RequestIo) {
    this.#io = io;
  }

  /** For messages. */
  get progress(): string {
    return this.#headSeen ? `after ${this.#received} bytes of the body` : 'before the response head';
  }

  onHead(head: ResponseHead): void {
    this.#headSeen = true;
    const status = `HTTP/1.1 ${head.status} ${head.reason}`.trimEnd();
    const lines = [status, ...head.headers.map(([name, value]) => `${name}: ${value}`), '', ''];
    this.#io.stdout(Buffer.from(lines.join('\r\n'), 'latin1'));
  }

  onBody(chunk: Uint8Array): void {
    this.#received += chunk.length;
    this.#io.stdout(chunk);
  }

  onStderr(chunk: Uint8Array): void {
    this.#write(this.#decoder.decode(chunk, { stream: true }));
  }

  onWarning(text: string): void {
    this.line(`warning: ${text}`);
  }

  /** One line of ours, on a line of its own whatever the app wrote to stderr before. */
  line(text: string): void {
    this.#write(`${this.#atLineStart ? '' : '\n'}viaduct request: ${text}\n`);
  }

  #write(text: string): void {
    if (text === '') return;
    this.#atLineStart = text.endsWith('\n');
    this.#io.stderr(text);
  }
}

async function exchange(args: RequestArgs, body: Buffer | null, printer: Printer): Promise<void> {
  const request = buildRequest(args, body);
  const client = await CLIENTS[args.protocol]();
  const controller = new AbortController();
  const timer = setTimeout(() => {
    controller.abort(
      new ClientFailure(
        `waiting for the response failed: ${args.timeoutMs / 1000}s passed, it stopped ${printer.progress}, wanted a complete response`,
        'is the app slow or stuck? Look at its log, or give a longer --timeout',
      ),
    );
  }, args.timeoutMs);
  try {
    await client(request, printer, controller.signal);
  } finally {
    clearTimeout(timer);
  }
}

async function loadBody(args: RequestArgs, io: RequestIo): Promise<Buffer | null> {
  try {
    return await readBody(args.data, io.cwd, io.stdin ?? process.stdin);
  } catch (error) {
    throw new ClientFailure(
      `reading the request body '${args.data ?? ''}' failed: ${errorCode(error) || String(error)}, wanted a readable file`,
      'a body that begins with @ names a file',
    );
  }
}

/**
 * Runs the verb.
 * @param argv what follows `viaduct request`
 * @returns the exit code: 0 a complete response, 1 none or a broken one, 64 wrong usage
 */
export async function runRequest(argv: string[], io: RequestIo): Promise<number> {
  let printer: Printer | null = null;
  try {
    const args = parseRequestArgs(argv, io.cwd);
    if (args === null) {
      io.stdout(REQUEST_USAGE);
      return EXIT.ok;
    }
    printer = new Printer(io);
    await exchange(args, await loadBody(args, io), printer);
    return EXIT.ok;
  } catch (error) {
    if (error instanceof UsageError || error instanceof TargetError) {
      io.stderr(`viaduct request: ${error.message}; see viaduct request --help\n`);
      return EXIT.usage;
    }
    if (!(error instanceof ClientFailure) || printer === null) throw error;
    printer.line(`${error.message}; ${error.hint}`);
    return EXIT.failed;
  }
}
