// The apps of known frameworks, by the methods they are known for.
import { IncomingMessage, type Server, ServerResponse } from 'node:http';
import { Server as NetServer } from 'node:net';
import type { FetchHandler } from './fetch/application.ts';

export type Handle = (req: IncomingMessage, res: ServerResponse) => unknown;

/** Express 4 and 5: a function with the prototypes of its req and res. */
export interface ExpressLike {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

export interface FastifyLike {
  ready(): PromiseLike<unknown>;
  routing: Handle;
  server?: unknown;
}

export interface KoaLike {
  callback(): Handle;
  use(middleware: unknown): unknown;
}

export interface NestLike {
  init(): PromiseLike<unknown>;
  getHttpAdapter(): unknown;
}

export interface NestAdapterLike {
  getInstance(): unknown;
  getHttpServer(): unknown;
}

export const isServer = (found: unknown): found is Server => found instanceof NetServer;
export const isFastify = (found: unknown): found is FastifyLike =>
  has<FastifyLike>(found, 'ready', 'routing');
export const isKoa = (found: unknown): found is KoaLike => has<KoaLike>(found, 'callback', 'use');
export const isNest = (found: unknown): found is NestLike => has<NestLike>(found, 'init', 'getHttpAdapter');
export const isNestAdapter = (found: unknown): found is NestAdapterLike =>
  has<NestAdapterLike>(found, 'getInstance', 'getHttpServer');

export function isExpress(found: unknown): found is ExpressLike {
  if (typeof found !== 'function') return false;
  const { request, response } = found as { request?: unknown; response?: unknown };
  return request instanceof IncomingMessage && response instanceof ServerResponse;
}

/** Connect, and routers of Express: functions with handle(), whose own parameters say nothing. */
export const isConnect = (found: unknown): found is Handle =>
  typeof found === 'function' && has<{ handle: Handle }>(found, 'handle');

export const hasFetch = (found: unknown): found is { fetch: FetchHandler } =>
  has<{ fetch: FetchHandler }>(found, 'fetch');

const NODE_APPS: readonly (readonly [what: string, is: (found: unknown) => boolean])[] = [
  ['an http.Server', isServer],
  ['a Fastify app', isFastify],
  ['a Nest app', (found) => isNest(found) || isNestAdapter(found)],
  ['a Koa app', isKoa],
  ['an Express app', isExpress],
  ['a Connect app', isConnect],
];

/** "an Express app"; null: none that runs on node:http, or none that is known. */
export const nodeFramework = (found: unknown): string | null =>
  NODE_APPS.find(([, is]) => is(found))?.[0] ?? null;

/** Whether it has all those methods; an app may be a function. */
function has<T>(found: unknown, ...methods: readonly (keyof T)[]): found is T {
  if (found === null || (typeof found !== 'object' && typeof found !== 'function')) return false;
  return methods.every((method) => typeof (found as Record<keyof T, unknown>)[method] === 'function');
}
