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
    ['a compiled default export', { __esModule: true, default: fetchOf('compiled') }, 'compiled'],
    ['a function with fetch', Object.assign(() => 'not this', fetchOf('that')), 'that'],
  ];
  for (const [what, found, text] of taken) {
    it(what, async () => {
      const app = adaptFetch(found, './app.js');
      expect((await serve(app, makeEnviron({ REQUEST_URI: '/' }))).text).to.equal(text);
    });
  }
});

describe('adaptFetch() refuses', () => {
  const failure = (found: unknown): string => {
    try {
      adaptFetch(found, './app.js');
    } catch (error) {
      expect(error).to.be.instanceOf(LoadError);
      return (error as Error).message;
    }
    throw new Error('it was taken');
  };
  const NODE =
    /^Cannot use \.\/app\.js: found .+, wanted an object with fetch.+; it looks like (.+): set "interface: node"$/;
  const refused: readonly (readonly [what: string, found: unknown, said: RegExp])[] = [
    [
      'nothing',
      null,
      /^Cannot use \.\/app\.js: found null, wanted an object with fetch\(request, env, context\), such as a Hono app, a function \(request, env, context\), or a promise of one$/,
    ],
    ['a text', 'app', /found the string "app", wanted/],
    ['an object without fetch', { get: 1, post: 2 }, /found an object with keys get, post, wanted/],
    ['an empty object', {}, /found an object without keys, wanted/],
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
      /found a function of 2 parameters, .+; it looks like a gateway app by its parameters: set "interface: wsgi"$/,
    ],
    ['a class', WithState, /found a class WithState, .+; export an instance of it, or a function$/],
    ['a number', 5, /found 5, wanted/],
  ];
  for (const [what, found, said] of refused) {
    it(what, () => {
      expect(failure(found)).to.match(said);
    });
  }
});
