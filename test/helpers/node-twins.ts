// The same app of node:http twice: under a plain http.Server and under the adapter in a real worker. Whatever is asked is
// asked of both, and the two answers are compared.
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { expect } from 'chai';
import type { Application } from '../../src/gateway/contract.ts';
import type { NodeApp } from '../../src/apps/node/node-app.ts';
import { nodeApplication } from '../../src/apps/node/application.ts';
import { recognize } from '../../src/apps/node/recognize.ts';
import { type CallOptions, type HttpCall, type HttpResponse, startCall } from './http-client.ts';
import { makeTempDir, removeTempDir } from './temp.ts';
import { startWorker, type TestWorker } from './worker.ts';

/** What belongs to the connection and to the server, not to the app. */
const OWN_HEADERS = new Set([
  'connection',
  'date',
  'keep-alive',
  'trailer',
  'transfer-encoding',
  'x-accel-buffering',
]);

/** What a client can tell of an answer. */
export interface Answer {
  status: number;
  statusText: string;
  headers: [string, string][];
  body: string;
  complete: boolean;
}

export function answerOf({ status, statusText, headers, body, complete }: HttpResponse): Answer {
  return {
    status,
    statusText,
    headers: headers
      .map(([name, value]): [string, string] => [name, value])
      .filter(([name]) => !OWN_HEADERS.has(name.toLowerCase())),
    body:
      body.length > 2000
        ? `${body.length} bytes, ${body.toString('latin1', 0, 50)}`
        : body.toString('latin1'),
    complete,
  };
}

export class NodeTwins {
  readonly worker: TestWorker;
  readonly #server: Server;
  readonly #folder: string;

  private constructor(worker: TestWorker, server: Server, folder: string) {
    this.worker = worker;
    this.#server = server;
    this.#folder = folder;
  }

  /**
   * @param make called twice: an app may not be shared
   * @param adapt how the one in the worker is adapted
   */
  static async start(
    make: () => unknown,
    adapt: (app: NodeApp) => Application = nodeApplication,
    path = '/',
  ): Promise<NodeTwins> {
    const folder = await makeTempDir();
    const plain = await recognize(make(), 'the plain one');
    const server = createServer((req, res) => void plain.handle(req, res));
    await new Promise<void>((resolve) => server.listen(join(folder, 'plain.sock'), resolve));
    const app = adapt(await recognize(make(), 'the adapted one'));
    const worker = await startWorker({ listeners: [{ protocol: 'http' }], mounts: [{ app, path }] });
    return new NodeTwins(worker, server, folder);
  }

  async stop(): Promise<void> {
    await this.worker.stop();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
    await removeTempDir(this.#folder);
  }

  startPlain(options: CallOptions): HttpCall {
    return startCall({ socketPath: join(this.#folder, 'plain.sock'), ...options });
  }

  startAdapted(options: CallOptions): HttpCall {
    const address = this.worker.address();
    if (address.kind !== 'unix') throw new Error('The worker of the twins listens on a Unix socket');
    return startCall({ socketPath: address.path, ...options });
  }

  /** Asks both, and gives the answer they agree on. */
  async ask(options: CallOptions): Promise<HttpResponse> {
    const plain = await this.startPlain(options).done;
    const adapted = await this.startAdapted(options).done;
    expect(answerOf(adapted)).to.deep.equal(answerOf(plain));
    return adapted;
  }
}
