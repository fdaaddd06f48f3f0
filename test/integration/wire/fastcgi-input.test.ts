// FastCGI 1.0: odd and broken input, at the wire. What comes back, what is counted, and whether the connection lives on.
import { expect } from 'chai';
import { fcgiBegin, fcgiRequest } from '../../helpers/bytes.ts';
import { DIALECTS, paramsOf, readFcgi, readRecords } from '../../helpers/dialects.ts';
import type { Peer } from '../../helpers/peer.ts';
import { startWorker, type TestWorker } from '../../helpers/worker.ts';
import { echo, hello, strings } from './apps.ts';
import {
  BEGINS,
  FRAMING,
  good,
  KEEP,
  PARAM_ROWS,
  replies,
  served,
  STDIN_ROWS,
  VALUES,
} from './fastcgi-cases.ts';

describe('wire: FastCGI input', () => {
  let worker: TestWorker;
  let peer: Peer;

  beforeEach(async () => {
    worker = await startWorker({
      listeners: [{ protocol: 'fastcgi' }],
      mounts: [{ app: hello }, { path: '/echo', app: echo }, { path: '/strings', app: strings }],
      limits: { paramsCount: 50, paramsSize: 8192 },
    });
    peer = await worker.connect();
  });
  afterEach(async () => {
    await worker.stop();
    await worker.quiet();
  });

  const counted = (): Record<string, number> =>
    Object.fromEntries(
      Object.entries(worker.protocolErrors).map(([key, count]) => [key.replace('fastcgi ', ''), count]),
    );

  /** The connection is good for another request, and gave `reply` before. */
  async function expectOpen(reply: string[]): Promise<void> {
    await peer.until('the reply', () => replies(peer.received).length >= reply.length);
    peer.send(good(1));
    await peer.until(
      'the next request to be served',
      () => replies(peer.received).length >= reply.length + 2,
    );
    expect(replies(peer.received)).to.deep.equal([...reply, ...served(1)]);
    expect(peer.over).to.equal(false);
  }

  async function expectClosed(reply: string[]): Promise<void> {
    expect(replies(await peer.whole())).to.deep.equal(reply);
    expect(readRecords(peer.received).rest.length).to.equal(0);
    expect(peer.errorCode).to.equal(null);
  }

  for (const way of ['in one piece', 'byte by byte'] as const) {
    for (const row of [...FRAMING, ...BEGINS, ...PARAM_ROWS, ...STDIN_ROWS, ...VALUES]) {
      if (way === 'byte by byte' && (row.onlyWhole === true || row.bytes.length > 2000)) continue;
      it(`${row.name}, ${way}`, async () => {
        if (way === 'in one piece') peer.send(row.bytes);
        else await peer.trickle(row.bytes);
        const reply = row.reply ?? [];
        if (row.closes === true) await expectClosed(reply);
        else if (row.name !== 'the 65th request at once') await expectOpen(reply);
        else await peer.until('an answer', () => replies(peer.received).join() === reply.join());
        expect(counted()).to.deep.equal(row.counted ?? {});
      });
    }
  }

  it('counts a request cut off by the end of the connection', async () => {
    for (const bytes of [good(1).subarray(0, 5), fcgiBegin(1, KEEP), good(1).subarray(0, 40)]) {
      const cut = await worker.connect();
      cut.send(bytes);
      cut.end();
      expect((await cut.whole()).length).to.equal(0);
    }
    expect(counted()).to.deep.equal({ truncated: 3 });
  });

  it('counts nothing for a connection that ends without a byte, or after its requests', async () => {
    peer.send(good(1));
    peer.end();
    expect(replies(await peer.whole())).to.deep.equal(served(1));
    const silent = await worker.connect();
    silent.end();
    await silent.whole();
    expect(counted()).to.deep.equal({});
  });

  it('gives the application no byte more than CONTENT_LENGTH, in pieces too', async () => {
    peer.send(DIALECTS.fastcgi.head({ path: '/echo', length: 6 }));
    for (const piece of ['ab', 'cd', 'efXY', 'Z']) peer.send(DIALECTS.fastcgi.body(piece));
    peer.send(DIALECTS.fastcgi.bodyEnd());
    expect(readFcgi(await peer.whole())?.body.toString()).to.equal('abcdef');
    expect(counted()).to.deep.equal({ excess_body: 1 });
  });

  it('takes the last of two params with one name', async () => {
    peer.send(
      fcgiRequest(1, ['SCRIPT_FILENAME', 'a', ...paramsOf({ path: '/strings' }), 'SCRIPT_FILENAME', 'b']),
    );
    await peer.whole();
    const body = readFcgi(peer.received)?.body.toString() ?? '{}';
    expect(JSON.parse(body)).to.include({ SCRIPT_FILENAME: 'b' });
  });
});
