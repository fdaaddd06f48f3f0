// From what a file exports to an app that can be called: the frameworks by the methods they are known for, functions by
// their parameters.
import type { Server } from 'node:http';
import { unusable } from '../found.ts';
import {
  type FastifyLike,
  type Handle,
  isConnect,
  isExpress,
  isFastify,
  isKoa,
  isNest,
  isNestAdapter,
  isServer,
  type NestAdapterLike,
  type NestLike,
} from '../frameworks.ts';
import { isClass, isGatewayApp, isPlugin } from '../functions.ts';
import { LoadError } from '../load-error.ts';
import { expressKinds, PLAIN_KINDS } from './kinds.ts';
import type { MessageKinds, NodeApp } from './node-app.ts';

const ACCEPTED =
  'a (req, res) function such as an Express app, a Koa, Fastify or Nest app, an http.Server that does not listen, or a function without parameters that makes one of these';

/**
 * The app that `found` is, or makes; it is ready when this resolves.
 * @param place the reference, for messages
 * @throws {LoadError} and whatever its own code throws
 */
export async function recognize(found: unknown, place: string): Promise<NodeApp> {
  const app = await asObject(found, place);
  if (app !== null) return app;
  if (typeof found === 'function' && found.length === 0 && !isClass(found)) return fromFactory(found, place);
  throw unusable(found, { place, wanted: ACCEPTED, kind: 'node' });
}

/** null: it is none of them. */
async function asObject(found: unknown, place: string): Promise<NodeApp | null> {
  if (isServer(found)) return fromServer(found, place);
  if (isFastify(found)) return fromFastify(found);
  if (isNest(found)) return fromNest(found, place);
  if (isNestAdapter(found)) return fromAdapter(found, place);
  if (isKoa(found)) return { handle: found.callback(), server: null, kinds: PLAIN_KINDS };
  if (isExpress(found) || isConnect(found) || isHandler(found))
    return { handle: found as Handle, server: null, kinds: kindsFor(found) };
  return null;
}

/** A gateway app and a Fastify plugin have two parameters as well; those give themselves away by their names. */
const isHandler = (found: unknown): boolean =>
  typeof found === 'function' &&
  !isClass(found) &&
  (found.length === 2 || found.length === 3) &&
  !isGatewayApp(found) &&
  !isPlugin(found);

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
  if (isNestAdapter(adapter)) return fromAdapter(adapter, place);
  throw new LoadError(
    `Cannot use ${place}: found a Nest app without an HTTP adapter, wanted one of NestFactory.create()`,
  );
}

async function fromAdapter(adapter: NestAdapterLike, place: string): Promise<NodeApp> {
  const app = await recognize(adapter.getInstance(), place);
  return { ...app, server: serverOf(adapter.getHttpServer()) };
}

const serverOf = (server: unknown): Server | null => (isServer(server) ? server : null);

async function fromFactory(factory: unknown, place: string): Promise<NodeApp> {
  const made: unknown = await (factory as () => unknown)();
  const app = await asObject(made, place);
  if (app !== null) return app;
  throw unusable(made, {
    place,
    wanted: ACCEPTED,
    kind: 'node',
    made: 'the function without parameters, which is called once at boot,',
  });
}
