// What a file may export as a gateway app, and what is said of everything else.
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { expect } from 'chai';
import express from 'express';
import { fastify } from 'fastify';
import { Hono } from 'hono';
import { LoadError } from '../../../../src/apps/load-error.ts';
import { adaptWsgi } from '../../../../src/apps/wsgi/adapt.ts';
import type { Application, StartResponse } from '../../../../src/gateway/contract.ts';
import { makeEnviron } from '../../../helpers/mini-gateway.ts';

// It comes without types.
const Koa = createRequire(import.meta.url)('koa') as new () => object;

class App {
  readonly text = 'app';
}

const REFUSED: Readonly<Record<string, [found: unknown, message: RegExp]>> = {
  nothing: [
    null,
    /^Cannot use app\.js: found null, wanted a gateway application \(environ, startResponse\)$/,
  ],
  'a number': [5, /found 5, wanted/],
  'a class': [App, /found a class App, .*; export an instance of it, or a function$/],
  'an Express app': [express(), /; it looks like an Express app: set "interface: node"$/],
  'a router of Express': [express.Router(), /; it looks like a Connect app: set "interface: node"$/],
  'a Koa app': [new Koa(), /; it looks like a Koa app: set "interface: node"$/],
  'a Fastify app': [fastify(), /; it looks like a Fastify app: set "interface: node"$/],
  'a Nest app': [
    { init: () => undefined, getHttpAdapter: () => undefined },
    /; it looks like a Nest app: set "interface: node"$/,
  ],
  'an http.Server': [createServer(), /; it looks like an http\.Server: set "interface: node"$/],
  'a Hono app': [new Hono(), /; it looks like an app with fetch\(\): set "interface: fetch"$/],
};

describe('apps/wsgi/adapt', () => {
  for (const [what, [found, message]] of Object.entries(REFUSED)) {
    it(`refuses ${what}`, () => {
      expect(() => adaptWsgi(found, 'app.js')).to.throw(LoadError, message);
    });
  }

  it('takes a function as it is', () => {
    const app = (_environ: unknown, startResponse: StartResponse) => (startResponse('200 OK', []), []);
    expect(adaptWsgi(app, 'app.js')).to.equal(app);
  });

  const startResponse: StartResponse = () => () => Promise.resolve();
  const run = async (app: unknown): Promise<unknown> => {
    const adapted: Application = adaptWsgi(app, 'app.js');
    return adapted(makeEnviron({}), startResponse);
  };
  const failureOf = (app: unknown): Promise<Error> =>
    run(app).then(
      () => new Error('it did not fail'),
      (error: unknown) => error as Error,
    );
  interface Res {
    setHeader(name: string, value: string): void;
  }
  const HINT = 'app.js looks like a (req, res) function: set "interface: node" on its mount';

  it('says what may be wrong when a (req, res) function fails by its types', async () => {
    const failures = {
      'at once': (_req: unknown, res: Res) => res.setHeader('X', 'y'),
      later: async (_req: unknown, res: Res) => Promise.resolve(res.setHeader('X', 'y')),
    };
    for (const app of Object.values(failures)) {
      const error = await failureOf(app);
      expect(error).to.be.instanceOf(TypeError);
      expect(error.message).to.equal(`res.setHeader is not a function; ${HINT}`);
      expect(error.cause).to.be.instanceOf(TypeError);
    }
  });

  it('leaves such a function alone that is a gateway app, and its other errors', async () => {
    const body = [Buffer.from('x')];
    expect(await run((_req: unknown, res: StartResponse) => (res('200 OK', []), body))).to.equal(body);
    const own = new RangeError('own');
    const throws = (_req: unknown, _res: unknown): never => {
      throw own;
    };
    expect(await failureOf(throws)).to.equal(own);
  });
});
