// Who is slow slows the other side down, and memory stays bounded: bytes are counted where they are made.
import { expect } from 'chai';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import type { Application } from '../../../src/gateway/contract.ts';
import {
  ALL_DIALECTS,
  type Answer,
  ask,
  type Dialect,
  DIALECTS,
  readEnd,
  readFcgi,
} from '../../helpers/dialects.ts';
import type { Peer } from '../../helpers/peer.ts';
import { waitFor } from '../../helpers/wait.ts';
import { type Over, startWorker, type TestWorker, type WorkerSetup } from '../../helpers/worker.ts';
import { Gate, hello } from './apps.ts';

const { fastcgi } = DIALECTS;
const CHUNK = 16_384;
/** What socket buffers of both sides, ours and the application's chunk may hold; the kernel's are the largest part. */
const BOUND = 8_000_000;
const TOTAL = 30_000_000;

/** Bytes the application has produced. */
let made = 0;

function* chunks(): Generator<Buffer> {
  for (made = 0; made < TOTAL;) {
    made += CHUNK;
    yield Buffer.alloc(CHUNK, made / CHUNK);
  }
}

const PRODUCERS: Record<string, Application> = {
  'a generator': (_environ, startResponse) => {
    startResponse('200 OK', []);
    return chunks();
  },
  'an async generator': (_environ, startResponse) => {
    startResponse('200 OK', []);
    return (async function* () {
      for (const chunk of chunks()) {
        await nextTurn();
        yield chunk;
      }
    })();
  },
  'write()': async (_environ, startResponse) => {
    const write = startResponse('200 OK', []);
    for (const chunk of chunks()) await write(chunk);
    return [];
  },
};

const whole = (dialect: Dialect, peer: Peer): Promise<Answer> =>
  peer.until('the answer', (all) => {
    const found = dialect.answer(all, peer.over);
    return found?.whole === true ? found : null;
  });

/** Waits until `value` does not change any more for a while, and gives it. */
async function settled(value: () => number): Promise<number> {
  let last = -1;
  return waitFor(
    async () => {
      if (value() === last && last > 0) return last;
      last = value();
      await sleep(150);
      return null;
    },
    { what: 'a standstill' },
  );
}

describe('wire: back-pressure', () => {
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
    const mounts = [{ app }, { path: '/hello', app: hello }];
    worker = await startWorker({ listeners: [{ protocol: dialect.protocol, over }], mounts, ...setup });
    return worker.connect();
  }

  for (const over of ['unix', 'tcp'] as const) {
    for (const dialect of ALL_DIALECTS) {
      for (const [how, app] of Object.entries(PRODUCERS)) {
        it(`a peer that stops reading stops ${how}: ${dialect.protocol} over ${over}`, async () => {
          const peer = await start(dialect, over, app);
          peer.pause();
          peer.send(ask(dialect, '', { keepConn: false, params: ['HTTP_CONNECTION', 'close'] }));
          const stalledAt = await settled(() => made);
          expect(stalledAt).to.be.below(BOUND);
          // The worker itself is free.
          const other = await worker.connect();
          other.send(ask(dialect, '', { path: '/hello' }));
          expect((await whole(dialect, other)).status).to.equal(200);
          peer.resume();
          await peer.whole(10_000);
          expect(made).to.be.at.least(TOTAL);
          const answer = dialect.answer(peer.received, true);
          expect(answer?.whole).to.equal(true);
          if (dialect.protocol !== 'http') expect(answer?.body.length).to.equal(made);
        });
      }

      it(`an application that does not read stops its peer: ${dialect.protocol} over ${over}`, async () => {
        const gate = new Gate();
        const peer = await start(dialect, over, async (environ, startResponse) => {
          await gate.app(environ, () => () => Promise.resolve());
          let size = 0;
          for (;;) {
            const piece = await environ['wsgi.input'].read(100_000);
            if (piece.length === 0) break;
            size += piece.length;
          }
          startResponse('200 OK', []);
          return [Buffer.from(String(size))];
        });
        peer.send(dialect.head({ length: TOTAL }));
        peer.send(dialect.body(Buffer.alloc(TOTAL, 'b')));
        peer.send(dialect.bodyEnd());
        const left = await settled(() => peer.unsent);
        expect(left).to.be.above(TOTAL - BOUND);
        gate.release();
        expect((await whole(dialect, peer)).body.toString()).to.equal(String(TOTAL));
        expect(worker.requests[0]).to.include({ bytesIn: TOTAL });
      });
    }
  }

  it('a body that nobody reads holds up its FastCGI connection only until its request is answered', async () => {
    const gate = new Gate();
    const peer = await start(fastcgi, 'unix', gate.app);
    peer.send(fastcgi.head({ id: 1, length: 5_000_000 }));
    peer.send(fastcgi.body(Buffer.alloc(5_000_000), 1));
    peer.send(fastcgi.bodyEnd(1));
    peer.send(ask(fastcgi, '', { id: 2, path: '/hello' }));
    expect(await settled(() => peer.unsent)).to.be.above(0);
    expect(readEnd(peer.received, 2)).to.equal(null);
    gate.release();
    await peer.until('both answers', (all) => readEnd(all, 1) !== null && readEnd(all, 2) !== null);
    expect(readFcgi(peer.received, 2)?.body.toString()).to.equal('hello');
  });

  it('the memory of the process does not grow with the response', async () => {
    const peer = await start(fastcgi, 'unix', (_environ, startResponse) => {
      startResponse('200 OK', []);
      return (function* () {
        for (let n = 0; n < 4000; n++) yield Buffer.alloc(100_000);
      })();
    });
    const before = process.memoryUsage().rss;
    peer.pause();
    peer.send(ask(fastcgi));
    await sleep(300);
    expect(process.memoryUsage().rss - before).to.be.below(100_000_000);
    peer.destroy();
  });
});
