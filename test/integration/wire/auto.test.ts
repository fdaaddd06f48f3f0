// A listener that tells the protocols apart by their first bytes, and says which it will not serve.
import { expect } from 'chai';
import { fcgiPairs, fcgiRecord, FcgiType, uwsgiPacket, uwsgiVars } from '../../helpers/bytes.ts';
import { ALL_DIALECTS, ask, DIALECTS, paramsOf } from '../../helpers/dialects.ts';
import { waitFor } from '../../helpers/wait.ts';
import { type Over, startWorker, type TestWorker, type WorkerSetup } from '../../helpers/worker.ts';
import { echo, Gate, hello } from './apps.ts';

const { http, uwsgi } = DIALECTS;

describe('wire: a listener for every protocol', () => {
  let worker: TestWorker;

  afterEach(async () => {
    await worker.stop();
    await worker.quiet();
  });

  async function start(setup: Partial<WorkerSetup> = {}, over: Over = 'unix'): Promise<void> {
    worker = await startWorker({
      listeners: [{ protocol: 'auto', over }],
      mounts: [{ app: hello }, { path: '/echo', app: echo }],
      ...setup,
    });
  }

  for (const over of ['unix', 'tcp'] as const) {
    for (const dialect of ALL_DIALECTS) {
      for (const way of ['in one piece', 'byte by byte'] as const) {
        it(`serves ${dialect.protocol} that comes ${way} over ${over}`, async () => {
          await start({}, over);
          const peer = await worker.connect();
          const bytes = ask(dialect, 'abc', { path: '/echo' });
          if (way === 'in one piece') peer.send(bytes);
          else await peer.trickle(bytes);
          const answer = await peer.until('the answer', (all) => {
            const found = dialect.answer(all, peer.over);
            return found?.whole === true ? found : null;
          });
          expect(answer.body.toString()).to.equal('abc');
          await waitFor(() => worker.requests.length === 1, { what: 'the access log' });
          expect(worker.requests[0]).to.include({ upstream: dialect.protocol });
          expect(worker.protocolErrors).to.deep.equal({});
        });
      }
    }
  }

  it('keeps HTTP connections for more requests', async () => {
    await start();
    const peer = await worker.connect();
    for (let round = 1; round <= 20; round++) {
      peer.send(ask(http, `body ${round}`, { path: '/echo' }));
      await peer.until('the answer', (all) => all.toString().endsWith(`body ${round}`));
    }
    expect(peer.over).to.equal(false);
    expect(worker.connections).to.deep.equal({ idle: 1, reading: 0, active: 0 });
  });

  it('takes a whole HTTP upload that comes with the first bytes', async () => {
    await start();
    const body = Buffer.alloc(500_000, 'viaduct');
    const peer = await worker.connect();
    peer.send(ask(http, body, { path: '/echo' }));
    await peer.until('the answer', (all) => http.answer(all)?.whole);
    expect(http.answer(peer.received)?.body.equals(body)).to.equal(true);
  });

  it('serves FastCGI that begins with GET_VALUES, and a uwsgi ping', async () => {
    await start();
    const asking = await worker.connect();
    asking.send(fcgiRecord(FcgiType.GET_VALUES, 0, fcgiPairs(['FCGI_MPXS_CONNS', ''])));
    await asking.until('the values', (all) => all.includes('FCGI_MPXS_CONNS'));
    const pinging = await worker.connect();
    pinging.send(Buffer.of(100, 0, 0, 0));
    expect([...(await pinging.whole())]).to.deep.equal([100, 0, 0, 1]);
  });

  it('counts what is wrong later under the protocol it found', async () => {
    await start();
    const peer = await worker.connect();
    peer.send(uwsgiPacket(uwsgiVars(['CONTENT_LENGTH', 'x', ...paramsOf({ length: null })])));
    expect(uwsgi.answer(await peer.whole())?.status).to.equal(400);
    expect(worker.protocolErrors).to.deep.equal({ 'uwsgi bad_content_length': 1 });
  });

  const REFUSED: [string, string | Buffer, string][] = [
    ['a TLS ClientHello', Buffer.from('16030100c8010000c40303', 'hex'), 'tls'],
    ['the PROXY protocol, version 1', 'PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n', 'proxy_protocol'],
    ['the PROXY protocol, version 2', '\r\n\r\n\0\r\nQUIT\n', 'proxy_protocol'],
    ['an HTTP/2 preface', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'http2'],
    ['a blank line before HTTP', '\r\nGET / HTTP/1.1\r\n', 'unknown_protocol'],
    ['FastCGI of version 2', Buffer.of(2, 1, 0, 1, 0, 8, 0, 0), 'unknown_protocol'],
    ['FastCGI that begins with PARAMS', Buffer.of(1, 4, 0, 1, 0, 0, 0, 0), 'unknown_protocol'],
    ['a netstring that is no SCGI', '5:hello,', 'unknown_protocol'],
    ['garbage', Buffer.of(0xff, 0xfe, 0xfd), 'unknown_protocol'],
  ];
  for (const [name, bytes, reason] of REFUSED) {
    for (const way of ['in one piece', 'byte by byte'] as const) {
      it(`refuses ${name}, ${way}`, async () => {
        await start();
        const peer = await worker.connect();
        if (way === 'in one piece') peer.send(bytes);
        else await peer.trickle(bytes);
        expect((await peer.whole()).length).to.equal(0);
        expect(worker.protocolErrors).to.deep.equal({ [`auto ${reason}`]: 1 });
        expect(worker.lines.length).to.equal(1);
        expect(worker.requests.length).to.equal(0);
      });
    }
  }

  it('counts an end that comes too early to tell, and nothing for a connection without a byte', async () => {
    await start();
    const short = await worker.connect();
    short.end('GE');
    expect((await short.whole()).length).to.equal(0);
    const silent = await worker.connect();
    silent.end();
    await silent.whole();
    expect(worker.protocolErrors).to.deep.equal({ 'auto unknown_protocol': 1 });
  });

  it('closes a connection that says nothing, or too little, in its time', async () => {
    await start({ timeouts: { idle: 300, params: 100 } });
    const silent = await worker.connect();
    const short = await worker.connect();
    short.send('1');
    await short.whole();
    expect(silent.over).to.equal(false);
    await silent.whole();
  });

  it('tells connections above the limit 503 in their own protocol', async () => {
    const gate = new Gate();
    await start({ limits: { connections: 1 }, mounts: [{ app: gate.app }] });
    await worker.connect();
    for (const dialect of ALL_DIALECTS) {
      const peer = await worker.connect();
      peer.send(ask(dialect));
      expect(dialect.answer(await peer.whole(), true)?.status).to.equal(503);
      peer.destroy();
    }
    expect(gate.calls.length).to.equal(0);
  });

  it('closes connections it knows nothing of yet when the server drains', async () => {
    await start();
    const [silent, short] = [await worker.connect(), await worker.connect()];
    short.send('1');
    await waitFor(() => worker.connections['idle'] === 2, { what: 'both to be accepted' });
    expect(await worker.stop(5000)).to.equal(true);
    expect([silent.size, short.size]).to.deep.equal([0, 0]);
  });
});
