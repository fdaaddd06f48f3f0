// Answers that come before the request has ended, and answers that take long to read: neither may lose a byte.
import { expect } from 'chai';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Application } from '../../../src/gateway/contract.ts';
import { ALL_DIALECTS, ask, type Dialect, DIALECTS, readEnd, readFcgi } from '../../helpers/dialects.ts';
import type { Peer } from '../../helpers/peer.ts';
import { waitFor } from '../../helpers/wait.ts';
import { type Over, startWorker, type TestWorker, type WorkerSetup } from '../../helpers/worker.ts';
import { hello } from './apps.ts';

const { fastcgi, uwsgi } = DIALECTS;
const MEGABYTE = 1_000_000;

/** The only HTTP connection that is closed after its response. */
const closing = ({ protocol }: Dialect): string[] =>
  protocol === 'http' ? ['HTTP_CONNECTION', 'close'] : [];

/** Answers 401 with 200 kB at once. */
const refuse: Application = (_environ, startResponse) => {
  startResponse('401 Unauthorized', [['Content-Length', '200000']]);
  return [Buffer.alloc(200_000, 'n')];
};

describe('wire: early answers and slow readers', () => {
  let worker: TestWorker;

  afterEach(async () => {
    await worker.stop();
    await worker.quiet();
  });

  async function start(
    dialect: Dialect,
    over: Over,
    app: Application,
    setup: Partial<WorkerSetup> = {},
  ): Promise<Peer> {
    worker = await startWorker({
      listeners: [{ protocol: dialect.protocol, over }],
      mounts: [{ app }, { path: '/hello', app: hello }],
      ...setup,
    });
    return worker.connect();
  }

  for (const over of ['unix', 'tcp'] as const) {
    for (const dialect of ALL_DIALECTS) {
      const { protocol } = dialect;
      it(`a ${protocol} upload of 5 MB over ${over} that nobody reads does not cost its answer`, async () => {
        const peer = await start(dialect, over, refuse);
        const body = dialect.body(Buffer.alloc(5 * MEGABYTE, 'b'));
        peer.send(dialect.head({ length: 5 * MEGABYTE, keepConn: false, params: closing(dialect) }));
        // nginx sends on until it has read the answer; here it reads none of it before it has sent all.
        peer.pause();
        peer.send(body);
        await waitFor(() => peer.unsent === 0, { what: 'the server to take the whole upload' });
        peer.resume();
        peer.send(dialect.bodyEnd());
        const answer = await peer.until('the whole answer', (all) => {
          const found = dialect.answer(all, peer.over);
          return found?.whole === true ? found : null;
        });
        expect(answer).to.include({ status: 401, whole: true });
        expect(answer.body.length).to.equal(200_000);
        await waitFor(() => peer.over, { what: 'the end' });
        expect(peer.errorCode).to.equal(null);
      });
    }

    it(`an upload over a kept FastCGI connection on ${over} is dropped, and the next request served`, async () => {
      const peer = await start(fastcgi, over, hello);
      peer.send(fastcgi.head({ length: 5 * MEGABYTE }));
      await peer.until('the answer', (all) => readEnd(all));
      peer.send(fastcgi.body(Buffer.alloc(5 * MEGABYTE, 'b')));
      peer.send(fastcgi.bodyEnd());
      peer.send(ask(fastcgi, '', { id: 2 }));
      await peer.until('the next answer', (all) => readEnd(all, 2));
      expect(readFcgi(peer.received, 2)?.body.toString()).to.equal('hello');
      expect(worker.protocolErrors).to.deep.equal({});
    });

    for (const dialect of ALL_DIALECTS) {
      for (const keepConn of dialect === fastcgi ? [true, false] : [false]) {
        it(`50 MB as one chunk over ${keepConn ? 'kept ' : ''}${dialect.protocol} on ${over} outlast every deadline but that of a stalled reader`, async () => {
          const chunk = Buffer.alloc(50 * MEGABYTE, 'viaduct ');
          const peer = await start(
            dialect,
            over,
            (_environ, startResponse) => {
              startResponse('200 OK', []);
              return [chunk];
            },
            { timeouts: { idle: 100, params: 100, body: 100, send: 400 } },
          );
          peer.pause();
          peer.send(ask(dialect, '', { keepConn, params: closing(dialect) }));
          // Reads a little, then not for longer than idle, again and again, for far longer than send.
          for (let round = 0; round < 6; round++) {
            await peer.take(MEGABYTE);
            await sleep(200);
          }
          expect(peer.over).to.equal(false);
          peer.resume();
          await waitFor(() => peer.size > chunk.length || peer.over, { what: 'all of it' });
          if (keepConn) await peer.until('END_REQUEST', (all) => readEnd(all));
          else await peer.whole();
          const answer = dialect.answer(peer.received, true);
          expect(answer?.whole).to.equal(true);
          expect(answer?.body.equals(chunk)).to.equal(true);
          expect(peer.errorCode).to.equal(null);
          if (!keepConn) return;
          // The time on the wire was no idle time.
          const { size } = peer;
          peer.send(ask(fastcgi, '', { id: 2, path: '/hello' }));
          await peer.until('the next answer', (all) => readEnd(all.subarray(size), 2));
        });
      }
    }
  }

  it('a peer that sends for ever after its answer is cut off in the end', async () => {
    const peer = await start(uwsgi, 'unix', hello);
    peer.send(uwsgi.head({ length: 500 * MEGABYTE }));
    await peer.whole();
    const endedAt = performance.now();
    // 5 s without a byte, as nginx's lingering_timeout; the connection is still there before that.
    await waitFor(() => peer.closed || performance.now() - endedAt > 3000, { what: '3 s', timeout: 4000 });
    expect(worker.connections['active']).to.equal(1);
    await waitFor(() => worker.connections['active'] === 0, { what: 'the server to close', timeout: 4000 });
    expect(performance.now() - endedAt).to.be.within(4800, 6000);
  });
});
