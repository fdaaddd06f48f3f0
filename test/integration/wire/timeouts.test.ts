// Every deadline of a connection, with values so small that a test can wait for them.
import { expect } from 'chai';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Application } from '../../../src/gateway/contract.ts';
import { fcgiBegin, fcgiPairs, fcgiRecord, FcgiType } from '../../helpers/bytes.ts';
import {
  ALL_DIALECTS,
  type Answer,
  ask,
  CGI_DIALECTS,
  type Dialect,
  DIALECTS,
  readEnd,
  readFcgi,
} from '../../helpers/dialects.ts';
import type { Peer } from '../../helpers/peer.ts';
import { waitFor } from '../../helpers/wait.ts';
import { startWorker, type TestWorker, type WorkerSetup } from '../../helpers/worker.ts';
import { echo, Gate, hello } from './apps.ts';

const { fastcgi } = DIALECTS;
/** Milliseconds; a deadline is looked after every 100 ms. */
const SHORT = 150;

const whole = (dialect: Dialect, peer: Peer): Promise<Answer> =>
  peer.until('the answer', (all) => {
    const found = dialect.answer(all, peer.over);
    return found?.whole === true ? found : null;
  });

describe('wire: timeouts', () => {
  let worker: TestWorker;
  let gate: Gate;

  beforeEach(() => {
    gate = new Gate();
  });
  afterEach(async () => {
    await worker.stop();
    await worker.quiet();
  });

  async function start(dialect: Dialect, app: Application, setup: Partial<WorkerSetup> = {}): Promise<Peer> {
    worker = await startWorker({
      listeners: [{ protocol: dialect.protocol }],
      mounts: [{ app }],
      ...setup,
    });
    return worker.connect();
  }

  describe('params', () => {
    for (const dialect of CGI_DIALECTS) {
      it(`closes on a ${dialect.protocol} peer that sends a byte now and then`, async () => {
        const peer = await start(dialect, hello, { timeouts: { params: SHORT } });
        const startedAt = performance.now();
        for (const byte of ask(dialect)) {
          if (peer.over) break;
          peer.send(Buffer.of(byte));
          await sleep(40);
        }
        expect((await peer.whole()).length).to.equal(0);
        expect(performance.now() - startedAt).to.be.within(SHORT, 1000);
        expect(worker.protocolErrors).to.deep.equal({ [`${dialect.protocol} params_timeout`]: 1 });
        expect(worker.requests.length).to.equal(0);
      });
    }

    it('does not count for the application, however long it takes', async () => {
      const peer = await start(fastcgi, gate.app, { timeouts: { params: SHORT, idle: SHORT } });
      peer.send(ask(fastcgi));
      await waitFor(() => gate.calls.length === 1, { what: 'the application to run' });
      await sleep(400);
      gate.release();
      await whole(fastcgi, peer);
    });

    it('does not count for a GET_VALUES that came in pieces', async () => {
      const peer = await start(fastcgi, hello, { timeouts: { params: SHORT } });
      await peer.trickle(fcgiRecord(FcgiType.GET_VALUES, 0, fcgiPairs(['FCGI_MPXS_CONNS', ''])));
      await peer.until('the values', (all) => all.includes('FCGI_MPXS_CONNS'));
      expect(worker.connections).to.include({ idle: 1 });
      await sleep(400);
      expect(peer.over).to.equal(false);
      peer.send(ask(fastcgi));
      await peer.until('the answer', (all) => readEnd(all));
    });

    it('counts for each FastCGI request of a connection: others go on', async () => {
      const peer = await start(fastcgi, gate.app, { timeouts: { params: SHORT } });
      peer.send(ask(fastcgi, '', { id: 1 }));
      peer.send(fcgiBegin(2, { keepConn: true }));
      await peer.until('request 2', (all) => readEnd(all, 2));
      expect(readFcgi(peer.received, 2)?.status).to.equal(408);
      expect(worker.protocolErrors).to.deep.equal({ 'fastcgi params_timeout': 1 });
      expect(gate.aborted).to.equal(0);
      gate.release();
      await peer.until('request 1', (all) => readEnd(all, 1));
      expect(readFcgi(peer.received, 1)?.status).to.equal(200);
      expect(peer.over).to.equal(false);
    });
  });

  describe('idle', () => {
    for (const dialect of CGI_DIALECTS) {
      it(`closes a ${dialect.protocol} connection that never had a request`, async () => {
        const peer = await start(dialect, hello, { timeouts: { idle: SHORT } });
        expect((await peer.whole()).length).to.equal(0);
        expect(peer.errorCode).to.equal(null);
        expect(worker.protocolErrors).to.deep.equal({});
      });
    }

    it('closes a FastCGI connection some time after its last request', async () => {
      const peer = await start(fastcgi, hello, { timeouts: { idle: 300 } });
      for (let round = 0; round < 4; round++) {
        await sleep(150);
        peer.send(ask(fastcgi, '', { id: round + 1 }));
        await peer.until('the answer', (all) => readEnd(all, round + 1));
      }
      const answeredAt = performance.now();
      await peer.whole();
      expect(performance.now() - answeredAt).to.be.within(150, 1000);
    });
  });

  describe('body', () => {
    for (const dialect of ALL_DIALECTS) {
      it(`answers 408 over ${dialect.protocol} where the application does not catch it`, async () => {
        const peer = await start(dialect, echo, { timeouts: { body: SHORT } });
        peer.send(dialect.head({ length: 10 }));
        peer.send(dialect.body('abc'));
        const answer = await whole(dialect, peer);
        expect(answer.status).to.equal(408);
        expect(worker.hasLine('ERR_BODY_TIMEOUT')).to.equal(true);
      });

      it(`is between two reads: a slow ${dialect.protocol} body arrives whole`, async () => {
        const peer = await start(dialect, echo, { timeouts: { body: 300 } });
        peer.send(dialect.head({ length: 10 }));
        for (let n = 0; n < 10; n++) {
          await sleep(60);
          peer.send(dialect.body('x'));
        }
        peer.send(dialect.bodyEnd());
        expect((await whole(dialect, peer)).body.toString()).to.equal('xxxxxxxxxx');
      });
    }

    it('does not count while the application does not read', async () => {
      const peer = await start(
        fastcgi,
        async (environ, startResponse) => {
          await gate.app(environ, () => () => Promise.resolve());
          return echo(environ, startResponse);
        },
        { timeouts: { body: SHORT } },
      );
      peer.send(fastcgi.head({ length: 3 }));
      await waitFor(() => gate.calls.length === 1, { what: 'the application to run' });
      await sleep(400);
      gate.release();
      peer.send(fastcgi.body('abc'));
      expect((await whole(fastcgi, peer)).status).to.equal(200);
    });

    it('can be set for one mount', async () => {
      const peer = await start(fastcgi, echo, {
        mounts: [{ app: echo }, { path: '/fast', app: echo, timeouts: { body: SHORT } }],
      });
      peer.send(fastcgi.head({ id: 1, length: 3 }));
      peer.send(fastcgi.head({ id: 2, length: 3, path: '/fast' }));
      await peer.until('request 2', (all) => readEnd(all, 2));
      expect(readFcgi(peer.received, 2)?.status).to.equal(408);
      peer.send(fastcgi.body('abc', 1));
      await peer.until('request 1', (all) => readEnd(all, 1));
      expect(readFcgi(peer.received, 1)?.status).to.equal(200);
    });
  });

  describe('send', () => {
    for (const dialect of ALL_DIALECTS) {
      for (const [how, app] of Object.entries({
        'one chunk': (_environ, startResponse) => {
          startResponse('200 OK', []);
          return [Buffer.alloc(20_000_000, 'x')];
        },
        'a generator': (environ, startResponse) => {
          gate.calls.push(environ);
          environ['viaduct.signal'].addEventListener('abort', () => (gate.aborted += 1));
          startResponse('200 OK', []);
          return (function* () {
            for (;;) yield Buffer.alloc(100_000, 'x');
          })();
        },
      } satisfies Record<string, Application>)) {
        it(`cuts off a ${dialect.protocol} peer that takes nothing of ${how}`, async () => {
          const peer = await start(dialect, app, { timeouts: { send: SHORT } });
          peer.pause();
          peer.send(ask(dialect));
          await worker.quiet();
          if (how === 'a generator') {
            await waitFor(() => gate.aborted === 1, { what: 'viaduct.signal' });
            expect(gate.calls[0]?.['viaduct.signal'].reason)
              .to.have.property('message')
              .that.includes('send_timeout');
          }
          peer.resume();
          await waitFor(() => peer.closed || peer.ended, { what: 'the end' });
          expect(dialect.answer(peer.received)?.whole ?? false).to.equal(false);
        });
      }
    }
  });

  describe('request', () => {
    for (const dialect of ALL_DIALECTS) {
      it(`answers 504 over ${dialect.protocol} where nothing was sent`, async () => {
        const peer = await start(dialect, gate.app, { timeouts: { request: SHORT } });
        peer.send(ask(dialect));
        expect((await whole(dialect, peer)).status).to.equal(504);
        expect(gate.aborted).to.equal(1);
        expect(gate.calls[0]?.['viaduct.signal'].reason).to.include({ code: 'ERR_GATEWAY_TIMEOUT' });
        gate.release();
      });

      it(`breaks a ${dialect.protocol} response off where it has begun`, async () => {
        let closed = 0;
        const peer = await start(
          dialect,
          (_environ, startResponse) => {
            startResponse('200 OK', [['Content-Length', '1000']]);
            const body = (async function* () {
              for (;;) {
                yield Buffer.from('x');
                await sleep(20);
              }
            })();
            return Object.assign(body, { close: () => void (closed += 1) });
          },
          { timeouts: { request: SHORT } },
        );
        peer.send(ask(dialect));
        await peer.whole();
        const answer = dialect.answer(peer.received);
        expect(answer).to.include({ status: 200, whole: false });
        await waitFor(() => closed === 1, { what: 'close()' });
        expect(worker.requests[0]).to.include({ aborted: 'sending' });
      });
    }
  });

  describe('queue', () => {
    for (const dialect of ALL_DIALECTS) {
      it(`answers 503 with Retry-After over ${dialect.protocol}`, async () => {
        const first = await start(dialect, gate.app, { limits: { requests: 1 }, timeouts: { queue: SHORT } });
        first.send(ask(dialect));
        await waitFor(() => gate.calls.length === 1, { what: 'the first request to run' });
        const second = await worker.connect();
        second.send(ask(dialect));
        const answer = await whole(dialect, second);
        expect(answer.status).to.equal(503);
        expect(Number(answer.headers.get('retry-after'))).to.be.at.least(1);
        gate.release();
        expect((await whole(dialect, first)).status).to.equal(200);
        expect(gate.calls.length).to.equal(1);
      });
    }
  });
});
