// What a file may export to be mounted as a fetch app, and what is said of everything else.
import { expect } from 'chai';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import express from 'express';
import { fastify } from 'fastify';
import { Hono } from 'hono';
import { adaptFetch } from '../../../../src/apps/fetch/adapt.ts';
import { LoadError } from '../../../../src/apps/load-error.ts';
import { makeEnviron, serve } from '../../../helpers/mini-gateway.ts';

// It comes without types.
const Koa = createRequire(import.meta.url)('koa') as new () => object;

const fetchOf = (text: string) => ({ fetch: () => new Response(text) });

class WithState {
  readonly text = 'state';
  fetch(): Response {
    return new Response(this.text);
  }
}

describe('adaptFetch() takes', () => {
  const hono = new Hono().get('*', (context) => context.text('hono'));
  const taken: readonly (readonly [what: string, found: unknown, text: string])[] = [
    ['an object with fetch', fetchOf('object'), 'object'],
    ['a Hono app', hono, 'hono'],
    ['a function', () => new Response('function'), 'function'],
    ['an async function', async () => Promise.resolve(new Response('async')), 'async'],
    ['a function of request, env and context', (request: Request) => new Response(request.method), 'GET'],
    ['an object that needs its this', new WithState(), 'state'],
    ['a promise of an app', Promise.resolve(fetchOf('promise')), 'promise'],
    ['a promise of a function', Promise.resolve(() => new Response('promise')), 'promise'],
    ['a compiled default export', { __esModule: true, default: fetchOf('compiled') }, 'compiled'],
    ['a function with fetch', Object.assign(() => 'not this', fetchOf('that')), 'that'],
  ];
  for (const [what, found, text] of taken) {
    it(what, async () => {
      const app = await adaptFetch(found, './app.js', 1000);
      expect((await serve(app, makeEnviron({ REQUEST_URI: '/' }))).text).to.equal(text);
    });
  }
});

describe('adaptFetch() refuses', () => {
  const failure = async (found: unknown, timeout = 1000): Promise<string> => {
    try {
      await adaptFetch(found, './app.js', timeout);
    } catch (error) {
      expect(error).to.be.instanceOf(LoadError);
      return (error as Error).message;
    }
    throw new Error('it was taken');
  };
  const NODE = /^Cannot use \.\/app\.js: found .+, wanted an object with fetch.+: use interface: node$/;
  const refused: readonly (readonly [what: string, found: unknown, said: RegExp])[] = [
    [
      'nothing',
      null,
      /^Cannot use \.\/app\.js: found null, wanted an object with fetch\(request, env, context\), such as a Hono app, a function \(request, env, context\), or a promise of one$/,
    ],
    ['a text', 'app', /found string, wanted/],
    ['an object without fetch', { get: 1, post: 2 }, /found an object with get, post, wanted/],
    ['an empty object', {}, /found an object without members, wanted/],
    ['an Express app', express(), NODE],
    ['a Koa app', new Koa(), NODE],
    ['a Fastify instance', fastify(), NODE],
    ['a server of node:http', createServer(), NODE],
    ['a listener of node:http', (_req: unknown, res: { end(): void }) => res.end(), NODE],
    [
      'a gateway app',
      function application(environ: unknown, startResponse: unknown) {
        return [environ, startResponse];
      },
      /found function application, .+: use interface: wsgi$/,
    ],
    ['a class', WithState, /found function WithState, .+; this is a class: export an instance of it$/],
    ['a promise of nothing', Promise.resolve(5), /found number, wanted/],
  ];
  for (const [what, found, said] of refused) {
    it(what, async () => {
      expect(await failure(found)).to.match(said);
    });
  }

  it('a promise that fails, or is not kept in time', async () => {
    expect(await failure(Promise.reject(new Error('no database')))).to.equal(
      'Cannot use ./app.js: the promise of an app failed: no database',
    );
    expect(await failure(new Promise(() => undefined), 20)).to.equal(
      'Cannot use ./app.js: the promise of an app was not kept within 20 ms (timeouts.boot)',
    );
  });
});
