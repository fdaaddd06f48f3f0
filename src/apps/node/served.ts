// The gateway application of an app of node:http by documented means alone: a real http.Server at one end of a stream in
// memory, a real client at the other. Many times slower than application.ts, it stands in where that cannot work (probe.ts).
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Application, Body, Environ, HeaderList, StartResponse } from '../../gateway/contract.ts';
import { whenCancelled } from '../../gateway/environ.ts';
import { GatewayError } from '../../gateway/errors.ts';
import { HOP_BY_HOP } from '../../gateway/headers.ts';
import { isPeekable } from '../../gateway/input.ts';
import { isThenable } from '../../gateway/iteration.ts';
import type { NodeApp } from './node-app.ts';
import { memoryPipe, type PipeEnd } from './memory-pipe.ts';
import { rawHeaders } from './request-headers.ts';
import { mountRequest, requestUrl } from './request-url.ts';
import { statusOf } from './response-headers.ts';
import { socketFacts } from './socket-facts.ts';

const READ_SIZE = 64 * 1024;

interface Served {
  readonly environ: Environ;
  /** The handler threw, or its promise was rejected. */
  readonly failed: (error: unknown) => void;
}

export function servedApplication(app: NodeApp): Application {
  const served = new WeakMap<object, Served>();
  const options = { requestTimeout: 0, headersTimeout: 0, keepAliveTimeout: 0, requireHostHeader: false };
  const server = createServer(options, (req, res) => {
    const one = served.get(req.socket);
    if (one !== undefined) handle(app, one, req, res);
  });
  return (environ, startResponse) =>
    new Promise((resolve, reject) => {
      const [near, far] = memoryPipe();
      Object.assign(far, socketFacts(environ));
      let failure: unknown = null;
      const failed = (error: unknown): void => {
        failure = error;
        far.destroy();
      };
      served.set(far, { environ, failed });
      server.emit('connection', far as unknown as Socket);
      answer(environ, near).then(
        (incoming) => resolve(bodyOf(startResponse, incoming, () => failure)),
        (error: unknown) => reject((failure ?? error) as Error),
      );
    });
}

function handle(app: NodeApp, { environ, failed }: Served, req: IncomingMessage, res: ServerResponse): void {
  mountRequest(req, requestUrl(environ));
  try {
    const returned = app.handle(req, res);
    if (isThenable(returned)) returned.then(undefined, failed);
  } catch (error) {
    failed(error);
  }
}

/** Sends the request, and its body as long as somebody reads it. */
function answer(environ: Environ, near: PipeEnd): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const call = request({
      createConnection: () => near,
      method: environ.REQUEST_METHOD,
      path: requestUrl(environ).url,
      headers: requestHeaders(environ) as never,
    });
    call.on('response', resolve);
    call.on('error', () =>
      reject(new GatewayError('ERR_NODE_DESTROYED', 'The app destroyed the response before it had ended')),
    );
    whenCancelled(environ, () => near.destroy());
    // An app may answer without reading it all; what went wrong with it otherwise, the request hears.
    pipeline(Readable.from(piecesOf(environ)), call).catch((error: unknown) => {
      if (error instanceof GatewayError) reject(error);
    });
  });
}

function requestHeaders(environ: Environ): string[] {
  const raw = rawHeaders(environ);
  const headers: string[] = [];
  for (let at = 0; at < raw.length; at += 2) {
    const [name = '', value = ''] = raw.slice(at, at + 2);
    if (name === 'transfer-encoding' || (!HOP_BY_HOP.has(name) && name !== 'expect'))
      headers.push(name, value);
  }
  return [...headers, 'connection', 'close'];
}

async function* piecesOf(environ: Environ): AsyncGenerator<Uint8Array> {
  const input = environ['wsgi.input'];
  for (;;) {
    const piece = await (isPeekable(input) ? input.read1(READ_SIZE) : input.read(READ_SIZE));
    if (piece.length === 0) return;
    yield piece;
  }
}

function bodyOf(startResponse: StartResponse, incoming: IncomingMessage, failure: () => unknown): Body {
  const headers: HeaderList = [];
  for (let at = 0; at < incoming.rawHeaders.length; at += 2) {
    const [name = '', value = ''] = incoming.rawHeaders.slice(at, at + 2);
    const lower = name.toLowerCase();
    if (!HOP_BY_HOP.has(lower) && lower !== 'status') headers.push([name, value.replaceAll('\t', ' ')]);
  }
  startResponse(statusOf(incoming.statusCode ?? 0, incoming.statusMessage ?? ''), headers);
  return {
    async *[Symbol.asyncIterator]() {
      try {
        for await (const chunk of incoming) yield chunk as Buffer;
      } catch (error) {
        throw failure() ?? error;
      }
    },
    close: () => void incoming.destroy(),
  };
}
