// What a file may export for interface: node, and what is said of everything else.
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { expect } from 'chai';
import express from 'express';
import Fastify from 'fastify';
import { adaptNode } from '../../../../src/apps/node/adapt.ts';
import { recognize } from '../../../../src/apps/node/recognize.ts';
import type { Application } from '../../../../src/gateway/contract.ts';
import { runApp } from '../../../helpers/node-app.ts';

const handler: RequestListener = (_req, res) => void res.end('hello');
const expressApp = (): express.Express => express().use((_req, res) => void res.send('hello'));
/** Koa brings no types. */
interface KoaModule {
  default: new () => { use(middleware: (ctx: { body: string }) => void): unknown };
}
const koa = 'koa';
const { default: Koa } = (await import(koa)) as KoaModule;
const koaApp = (): unknown => new Koa().use((ctx) => void (ctx.body = 'hello'));
const fastifyApp = (): unknown => Fastify().get('/', () => 'hello');
const adapter = { getInstance: expressApp, getHttpServer: () => createServer() };

const ACCEPTED: Readonly<Record<string, () => unknown>> = {
  'a (req, res) function': () => handler,
  'an async (req, res) function': () => async (_req: never, res: { end(text: string): void }) =>
    res.end('hello'),
  'an Express app': expressApp,
  'a Koa app': koaApp,
  'a Fastify instance': fastifyApp,
  'a Nest app': () => ({ init: () => Promise.resolve(), getHttpAdapter: () => adapter }),
  'an HTTP adapter of Nest': () => adapter,
  'an http.Server': () => createServer(handler),
  'a factory': () => () => handler,
  'an async factory': () => async () => fastifyApp(),
};

const REFUSED: Readonly<Record<string, [found: unknown, message: RegExp]>> = {
  'a class': [
    class Site {
      name = 'site';
    },
    /found a class Site, wanted a \(req, res\) function.*; export an instance of it/,
  ],
  'a string': ['app', /found the string "app"/],
  nothing: [null, /found null/],
  'an object': [{ a: 1, b: 2 }, /found an object with keys a, b, wanted/],
  'an empty object': [{}, /found an object without keys/],
  'a list': [[handler], /found an array/],
  'a fetch app': [{ fetch: () => new Response() }, /found an object with key fetch.*interface: fetch/],
  'a fetch handler': [
    (_request: unknown) => new Response(),
    /found a function of 1 parameter,.*interface: fetch/,
  ],
  'a gateway app': [
    (environ: unknown, startResponse: unknown) => [environ, startResponse],
    /found a function of 2 parameters.*interface: wsgi/,
  ],
  'a handler of errors': [
    (_error: unknown, _req: unknown, _res: unknown, _next: unknown) => undefined,
    /found a function of 4 parameters.*a handler of errors is no app on its own/,
  ],
  'a Fastify plugin': [
    async (fastify: unknown, opts: unknown) => [fastify, opts],
    /looks like a Fastify plugin/,
  ],
  'a factory of nothing': [
    () => undefined,
    /the function without parameters, which is called once at boot, made undefined/,
  ],
  'a factory of nothing good': [() => ({ a: 1 }), /made an object with key a, wanted/],
  'a server without an app': [createServer(), /found a server without a listener for 'request'/],
  'a factory that fails': [
    () => Promise.reject(new Error('no database')),
    /^Cannot boot app\.js: no database$/,
  ],
};

const answer = async (app: Application): Promise<string> => (await runApp(app)).text;

describe('apps/node/adapt', () => {
  for (const [what, make] of Object.entries(ACCEPTED)) {
    it(`takes ${what}`, async () => {
      expect(await answer(await adaptNode(make(), 'app.js', 5000))).to.equal('hello');
    });
  }

  for (const [what, [found, message]] of Object.entries(REFUSED)) {
    it(`refuses ${what}`, async () => {
      const error = await adaptNode(found, 'app.js', 5000).then(
        () => null,
        (reason: Error) => reason,
      );
      expect(error).to.include({ name: 'LoadError' });
      expect(error?.message).to.match(message);
    });
  }

  it('refuses a server that listens, and says what to leave out', async () => {
    const server = createServer(handler).listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      const error = (await adaptNode(server, 'app.js', 5000).catch((reason: unknown) => reason)) as Error;
      expect(error.message).to.match(/found a server that listens.*leave out its listen\(\)/);
    } finally {
      server.close();
    }
  });

  it('gives up on an app that is not ready in time', async () => {
    const never = async (): Promise<never> => new Promise(() => undefined);
    const error = (await adaptNode(never, 'app.js', 20).catch((reason: unknown) => reason)) as Error;
    expect(error.message).to.equal('Cannot boot app.js: it did not finish within 20 ms (timeouts.boot)');
  });

  it('knows the server of an app that has one', async () => {
    const server = createServer(handler);
    expect((await recognize(server, 'app.js')).server).to.equal(server);
    const fastify = Fastify();
    expect((await recognize(fastify, 'app.js')).server).to.equal(fastify.server);
    expect((await recognize(handler, 'app.js')).server).to.equal(null);
  });
});
