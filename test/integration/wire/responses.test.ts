// How responses leave: in one write, on connections that are used again or closed, interleaved where FastCGI allows it.
import { expect } from 'chai';
import type { Application } from '../../../src/gateway/contract.ts';
import { fcgiRecord, fcgiRequest, FcgiType } from '../../helpers/bytes.ts';
import {
  ALL_DIALECTS,
  ask,
  CGI_DIALECTS,
  DIALECTS,
  paramsOf,
  readEnd,
  readFcgi,
  readRecords,
} from '../../helpers/dialects.ts';
import { waitFor } from '../../helpers/wait.ts';
import { startWorker, type TestWorker } from '../../helpers/worker.ts';
import { echo, Gate, hello } from './apps.ts';

const { fastcgi, http } = DIALECTS;

/** 40 chunks of 64 KiB at /large, one by one and at once; 64 bytes anywhere else. */
const flood: Application = (environ, startResponse) => {
  startResponse('200 OK', []);
  const isLarge = environ.PATH_INFO === '/large';
  return chunks(isLarge ? 40 : 1, Buffer.alloc(isLarge ? 64 * 1024 : 64));
};

function* chunks(count: number, chunk: Uint8Array): Iterable<Uint8Array> {
  for (let sent = 0; sent < count; sent++) yield chunk;
}

describe('wire: responses', () => {
  let worker: TestWorker;
  let gate: Gate;

  beforeEach(() => {
    gate = new Gate();
  });
  afterEach(async () => {
    await worker.stop();
    await worker.quiet();
  });

  async function start(
    protocol: (typeof ALL_DIALECTS)[number]['protocol'],
    over: 'unix' | 'tcp',
  ): Promise<void> {
    worker = await startWorker({
      listeners: [{ protocol, over }],
      mounts: [{ app: hello }, { path: '/echo', app: echo }, { path: '/gate', app: gate.app }],
    });
  }

  for (const over of ['unix', 'tcp'] as const) {
    for (const dialect of ALL_DIALECTS) {
      it(`a small ${dialect.protocol} response is one write over ${over}`, async () => {
        await start(dialect.protocol, over);
        for (let round = 0; round < 20; round++) {
          const peer = await worker.connect();
          peer.send(ask(dialect, '', { keepConn: false }));
          await peer.until('the response', (received) => dialect.answer(received)?.whole);
          expect(peer.pieces.length).to.equal(1);
          expect(dialect.answer(peer.received)).to.deep.include({ status: 200, whole: true });
          peer.destroy();
        }
      });
    }

    for (const dialect of CGI_DIALECTS) {
      it(`${dialect.protocol} over ${over} ends the connection after the response where it carries one request`, async () => {
        await start(dialect.protocol, over);
        const peer = await worker.connect();
        peer.send(ask(dialect, 'abc', { path: '/echo', keepConn: false }));
        const answer = dialect.answer(await peer.whole(), true);
        expect(answer?.body.toString()).to.equal('abc');
        expect(answer?.whole).to.equal(true);
        expect(peer.errorCode).to.equal(null);
        // Its end of the connection stays open until the peer closes too.
        expect(worker.connections).to.include({ active: 1 });
        peer.end();
        await worker.quiet();
      });
    }
  }

  for (const dialect of ALL_DIALECTS) {
    it(`an empty write() sends the headers of a ${dialect.protocol} response before any of its body`, async () => {
      worker = await startWorker({
        listeners: [{ protocol: dialect.protocol }],
        mounts: [
          {
            app: async (environ, startResponse) => {
              const write = startResponse('200 OK', [['X-Early', 'yes']]);
              await write(new Uint8Array(0));
              await gate.app(environ, () => () => Promise.resolve());
              return [Buffer.from('body')];
            },
          },
        ],
      });
      const peer = await worker.connect();
      peer.send(ask(dialect));
      const early = await peer.until('the headers', (all) => dialect.answer(all));
      expect(early.headers.get('x-early')).to.equal('yes');
      expect(early.body.length).to.equal(0);
      gate.release();
      await peer.until('the body', (all) => all.includes('body'));
    });
  }

  for (const dialect of [fastcgi, http]) {
    it(`${dialect.protocol} serves 1000 requests on one kept connection`, async () => {
      await start(dialect.protocol, 'unix');
      const peer = await worker.connect();
      let size = 0;
      for (let round = 0; round < 1000; round++) {
        peer.send(ask(dialect, `body ${round}`, { path: '/echo' }));
        await peer.until(`response ${round}`, (all) => dialect.answer(all.subarray(size))?.whole);
        const answer = dialect.answer(peer.received.subarray(size));
        expect(answer?.body.toString()).to.equal(`body ${round}`);
        size = peer.size;
      }
      expect(peer.over).to.equal(false);
      expect(worker.requests.length).to.equal(1000);
      expect(worker.connections).to.deep.equal({ idle: 1, reading: 0, active: 0 });
    });
  }

  it('large bodies come and go whole on kept connections, two at a time', async () => {
    await start('fastcgi', 'unix');
    const peers = [await worker.connect(), await worker.connect()];
    const answers = async (from: readonly number[]): Promise<(Buffer | undefined)[]> => {
      for (const [which, peer] of peers.entries())
        await peer.until('an answer', (all) => fastcgi.answer(all.subarray(from[which]))?.whole);
      return peers.map((peer, which) => fastcgi.answer(peer.received.subarray(from[which]))?.body);
    };
    for (let round = 0; round < 8; round++) {
      const small = peers.map((peer) => peer.size);
      for (const peer of peers) peer.send(ask(fastcgi, 'small', { path: '/echo' }));
      await answers(small);
      const contents = peers.map((_, which) => Buffer.alloc(300_000 + 7 * round, 16 * round + which));
      const large = peers.map((peer) => peer.size);
      for (const [which, peer] of peers.entries())
        peer.send(fastcgi.head({ path: '/echo', length: contents[which]?.length ?? 0 }));
      // In turns, so that what one of them keeps lies there while the other is read.
      for (let at = 0; at < 400_000; at += 50_000) {
        for (const [which, peer] of peers.entries()) {
          const part = contents[which]?.subarray(at, at + 50_000) ?? Buffer.alloc(0);
          if (part.length > 0) peer.send(fastcgi.body(part));
        }
      }
      for (const peer of peers) peer.send(fastcgi.bodyEnd());
      const echoes = await answers(large);
      for (const [which, content] of contents.entries())
        expect(echoes[which]?.equals(content)).to.equal(true);
    }
  });

  it('a response that fills the socket goes on, whichever request of its connection it is', async () => {
    worker = await startWorker({ listeners: [{ protocol: 'fastcgi' }], mounts: [{ app: flood }] });
    for (let small = 0; small < 6; small++) {
      const peer = await worker.connect();
      for (let round = 0; round <= small; round++) {
        const from = peer.size;
        peer.send(ask(fastcgi, '', { path: round === small ? '/large' : '/small' }));
        await peer.until(`answer ${round}`, (all) => fastcgi.answer(all.subarray(from))?.whole);
        const length = fastcgi.answer(peer.received.subarray(from))?.body.length;
        expect(length).to.equal(round === small ? 40 * 64 * 1024 : 64);
      }
      peer.destroy();
    }
  });

  it('FastCGI requests that come interleaved are answered as they are done', async () => {
    await start('fastcgi', 'unix');
    const peer = await worker.connect();
    for (const id of [1, 2, 3]) peer.send(fastcgi.head({ id, path: '/echo', length: null }));
    peer.send(ask(fastcgi, '', { id: 4, path: '/gate' }));
    for (const text of ['a', 'b', 'c'])
      for (const id of [3, 1, 2]) peer.send(fastcgi.body(`${text}${id} `, id));
    peer.send(fastcgi.bodyEnd(2));
    await peer.until('request 2', (all) => readEnd(all, 2));
    peer.send(Buffer.concat([fastcgi.bodyEnd(3), fastcgi.bodyEnd(1)]));
    await peer.until('requests 1 and 3', (all) => readEnd(all, 1) && readEnd(all, 3));
    for (const id of [1, 2, 3]) {
      expect(readFcgi(peer.received, id)?.body.toString()).to.equal(`a${id} b${id} c${id} `);
      expect(readEnd(peer.received, id)).to.equal('END 0 0');
    }
    expect(readEnd(peer.received, 4)).to.equal(null);
    gate.release();
    await peer.until('request 4', (all) => readEnd(all, 4));
    expect(peer.over).to.equal(false);
    expect(worker.protocolErrors).to.deep.equal({});
  });

  it('one FastCGI request without FCGI_KEEP_CONN closes only after the others are done', async () => {
    await start('fastcgi', 'unix');
    const peer = await worker.connect();
    peer.send(ask(fastcgi, '', { id: 1, path: '/gate' }));
    peer.send(ask(fastcgi, '', { id: 2, keepConn: false }));
    await peer.until('request 2', (all) => readEnd(all, 2));
    await waitFor(() => gate.calls.length === 1, { what: 'request 1 to run' });
    expect(peer.over).to.equal(false);
    gate.release();
    expect(readEnd(await peer.whole(), 1)).to.equal('END 0 0');
  });

  it('ABORT_REQUEST stops one of several FastCGI requests, whose id is free again', async () => {
    await start('fastcgi', 'unix');
    const peer = await worker.connect();
    for (const id of [1, 2]) peer.send(ask(fastcgi, '', { id, path: '/gate' }));
    await waitFor(() => gate.calls.length === 2, { what: 'both requests to run' });
    peer.send(fcgiRecord(FcgiType.ABORT_REQUEST, 1));
    await peer.until('END_REQUEST', (all) => readEnd(all, 1));
    expect(readRecords(peer.received).records.length).to.equal(1);
    expect(readEnd(peer.received, 1)).to.equal('END 0 0');
    expect(gate.aborted).to.equal(1);
    expect(gate.calls[1]?.['viaduct.signal'].aborted).to.equal(false);
    // What the application still says about the aborted request goes nowhere.
    gate.release();
    await peer.until('request 2', (all) => readEnd(all, 2));
    peer.send(fcgiRequest(1, paramsOf({}), '', { keepConn: true }));
    await peer.until('a new request 1', (all) => readFcgi(all, 1)?.body.toString() === 'hello');
    expect(readRecords(peer.received).records.filter(({ id }) => id === 1).length).to.equal(4);
    expect(worker.requests.find(({ aborted }) => aborted !== undefined)?.status).to.equal(499);
  });

  it('splits a large FastCGI response into records that a 16-bit length can tell', async () => {
    await start('fastcgi', 'tcp');
    const peer = await worker.connect();
    const body = Buffer.alloc(300_000, 'viaduct ');
    peer.send(ask(fastcgi, body, { path: '/echo' }));
    await peer.until('the response', (all) => readEnd(all));
    expect(readFcgi(peer.received)?.body.equals(body)).to.equal(true);
    expect(readRecords(peer.received).rest.length).to.equal(0);
  });
});
