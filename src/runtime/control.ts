// The control socket: HTTP in run_dir, for the one who started viaduct and root. Takes the verbs reload, stop and status
// and hands them to the master; knows nothing of how they are done.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { bind, type Unbind } from '../transport/bind.ts';
import { controlSocket } from './run-dir.ts';
import { closeServer } from './close-server.ts';

export interface Controlled {
  reload(): Promise<{ readonly result: 'ok' | 'rejected' }>;
  stop(options: { now: boolean }): Promise<void>;
  freshStatus(): Promise<object>;
  /** Resolves at the end of a stop, when only this socket's answers are left. */
  readonly gone: Promise<void>;
}

/** Milliseconds for answers that are under way when it closes. */
const CLOSE_GRACE = 1000;
const LIMITS = {
  maxHeaderSize: 16 * 1024,
  headersTimeout: 5_000,
  requestTimeout: 10_000,
  keepAliveTimeout: 1,
  connectionsCheckingInterval: 1_000,
};
const MAX_CONNECTIONS = 64;

export class Control {
  readonly #server: Server;
  readonly #master: Controlled;
  #unbind: Unbind | null = null;

  constructor(master: Controlled) {
    this.#master = master;
    this.#server = createServer(LIMITS, (request, response) => void this.#answer(request, response));
    this.#server.maxConnections = MAX_CONNECTIONS;
  }

  /** @throws {SocketError} or the system's error, also where another viaduct has this run_dir */
  async listen(runDir: string): Promise<void> {
    this.#unbind = await bind(this.#server, {
      address: { kind: 'unix', path: controlSocket(runDir) },
      backlog: 128,
      file: { mode: 0o600, uid: -1, gid: -1 },
    });
  }

  async close(): Promise<void> {
    this.#unbind?.();
    await closeServer(this.#server, CLOSE_GRACE);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.resume();
    const { status, body } = await this.#act(request).catch((error: unknown) => ({
      status: 500,
      body: { reason: error instanceof Error ? error.message : String(error) },
    }));
    const text = `${JSON.stringify(body)}\n`;
    response.writeHead(status, {
      'content-type': 'application/json; charset=utf-8',
      'content-length': Buffer.byteLength(text),
      connection: 'close',
    });
    response.end(text);
  }

  async #act({ method, url = '' }: IncomingMessage): Promise<{ status: number; body: object }> {
    const { pathname, searchParams } = new URL(url, 'http://control');
    switch (`${method} ${pathname}`) {
      case 'GET /status':
        return { status: 200, body: await this.#master.freshStatus() };
      case 'POST /reload':
        return { status: 200, body: await this.#master.reload() };
      case 'POST /stop':
        void this.#master.stop({ now: searchParams.get('now') === '1' });
        await this.#master.gone;
        return { status: 200, body: { result: 'ok' } };
      default:
        return { status: 404, body: { reason: `Nothing here for ${method} ${pathname}` } };
    }
  }
}
