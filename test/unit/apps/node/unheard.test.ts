// A response that nobody listens to is over when its handler returns; with a listener it is over a tick later.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { expect } from 'chai';
import Fastify from 'fastify';
import { nodeApplication } from '../../../../src/apps/node/application.ts';
import { recognize } from '../../../../src/apps/node/recognize.ts';
import { runApp } from '../../../helpers/node-app.ts';

/** Whether the response was closed by the time the adapter had returned. */
async function closedAtOnce(app: unknown): Promise<boolean> {
  const recognized = await recognize(app, 'app');
  let res: ServerResponse | undefined;
  const run = nodeApplication({
    ...recognized,
    handle: (req, response) => recognized.handle(req, (res = response)),
  });
  let closed: boolean | undefined;
  await runApp(
    (environ, startResponse) => {
      const body = run(environ, startResponse);
      closed = res?.destroyed;
      return body;
    },
    { path: '/' },
  );
  if (closed === undefined) throw new Error('Cannot tell: the handler did not run');
  return closed;
}

const NOBODY: Readonly<Record<string, (res: ServerResponse) => unknown>> = {
  'end() with all of it': (res) => res.end('x'),
  'end() with nothing': (res) => res.end(),
  'a head, and end()': (res) => res.writeHead(200, { 'Content-Length': 1 }).end('x'),
  'write(), and end()': (res) => [res.write('x'), res.end('y')],
};
const SOMEBODY: Readonly<Record<string, (res: ServerResponse) => unknown>> = {
  'a callback of end()': (res) => res.end('x', () => undefined),
  'a callback of write()': (res) => [res.write('x', () => undefined), res.end()],
  "'finish'": (res) => res.on('finish', () => undefined).end(),
  "'close'": (res) => res.on('close', () => undefined).end(),
  "'error'": (res) => res.on('error', () => undefined).end(),
  "'close' of the request": (res) => [res.req.on('close', () => undefined), res.end()],
  "'close' of the connection": (res) => [res.req.socket.on('close', () => undefined), res.end()],
};

describe('apps/node: a response that nobody listens to', () => {
  for (const [name, answer] of Object.entries(NOBODY)) {
    it(`is over at once: ${name}`, async () => {
      expect(await closedAtOnce((_req: IncomingMessage, res: ServerResponse) => answer(res))).to.equal(true);
    });
  }
  for (const [name, answer] of Object.entries(SOMEBODY)) {
    it(`is not, with ${name}`, async () => {
      expect(await closedAtOnce((_req: IncomingMessage, res: ServerResponse) => answer(res))).to.equal(false);
    });
  }

  it('is what a route of Fastify sends', async () => {
    const app = Fastify();
    app.get('/', (_request, reply) => reply.send('x'));
    expect(await closedAtOnce(app)).to.equal(true);
  });
});
