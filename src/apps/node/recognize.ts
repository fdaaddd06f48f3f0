// From what a file exports to an app that can be called: the frameworks by the methods they are known for, functions by
// their parameters.
import { EventEmitter } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { Server as NetServer } from 'node:net';
import { isThenable } from '../../gateway/iteration.ts';
import { LoadError } from '../load-error.ts';
import { describeFound, hintFor } from './found.ts';
import { isClass, isFrameworkApp, isHandler } from './functions.ts';
import { expressKinds, isExpress, PLAIN_KINDS } from './kinds.ts';
import type { MessageKinds, NodeApp } from './node-app.ts';

const ACCEPTED =
  'a (req, res) function such as an Express app, a Koa, Fastify or Nest app, an http.Server that does not listen, or a function without parameters that makes one of these';

type Handle = (req: IncomingMessage, res: ServerResponse) => unknown;

interface FastifyLike {
  ready(): PromiseLike<unknown>;
  routing: Handle;
  server?: unknown;
}

interface KoaLike {
  callback(): Handle;
  use(middleware: unknown): unknown;
}

interface NestLike {
  init(): PromiseLike<unknown>;
  getHttpAdapter(): unknown;
}

interface NestAdapterLike {
  getInstance(): unknown;
  getHttpServer(): unknown;
}

/**
 * The app that `found` is, or makes; it is ready when this resolves.
 * @param place the reference, for messages
 * @throws {LoadError} and whatever its own code throws
 */
export async function recognize(found: unknown, place: string): Promise<NodeApp> {
  const app = await asObject(found, place);
  if (app !== null) return app;
  if (isThenable(found)) return recognize(await found, place);
  if (typeof found === 'function' && found.length === 0 && !isClass(found)) return fromFactory(found, place);
  throw new LoadError(
    `Cannot use ${place}: found ${describeFound(found)}, wanted ${ACCEPTED}${hintFor(found)}`,
  );
}

/** null: it is none of them. Fastify's instances are promises as well, so this comes before a wait. */
async function asObject(found: unknown, place: string): Promise<NodeApp | null> {
  if (found instanceof NetServer) return fromServer(found as Server, place);
  if (has<FastifyLike>(found, 'ready', 'routing')) return fromFastify(found);
  if (has<NestLike>(found, 'init', 'getHttpAdapter')) return fromNest(found, place);
  if (has<NestAdapterLike>(found, 'getInstance', 'getHttpServer')) return fromAdapter(found, place);
  if (has<KoaLike>(found, 'callback', 'use'))
    return { handle: found.callback(), server: null, kinds: PLAIN_KINDS };
  if (typeof found !== 'function' || isClass(found) || !(isFrameworkApp(found) || isHandler(found)))
    return null;
  return { handle: found as Handle, server: null, kinds: kindsFor(found) };
}

/** Whether it has all those methods; an app may be a function. */
function has<T>(found: unknown, ...methods: readonly (keyof T)[]): found is T {
  if (found === null || (typeof found !== 'object' && typeof found !== 'function')) return false;
  return methods.every((method) => typeof (found as Record<keyof T, unknown>)[method] === 'function');
}

const kindsFor = (app: unknown): MessageKinds => (isExpress(app) ? expressKinds(app) : PLAIN_KINDS);

function fromServer(server: Server, place: string): NodeApp {
  const listeners = server.listeners('request');
  if (server.listening) {
    throw new LoadError(
      `Cannot use ${place}: found a server that listens, wanted one that does not: leave out its listen(), requests come from viaduct`,
    );
  }
  if (listeners.length === 0) {
    throw new LoadError(
      `Cannot use ${place}: found a server without a listener for 'request', wanted one with it`,
    );
  }
  return {
    // Its listeners are called as a server calls them, so that whoever watches 'request' sees these too.
    handle: (req, res) => {
      server.emit('request', req, res);
    },
    server,
    kinds: kindsFor(listeners[0]),
  };
}

async function fromFastify(app: FastifyLike): Promise<NodeApp> {
  await app.ready();
  return {
    handle: (req, res) => app.routing(req, res),
    server: serverOf(app.server),
    kinds: PLAIN_KINDS,
  };
}

async function fromNest(app: NestLike, place: string): Promise<NodeApp> {
  await app.init();
  const adapter = app.getHttpAdapter();
  if (has<NestAdapterLike>(adapter, 'getInstance', 'getHttpServer')) return fromAdapter(adapter, place);
  throw new LoadError(
    `Cannot use ${place}: found a Nest app without an HTTP adapter, wanted one of NestFactory.create()`,
  );
}

async function fromAdapter(adapter: NestAdapterLike, place: string): Promise<NodeApp> {
  const app = await recognize(adapter.getInstance(), place);
  return { ...app, server: serverOf(adapter.getHttpServer()) };
}

const serverOf = (server: unknown): Server | null =>
  server instanceof EventEmitter && server instanceof NetServer ? (server as Server) : null;

async function fromFactory(factory: unknown, place: string): Promise<NodeApp> {
  const made: unknown = await (factory as () => unknown)();
  const app = await asObject(made, place);
  if (app !== null) return app;
  throw new LoadError(
    `Cannot use ${place}: the function without parameters, which is called once at boot, made ${describeFound(made)}, wanted ${ACCEPTED}${hintFor(made)}`,
  );
}
