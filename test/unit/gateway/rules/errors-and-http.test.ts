// PEP 3333, "Error Handling", "HTTP 1.1 Expect/Continue", "Other HTTP Features" and "Thread Support".
/* oxlint-disable unicorn/consistent-function-scoping -- an application stands beside what is expected of it */
import { expect } from 'chai';
import type { Application } from '../../../../src/gateway/contract.ts';
import {
  answering,
  environFor,
  run,
  stageFor,
  texts,
  WatchedBody,
  WatchedSyncBody,
} from '../../../helpers/fake-gateway.ts';

const boom = (): never => {
  throw new Error('boom');
};

describe('PEP 3333, errors and HTTP', () => {
  it('rule 49: an exception of the application is caught, logged and answered with 500', async () => {
    const apps: Application[] = [boom, async () => boom(), answering(new WatchedBody(boom))];
    for (const app of [...apps, answering(new WatchedSyncBody('', boom))]) {
      const { exchange, events } = await run(app, { params: ['HTTP_X_REQUEST_ID', 'r-1'] });
      expect(events.codes).to.deep.equal(['boom']);
      expect(exchange.status).to.equal('500 Internal Server Error');
      expect(exchange.sent).to.equal('500 Internal Server Error\n\nRequest id: r-1\n');
      expect(exchange.headers).to.deep.equal([
        ['Content-Type', 'text/plain; charset=utf-8'],
        ['Cache-Control', 'no-store'],
        ['Content-Length', '43'],
      ]);
    }
  });

  it("rule 49: the error page keeps none of the application's headers, and to HEAD has no body", async () => {
    const app: Application = (_environ, start) => {
      start('200 OK', [['Set-Cookie', 'a=b']]);
      return boom();
    };
    const { exchange, events } = await run(app, { method: 'HEAD' });
    expect(events.requests[0]?.bytesOut).to.equal(0);
    expect(exchange.header('set-cookie')).to.equal(undefined);
    expect([exchange.wire, exchange.header('content-length')?.length]).to.deep.equal([
      ['head 500 Internal Server Error', 'end'],
      2,
    ]);
  });

  it('rule 49: whatever is thrown is caught, no Error needed', async () => {
    for (const thrown of [null, undefined, 0, 'text', {}, Symbol('s')]) {
      const app: Application = () => {
        throw thrown;
      };
      const { exchange, events } = await run(app);
      expect([exchange.status, events.errors]).to.deep.equal(['500 Internal Server Error', [thrown]]);
    }
  });

  it('rule 49: a failure after the headers cuts the response off, without a note in it', async () => {
    for (const body of [new WatchedBody('abc', boom), new WatchedSyncBody('abc', boom)]) {
      const { exchange, events } = await run(answering(body));
      expect(exchange.wire).to.deep.equal(['head 200 OK', 'write abc', 'abort app_error']);
      expect(events.requests[0]?.status).to.equal(200);
      expect(events.requests[0]?.aborted).to.equal('sending');
    }
  });

  it('rule 50: Expect: 100-continue needs nothing of the application (the web server answers it)', async () => {
    const app: Application = async (environ, start) =>
      answering([await environ['wsgi.input'].read()])(environ, start);
    const { exchange } = await run(app, { body: 'abc', params: ['HTTP_EXPECT', '100-continue'] });
    expect(exchange.wire).to.deep.equal(['head 200 OK', 'end abc']);
  });

  it('rule 51: inbound transfer coding is undone before the application sees it', async () => {
    const environ = await environFor({ params: ['HTTP_TRANSFER_ENCODING', 'chunked'] });
    expect(environ).to.not.have.any.keys('HTTP_TRANSFER_ENCODING');
    expect(environ['wsgi.input_terminated']).to.equal(true);
  });

  it('rule 52: changes nothing that has a meaning: order, case and repeats of headers, status and bytes', async () => {
    const headers: [string, string][] = [
      ['set-COOKIE', 'a=1'],
      ['Set-Cookie', 'b=2'],
      ['ETag', '"x"'],
      ['Content-Length', '2'],
      ['Content-Encoding', 'gzip'],
    ];
    const { exchange } = await run(answering(texts('\x1f\x8b'), headers, '206 Partial'));
    expect([exchange.status, exchange.headers, exchange.sent]).to.deep.equal([
      '206 Partial',
      headers,
      '\x1f\x8b',
    ]);
  });

  it('rule 53: an application that cannot run twice at once is given one request at a time', async () => {
    let running = 0;
    let most = 0;
    const app: Application = async (environ, start) => {
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
      return answering(texts('x'))(environ, start);
    };
    for (const [requests, wanted] of [
      [1, 1],
      [3, 3],
    ] as const) {
      most = 0;
      const stage = stageFor(app, { requests });
      const exchanges = [1, 2, 3].map(() => stage.handle());
      await stage.settled();
      expect(most).to.equal(wanted);
      expect(exchanges.map(({ sent }) => sent)).to.deep.equal(['x', 'x', 'x']);
    }
  });
});
