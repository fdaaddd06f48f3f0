// Output of an application that answers while it still reads: nginx stops sending the request body once it has seen a
// response header, so what is sent meanwhile waits for the body, within bounds.
/* oxlint-disable unicorn/consistent-function-scoping -- an application stands beside what is expected of it */
import { expect } from 'chai';
import type { Application } from '../../../src/gateway/contract.ts';
import { FakeBody, type FakeExchange } from '../../helpers/fake-exchange.ts';
import { answering, type Stage, stageFor, texts, WatchedSyncBody } from '../../helpers/fake-gateway.ts';
import { bytes } from '../../helpers/mini-gateway.ts';
import { waitFor } from '../../helpers/wait.ts';

interface Echo {
  stage: Stage;
  body: FakeBody;
  exchange: FakeExchange;
}

/** Reads two bytes, answers them, reads the rest, answers that. */
const echo: Application = async function* (environ, start) {
  start('200 OK', []);
  yield await environ['wsgi.input'].read(2);
  yield await environ['wsgi.input'].read();
};

async function startEcho(app: Application = echo, halfDuplex = true): Promise<Echo> {
  const stage = stageFor(app);
  const body = new FakeBody(6).push('ab');
  const exchange = stage.handle({ body, halfDuplex });
  await waitFor(() => body.awaited, { what: 'the second read' });
  return { stage, body, exchange };
}

describe('a response that begins before the request body is read', () => {
  it('waits for the body where the peer would stop sending it', async () => {
    const { stage, body, exchange } = await startEcho();
    expect(exchange.wire).to.deep.equal([]);
    body.push('cdef').end();
    await stage.settled();
    expect(exchange.wire).to.deep.equal(['head 200 OK', 'write ab', 'write cdef', 'end']);
  });

  it('goes out at once where the peer sends on', async () => {
    const { stage, body, exchange } = await startEcho(echo, false);
    expect(exchange.wire).to.deep.equal(['head 200 OK', 'write ab']);
    body.push('cdef').end();
    await stage.settled();
  });

  it('goes out at once where the body is here, or the application never reads it', async () => {
    const stage = stageFor(answering(new WatchedSyncBody('a', 'b')));
    const unread = stage.handle({ body: new FakeBody(3), halfDuplex: true, blocked: true });
    expect(unread.wire).to.deep.equal(['head 200 OK', 'write a']);
    unread.drain();
    await stage.settled();
    const reading = stageFor(echo);
    const complete = reading.handle({ body: 'abcdef', halfDuplex: true });
    await reading.settled();
    expect(complete.wire).to.deep.equal(['head 200 OK', 'write ab', 'write cdef', 'end']);
  });

  it('goes out whole where the response ends before the body', async () => {
    const app: Application = async (environ, start) => {
      const write = start('200 OK', []);
      await write(await environ['wsgi.input'].read(2));
      return texts('x', 'y');
    };
    const stage = stageFor(app);
    const exchange = stage.handle({ body: new FakeBody(6).push('ab'), halfDuplex: true });
    await stage.settled();
    expect(exchange.wire).to.deep.equal(['head 200 OK', 'end ab|x|y']);
    expect(stage.events.requests[0]?.bytesOut).to.equal(4);
  });

  it('waits with no more than 64 KiB', async () => {
    const big = 'x'.repeat(40_000);
    const written: number[] = [];
    const app: Application = async (environ, start) => {
      const write = start('200 OK', []);
      await environ['wsgi.input'].read(2);
      for (let round = 0; round < 3; round += 1) {
        await write(bytes(big));
        written.push(exchange.sent.length);
      }
      return [await environ['wsgi.input'].read()];
    };
    const stage = stageFor(app);
    const body = new FakeBody(6).push('ab');
    const exchange = stage.handle({ body, halfDuplex: true, blocked: true });
    await waitFor(() => exchange.waiting === 1, { what: 'write() to wait' });
    expect([written, exchange.sent.length]).to.deep.equal([[0], 80_000]);
    exchange.drain();
    await waitFor(() => body.awaited, { what: 'the second read' });
    expect(written).to.deep.equal([0, 80_000, 120_000]);
    body.push('cdef').end();
    await stage.settled();
    expect(exchange.sent).to.equal(`${big}${big}${big}cdef`);
  });

  it('feels back-pressure once it goes out', async () => {
    const app: Application = async (environ, start) => {
      const write = start('200 OK', []);
      await write(await environ['wsgi.input'].read(2));
      await write(await environ['wsgi.input'].read());
      return [];
    };
    const { stage, body, exchange } = await startEcho(app);
    exchange.block();
    body.push('cdef').end();
    await waitFor(() => exchange.waiting === 1, { what: 'write() to wait' });
    exchange.drain();
    await stage.settled();
    expect(exchange.sent).to.equal('abcdef');
  });

  it('is dropped with the request where the client leaves', async () => {
    const { stage, exchange } = await startEcho();
    exchange.leave();
    await stage.settled();
    expect(exchange.wire).to.deep.equal(['gone']);
  });

  it('answers an error page when the application fails while its output waits', async () => {
    const { stage, body, exchange } = await startEcho(async function* (environ, start) {
      start('200 OK', []);
      yield await environ['wsgi.input'].read(2);
      await environ['wsgi.input'].read(2);
      throw new Error('broken');
    });
    body.push('cd');
    await stage.settled();
    expect(exchange.wire[0]).to.equal('head 500 Internal Server Error');
    expect(exchange.wire).to.have.length(2);
  });

  it('holds back headers that write() of nothing would flush', async () => {
    const { stage, body, exchange } = await startEcho(async (environ, start) => {
      const part = await environ['wsgi.input'].read(2);
      const write = start('200 OK', []);
      await write(new Uint8Array(0));
      await environ['wsgi.input'].read();
      return [part];
    });
    expect(exchange.wire).to.deep.equal([]);
    body.push('cdef').end();
    await stage.settled();
    expect(exchange.wire[0]).to.equal('head 200 OK');
  });
});
