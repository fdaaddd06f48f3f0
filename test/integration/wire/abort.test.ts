// A response that breaks off after its headers: each protocol has its own way to keep a client from taking it for complete.
import { expect } from 'chai';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Application, HeaderList } from '../../../src/gateway/contract.ts';
import {
  ALL_DIALECTS,
  type Answer,
  ask,
  type Dialect,
  DIALECTS,
  readEnd,
  readFcgi,
  readRecords,
} from '../../helpers/dialects.ts';
import type { Peer } from '../../helpers/peer.ts';
import { waitFor } from '../../helpers/wait.ts';
import { type Over, startWorker, type TestWorker } from '../../helpers/worker.ts';
import { Gate, hello } from './apps.ts';

const { fastcgi, http, uwsgi } = DIALECTS;
const POISON = 'ff'.repeat(8);
const UNSIGNALLED = 'cannot tell the client';

/** Ways to break off after three bytes, without waiting for anything in between. */
const AT_ONCE: Record<string, (headers: HeaderList) => Application> = {
  'a generator': (headers) => (_environ, startResponse) => {
    startResponse('200 OK', headers);
    return (function* () {
      yield Buffer.from('abc');
      throw new Error('broken');
    })();
  },
  'an async generator': (headers) => (_environ, startResponse) => {
    startResponse('200 OK', headers);
    return (async function* () {
      yield Buffer.from('abc');
      await Promise.resolve();
      throw new Error('broken');
    })();
  },
  'write()': (headers) => async (_environ, startResponse) => {
    await startResponse('200 OK', headers)(Buffer.from('abc'));
    throw new Error('broken');
  },
};

/** A list of its own for each response: the gateway may change it. */
const lengthHeader = (length: string): HeaderList => (length === '' ? [] : [['Content-Length', length]]);

/** Breaks off when the test says so. */
function failsLater(headers: HeaderList): { app: Application; fail: () => void } {
  const gate = new Gate();
  const app: Application = (environ, startResponse) => {
    startResponse('200 OK', headers);
    return (async function* () {
      yield Buffer.from('abc');
      await gate.app(environ, () => () => Promise.resolve());
      throw new Error('broken');
    })();
  };
  return { app, fail: () => gate.release() };
}

async function answerOf(dialect: Dialect, peer: Peer): Promise<Answer | null> {
  return dialect.answer(await peer.whole());
}

describe('wire: a response that breaks off', () => {
  let worker: TestWorker;

  afterEach(async () => {
    await worker.stop();
    await worker.quiet();
  });

  async function start(dialect: Dialect, over: Over, app: Application): Promise<Peer> {
    const mounts = [{ app }, { path: '/hello', app: hello }];
    worker = await startWorker({ listeners: [{ protocol: dialect.protocol, over }], mounts });
    return worker.connect();
  }

  for (const over of ['unix', 'tcp'] as const) {
    for (const [how, app] of Object.entries(AT_ONCE)) {
      for (const keepConn of [true, false]) {
        it(`FastCGI ${keepConn ? 'with' : 'without'} FCGI_KEEP_CONN over ${over}, ${how}: a record that is none, then the end`, async () => {
          const peer = await start(fastcgi, over, app([]));
          peer.send(ask(fastcgi, '', { keepConn }));
          const received = await peer.whole();
          expect(readRecords(received).rest.toString('hex')).to.equal(POISON);
          expect(readEnd(received)).to.equal(null);
          expect(readFcgi(received)?.body.toString()).to.equal('abc');
          expect(peer.errorCode).to.equal(null);
          expect(worker.requests[0]).to.include({ status: 200, aborted: 'sending' });
          expect(worker.hasLine('broken')).to.equal(true);
        });
      }

      for (const length of ['', '10']) {
        it(`HTTP over ${over}, ${how}, ${length === '' ? 'chunked' : 'with a length'}: never whole`, async () => {
          const peer = await start(http, over, app(lengthHeader(length)));
          peer.send(ask(http));
          const answer = await answerOf(http, peer);
          expect(answer?.whole ?? false).to.equal(false);
        });
      }
    }

    for (const length of ['', '10']) {
      it(`HTTP over ${over}, ${length === '' ? 'chunked' : 'with a length'}: what has left stays incomplete`, async () => {
        const { app, fail } = failsLater(lengthHeader(length));
        const peer = await start(http, over, app);
        peer.send(ask(http));
        await peer.until('the first bytes', (all) => all.includes('abc'));
        fail();
        const answer = await answerOf(http, peer);
        expect(answer).to.include({ status: 200, whole: false });
        expect(answer?.headers.get('transfer-encoding')).to.equal(length === '' ? 'chunked' : undefined);
      });
    }

    for (const dialect of ALL_DIALECTS) {
      it(`${dialect.protocol} over ${over}: before its headers it is a 500`, async () => {
        const peer = await start(dialect, over, (_environ, startResponse) => {
          startResponse('200 OK', [['Set-Cookie', 'secret']]);
          throw new Error('broken');
        });
        peer.send(ask(dialect, '', { keepConn: false }));
        const answer = await peer.until('the answer', (all) => {
          const found = dialect.answer(all, peer.over);
          return found?.whole === true ? found : null;
        });
        expect(answer.status).to.equal(500);
        expect(answer.headers.has('set-cookie')).to.equal(false);
        expect(answer.body.toString()).to.not.include('broken');
      });
    }
  }

  for (const dialect of [DIALECTS.uwsgi, DIALECTS.scgi]) {
    const { protocol } = dialect;
    for (const [how, app] of Object.entries(AT_ONCE)) {
      it(`${protocol} over tcp, ${how}: a reset`, async () => {
        const peer = await start(dialect, 'tcp', app([]));
        peer.send(ask(dialect));
        await peer.whole();
        // Where data and reset come at once, libuv says EOF (uv__stream_io, POLLHUP); writing tells what the socket knows.
        peer.send('x');
        await waitFor(() => peer.errorCode, { what: 'the reset', timeout: 2000 });
        expect(worker.hasLine(UNSIGNALLED)).to.equal(false);
      });

      it(`${protocol} over unix, ${how}: a Content-Length that is never reached`, async () => {
        const peer = await start(dialect, 'unix', app([['X-A', 'b']]));
        peer.send(ask(dialect));
        const answer = await answerOf(dialect, peer);
        expect(answer?.body.toString()).to.equal('abc');
        expect(answer?.headers.get('content-length')).to.equal('4');
        expect(answer?.headers.get('x-a')).to.equal('b');
        expect(answer?.whole).to.equal(false);
        expect(worker.hasLine(UNSIGNALLED)).to.equal(false);
      });

      it(`${protocol} over unix, ${how}: fewer bytes than the application's Content-Length`, async () => {
        const peer = await start(dialect, 'unix', app([['Content-Length', '10']]));
        peer.send(ask(dialect));
        const answer = await answerOf(dialect, peer);
        expect(answer).to.deep.include({ whole: false, body: Buffer.from('abc') });
        expect(answer?.headers.get('content-length')).to.equal('10');
        expect(worker.hasLine(UNSIGNALLED)).to.equal(false);
      });
    }

    it(`${protocol} over tcp: a reset after what has left`, async () => {
      const { app, fail } = failsLater([]);
      const peer = await start(dialect, 'tcp', app);
      peer.send(ask(dialect));
      await peer.until('the first bytes', (all) => all.includes('abc'));
      fail();
      await peer.whole();
      expect(peer.errorCode).to.equal('ECONNRESET');
    });

    it(`${protocol} over unix: a log line where headers without a length have left`, async () => {
      const { app, fail } = failsLater([]);
      const peer = await start(dialect, 'unix', app);
      peer.send(ask(dialect));
      await peer.until('the first bytes', (all) => all.includes('abc'));
      fail();
      const answer = dialect.answer(await peer.whole(), true);
      expect(answer?.headers.has('content-length')).to.equal(false);
      const [line] = worker.lines.filter(({ msg }) => msg.includes(UNSIGNALLED));
      expect(line).to.include({ level: 'warn', mount: '/', method: 'GET', uri: '/' });
      expect(line).to.have.property('request_id');
    });
  }

  it('is not held back longer than 64 KiB over unix', async () => {
    const peer = await start(uwsgi, 'unix', (_environ, startResponse) => {
      startResponse('200 OK', []);
      return (function* () {
        for (let n = 0; n < 10; n++) yield Buffer.alloc(10_000, 'x');
        throw new Error('broken');
      })();
    });
    peer.send(ask(uwsgi));
    expect(uwsgi.answer(await peer.whole())?.body.length).to.equal(100_000);
    expect(worker.hasLine(UNSIGNALLED)).to.equal(true);
  });

  it('leaves other FastCGI requests of its connection time to finish', async () => {
    const gate = new Gate();
    const peer = await start(fastcgi, 'unix', (environ, startResponse) =>
      environ.QUERY_STRING === 'wait'
        ? gate.app(environ, startResponse)
        : (AT_ONCE['a generator'] as (headers: HeaderList) => Application)([])(environ, startResponse),
    );
    peer.send(ask(fastcgi, '', { id: 1, params: ['QUERY_STRING', 'wait'] }));
    peer.send(ask(fastcgi, '', { id: 2 }));
    await peer.until('the first bytes of request 2', (all) => readFcgi(all, 2));
    await waitFor(() => gate.calls.length === 1, { what: 'request 1 to run' });
    // A later request is served too: its connection still works.
    peer.send(ask(fastcgi, '', { id: 3, path: '/hello' }));
    await peer.until('request 3', (all) => readEnd(all, 3));
    await nextTurn();
    expect(readRecords(peer.received).rest.length).to.equal(0);
    expect(peer.over).to.equal(false);
    gate.release();
    const received = await peer.whole();
    expect(readEnd(received, 1)).to.equal('END 0 0');
    expect(readFcgi(received, 1)?.body.toString()).to.equal('hello');
    expect(readEnd(received, 2)).to.equal(null);
    expect(readRecords(received).rest.toString('hex')).to.equal(POISON);
  });
});
