// Every limit at the wire, in each protocol: a proper answer, and a worker that is as good as before afterwards.
import { expect } from 'chai';
import type { Application } from '../../../src/gateway/contract.ts';
import {
  ALL_DIALECTS,
  type Answer,
  type Ask,
  ask,
  type Dialect,
  DIALECTS,
  readEnd,
  readFcgi,
} from '../../helpers/dialects.ts';
import type { Peer } from '../../helpers/peer.ts';
import { waitFor } from '../../helpers/wait.ts';
import { startWorker, type TestWorker, type WorkerSetup } from '../../helpers/worker.ts';
import { echo, Gate, hello } from './apps.ts';

const { fastcgi, http } = DIALECTS;

const whole = (dialect: Dialect, peer: Peer): Promise<Answer> =>
  peer.until('the answer', (all) => {
    const found = dialect.answer(all, peer.over);
    return found?.whole === true ? found : null;
  });

const many = (count: number): string[] => Array.from({ length: 2 * count }, (_, at) => `HTTP_X${at}`);

const large: Application = (_environ, startResponse) => {
  startResponse('200 OK', [['X-Large', 'y'.repeat(2000)]]);
  return [Buffer.from('x')];
};

describe('wire: limits', () => {
  let worker: TestWorker;
  let gate: Gate;

  beforeEach(() => {
    gate = new Gate();
  });
  afterEach(async () => {
    await worker.stop();
    await worker.quiet();
  });

  async function start(dialect: Dialect, setup: Partial<WorkerSetup>): Promise<void> {
    worker = await startWorker({
      listeners: [{ protocol: dialect.protocol }],
      mounts: [{ app: hello }, { path: '/echo', app: echo }, { path: '/gate', app: gate.app }],
      ...setup,
    });
  }

  /** A request on a connection of its own. */
  async function answerTo(dialect: Dialect, content = '', options: Ask = {}): Promise<Answer> {
    const peer = await worker.connect();
    peer.send(ask(dialect, content, options));
    const answer = await whole(dialect, peer);
    peer.end();
    return answer;
  }

  for (const dialect of ALL_DIALECTS) {
    const { protocol } = dialect;

    it(`params_size and params_count over ${protocol}: up to the limit, then 431`, async () => {
      await start(dialect, { limits: { paramsSize: 4000, paramsCount: 20 } });
      expect((await answerTo(dialect, '', { params: ['HTTP_X', 'x'.repeat(3000)] })).status).to.equal(200);
      expect((await answerTo(dialect, '', { params: ['HTTP_X', 'x'.repeat(4000)] })).status).to.equal(431);
      expect(worker.protocolErrors).to.deep.equal({ [`${protocol} params_size`]: 1 });
      expect((await answerTo(dialect, '', { params: many(13) })).status).to.equal(200);
      expect((await answerTo(dialect, '', { params: many(21) })).status).to.equal(431);
      expect(worker.protocolErrors).to.include({ [`${protocol} params_count`]: 1 });
    });

    it(`body_size over ${protocol} with a length: 413 before the application runs`, async () => {
      await start(dialect, { limits: { bodySize: 1000 } });
      expect((await answerTo(dialect, 'x'.repeat(1000), { path: '/echo' })).body.length).to.equal(1000);
      expect((await answerTo(dialect, 'x'.repeat(1001), { path: '/gate' })).status).to.equal(413);
      expect(gate.calls.length).to.equal(0);
    });

    it(`body_size of one mount over ${protocol}`, async () => {
      await start(dialect, {
        mounts: [{ app: echo }, { path: '/small', app: echo, limits: { bodySize: 10 } }],
      });
      expect((await answerTo(dialect, 'x'.repeat(100))).status).to.equal(200);
      expect((await answerTo(dialect, 'x'.repeat(100), { path: '/small' })).status).to.equal(413);
    });

    it(`response_headers_size over ${protocol}: 500, and nothing of the headers`, async () => {
      await start(dialect, { mounts: [{ app: large }], limits: { responseHeadersSize: 1000 } });
      const answer = await answerTo(dialect);
      expect(answer.status).to.equal(500);
      expect(answer.headers.has('x-large')).to.equal(false);
    });

    it(`requests and queue over ${protocol}: the next is told 503 with Retry-After at once`, async () => {
      await start(dialect, { limits: { requests: 2, queue: 1 } });
      const peers: Peer[] = [];
      for (let n = 0; n < 3; n++) {
        const peer = await worker.connect();
        peer.send(ask(dialect, '', { path: '/gate' }));
        peers.push(peer);
      }
      await waitFor(() => worker.worker.active === 3, { what: 'two to run and one to wait' });
      expect(gate.calls.length).to.equal(2);
      const { queueDepth, queueLimit, oldestQueuedAge } = worker.metrics.mount('/gate');
      expect([queueDepth, queueLimit]).to.deep.equal([1, 1]);
      expect(oldestQueuedAge).to.be.within(1e-9, 60);
      const refused = await answerTo(dialect);
      expect(refused.status).to.equal(503);
      expect(refused.headers.get('retry-after')).to.match(/^\d+$/);
      gate.release();
      await waitFor(() => gate.calls.length === 3, { what: 'the third to run' });
      gate.release();
      for (const peer of peers) expect((await whole(dialect, peer)).status).to.equal(200);
      expect(worker.metrics.mount('/gate').oldestQueuedAge).to.equal(0);
      expect((await answerTo(dialect)).status).to.equal(200);
    });

    it(`connections over ${protocol}: 503 and the end, beyond that only the end; then all is well again`, async () => {
      await start(dialect, { limits: { connections: 2 } });
      const open = [await worker.connect(), await worker.connect()];
      for (const peer of open) peer.send(ask(dialect, '', { path: '/gate' }));
      await waitFor(() => gate.calls.length === 2, { what: 'both to run' });
      const third = await worker.connect();
      third.send(ask(dialect));
      const refused = await whole(dialect, third);
      expect(refused.status).to.equal(503);
      expect(refused.headers.get('retry-after')).to.match(/^\d+$/);
      await waitFor(() => third.over, { what: 'the end' });
      expect(worker.dropped).to.deep.equal({ connection_limit: 1 });

      // 64 more are told; the one after them is not.
      const told: Peer[] = [];
      for (let n = 0; n < 63; n++) told.push(await worker.connect());
      await waitFor(() => worker.dropped['connection_limit'] === 64, { what: 'them to be taken' });
      const untold = await worker.connect();
      untold.send(ask(dialect));
      expect((await untold.whole()).length).to.equal(0);
      expect(worker.dropped).to.deep.equal({ connection_limit: 65 });

      for (const peer of [third, ...told]) peer.destroy();
      gate.release();
      for (const peer of open) {
        expect((await whole(dialect, peer)).status).to.equal(200);
        peer.destroy();
      }
      await worker.quiet();
      expect((await answerTo(dialect)).status).to.equal(200);
    });
  }

  for (const dialect of [fastcgi, http]) {
    const chunk =
      dialect === http
        ? (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`
        : (text: string) => text;

    it(`body_size over ${dialect.protocol} without a length: 413 where it comes at once`, async () => {
      await start(dialect, { limits: { bodySize: 1000 } });
      const body = dialect.body(chunk('x'.repeat(1001)));
      const end = dialect === http ? Buffer.from('0\r\n\r\n') : dialect.bodyEnd();
      const peer = await worker.connect();
      peer.send(Buffer.concat([dialect.head({ path: '/echo', length: null }), body, end]));
      expect((await whole(dialect, peer)).status).to.equal(413);
    });

    it(`body_size over ${dialect.protocol} without a length: 413 while it is read`, async () => {
      await start(dialect, { limits: { bodySize: 1000 } });
      const peer = await worker.connect();
      peer.send(dialect.head({ path: '/echo', length: null }));
      await waitFor(() => worker.worker.active === 1, { what: 'the application to read' });
      for (let n = 0; n < 11; n++) peer.send(dialect.body(chunk('x'.repeat(100))));
      expect((await whole(dialect, peer)).status).to.equal(413);
      expect(worker.hasLine('ERR_BODY_TOO_LARGE')).to.equal(true);
    });

    it(`body_size over ${dialect.protocol} without a length: the limit itself is allowed`, async () => {
      await start(dialect, { limits: { bodySize: 1000 } });
      const peer = await worker.connect();
      peer.send(dialect.head({ path: '/echo', length: null }));
      for (let n = 0; n < 10; n++) peer.send(dialect.body(chunk('x'.repeat(100))));
      peer.send(dialect === http ? '0\r\n\r\n' : dialect.bodyEnd());
      expect((await whole(dialect, peer)).status).to.equal(200);
      expect(worker.requests[0]).to.include({ bytesIn: 1000 });
    });
  }

  it('one FastCGI connection above the limit is told 503 for a request, though it wants to be kept', async () => {
    await start(fastcgi, { limits: { connections: 1 } });
    const first = await worker.connect();
    first.send(ask(fastcgi));
    await first.until('the answer', (all) => readEnd(all));
    const second = await worker.connect();
    second.send(ask(fastcgi, '', { keepConn: true }));
    expect(readFcgi(await second.whole())?.status).to.equal(503);
    first.send(ask(fastcgi, '', { id: 2 }));
    await first.until('the next answer', (all) => readEnd(all, 2));
  });
});
