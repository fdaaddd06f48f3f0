// The examples for Node frameworks as their folders have them, each with its own viaduct.yaml and nginx.conf.
import { expect } from 'chai';
import { startExample, type Example } from '../../helpers/example.ts';
import type { CallOptions, HttpResponse } from '../../helpers/http-client.ts';

type Ask = (options: CallOptions) => Promise<HttpResponse>;
interface Row {
  readonly name: string;
  readonly does: string;
  check(ask: Ask): Promise<void>;
}

const post = (path: string, type: string, body: string): CallOptions => ({
  method: 'POST',
  path,
  headers: [['Content-Type', type]],
  body,
});

const EXAMPLES: readonly Row[] = [
  {
    name: 'express',
    does: 'shows a form, greets, and knows the client',
    async check(ask) {
      expect((await ask({ path: '/' })).text).to.include('action="/greet"');
      const greeted = await ask(post('/greet', 'application/x-www-form-urlencoded', 'name=Zo%C3%AB'));
      expect(greeted.text).to.equal('Hello, Zoë!\n');
      expect(JSON.parse((await ask({ path: '/me?x' })).text)).to.deep.equal({
        address: '127.0.0.1',
        protocol: 'http',
        url: '/me?x',
      });
    },
  },
  {
    name: 'fastify',
    does: 'adds up, and refuses what its schema does not allow',
    async check(ask) {
      expect((await ask({ path: '/' })).text).to.equal('{"hello":"from Fastify"}');
      expect((await ask(post('/sum', 'application/json', '[1,2,3.5]'))).text).to.equal('{"sum":6.5}');
      expect((await ask(post('/sum', 'application/json', '["x"]'))).status).to.equal(400);
    },
  },
];

describe('the examples for Node frameworks', () => {
  for (const row of EXAMPLES) {
    describe(row.name, () => {
      let example: Example;

      before(async () => {
        example = await startExample(row.name);
      });
      after(() => example?.stop());

      it(row.does, async () => {
        await row.check(({ path, ...options }) => example.ask(path ?? '/', options));
        expect(example.daemon.log().filter(({ level }) => level === 'error')).to.deep.equal([]);
      });
    });
  }
});
