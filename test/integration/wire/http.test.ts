// The HTTP listener: node:http reads the bytes, but limits, deadlines and closing are ours.
import { expect } from 'chai';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Application } from '../../../src/gateway/contract.ts';
import { ask, DIALECTS } from '../../helpers/dialects.ts';
import type { Peer } from '../../helpers/peer.ts';
import { waitFor } from '../../helpers/wait.ts';
import { startWorker, type TestWorker, type WorkerSetup } from '../../helpers/worker.ts';
import { echo, Gate, hello, strings } from './apps.ts';

const { http } = DIALECTS;
const MOUNTS = [{ app: hello }, { path: '/echo', app: echo }, { path: '/strings', app: strings }];

const get = (path: string, ...lines: string[]): string =>
  [`GET ${path} HTTP/1.1`, 'Host: a', ...lines, '', ''].join('\r\n');

/** Status codes in order of appearance. */
const statuses = (received: Buffer): string[] =>
  [...received.toString('latin1').matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, code]) => code ?? '');

const bodyOf = (received: Buffer): Record<string, unknown> =>
  JSON.parse(http.answer(received)?.body.toString() ?? '') as Record<string, unknown>;

describe('wire: HTTP', () => {
  let worker: TestWorker;

  afterEach(async () => {
    await worker.stop();
    await worker.quiet();
  });

  async function start(setup: Partial<WorkerSetup> = {}): Promise<Peer> {
    worker = await startWorker({ listeners: [{ protocol: 'http', over: 'tcp' }], mounts: MOUNTS, ...setup });
    return worker.connect();
  }

  it('makes a request as nginx would have sent it', async () => {
    const peer = await start();
    const address = worker.address();
    const port = address.kind === 'tcp' ? address.port : 0;
    peer.send(
      get(
        '/strings/a%20b/../c?q=%41',
        'X-One: 1',
        'X-One: 2',
        'Cookie: a',
        'Cookie: b',
        'Content-Type: text/x',
      ),
    );
    await peer.until('the answer', (all) => http.answer(all)?.whole);
    expect(bodyOf(peer.received)).to.deep.include({
      REQUEST_METHOD: 'GET',
      REQUEST_URI: '/strings/a%20b/../c?q=%41',
      SCRIPT_NAME: '/strings',
      PATH_INFO: '/c',
      QUERY_STRING: 'q=%41',
      SERVER_PROTOCOL: 'HTTP/1.1',
      SERVER_NAME: 'a',
      SERVER_PORT: String(port),
      SERVER_ADDR: '127.0.0.1',
      REMOTE_ADDR: '127.0.0.1',
      HTTP_X_ONE: '1, 2',
      HTTP_COOKIE: 'a; b',
      CONTENT_TYPE: 'text/x',
      'wsgi.url_scheme': 'http',
    });
  });

  it('leaves out headers that could pose as others', async () => {
    const peer = await start();
    peer.send(get('/strings', 'X_Real_IP: 1', 'X-Real_IP: 2', 'Proxy: http://evil', 'X-Good: 3'));
    await peer.until('the answer', (all) => http.answer(all)?.whole);
    const found = bodyOf(peer.received);
    expect(found).to.include({ HTTP_X_GOOD: '3' });
    expect(found).to.not.have.any.keys('HTTP_X_REAL_IP', 'HTTP_PROXY');
  });

  it('answers pipelined requests in their order', async () => {
    const peer = await start();
    peer.send(get('/nowhere/') + get('/strings') + get('/'));
    await peer.until('three answers', (all) => statuses(all).length === 3 && all.includes('hello'));
    expect(peer.over).to.equal(false);
    expect(worker.requests.length).to.equal(3);
    expect(worker.connections).to.deep.equal({ idle: 1, reading: 0, active: 0 });
  });

  it('does not take a connection for idle while a pipelined request runs', async () => {
    const gate = new Gate();
    const peer = await start({
      mounts: [...MOUNTS, { path: '/gate', app: gate.app }],
      timeouts: { idle: 100, params: 100 },
    });
    peer.send(get('/') + get('/gate'));
    await peer.until('the first answer', (all) => all.includes('hello'));
    await waitFor(() => gate.calls.length === 1, { what: 'the second request to run' });
    expect(worker.connections).to.deep.equal({ idle: 0, reading: 0, active: 1 });
    await sleep(350);
    gate.release();
    await peer.until('the second answer', (all) => statuses(all).length === 2);
    expect(statuses(peer.received)).to.deep.equal(['200', '200']);
  });

  it('reads a chunked upload, and says 100 Continue where it is asked', async () => {
    const peer = await start();
    peer.send('POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n');
    await peer.until('100 Continue', (all) => all.includes('100 Continue\r\n\r\n'));
    await peer.trickle('5;x=y\r\nhello\r\n6\r\n world\r\n0\r\nTrailer: x\r\n\r\n');
    await peer.until('the answer', (all) => all.includes('hello world'));
    expect(statuses(peer.received)).to.deep.equal(['100', '200']);
    expect(worker.requests[0]).to.include({ bytesIn: 11 });
  });

  it('answers HEAD with the length and without the body, and goes on', async () => {
    const peer = await start();
    peer.send('HEAD / HTTP/1.1\r\nHost: a\r\n\r\n');
    await peer.until('the head', (all) => all.includes('\r\n\r\n'));
    expect(http.answer(peer.received)?.headers.get('content-length')).to.equal('5');
    peer.send(get('/strings'));
    await peer.until('the next answer', (all) => statuses(all).length === 2);
    expect(peer.received.toString()).to.not.include('hello');
  });

  const BAD: [string, string, number, string][] = [
    ['no HTTP at all', 'nonsense\r\n\r\n', 400, 'bad_request'],
    ['a header name with a space', get('/', 'X Y: z'), 400, 'bad_request'],
    [
      'two lengths',
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
      400,
      'bad_request',
    ],
    [
      'a length beside chunks',
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
      400,
      'bad_request',
    ],
    ['a header of 10 kB', get('/', `X: ${'x'.repeat(10_000)}`), 431, 'params_size'],
    ['a header of 5 MB', get('/', `X: ${'x'.repeat(5_000_000)}`), 431, 'params_size'],
    ['101 headers', get('/', ...Array.from({ length: 100 }, (_, at) => `X-${at}: y`)), 431, 'params_count'],
  ];
  for (const [name, bytes, status, reason] of BAD) {
    it(`answers ${name} with ${status}`, async () => {
      const peer = await start({ limits: { paramsSize: 8192, paramsCount: 100 } });
      // All of it before it reads: what is still on its way must not cost the answer.
      peer.pause();
      peer.send(bytes);
      await waitFor(() => peer.unsent === 0, { what: 'the server to take it' });
      peer.resume();
      await peer.until('the answer', (all) => http.answer(all)?.whole);
      expect(statuses(peer.received)).to.deep.equal([String(status)]);
      expect(worker.protocolErrors).to.deep.equal({ [`http ${reason}`]: 1 });
      expect(peer.errorCode).to.equal(null);
    });
  }

  it('keeps a connection whose request had too many headers', async () => {
    const peer = await start({ limits: { paramsCount: 100 } });
    peer.send(get('/', ...Array.from({ length: 101 }, () => 'X: y')));
    await peer.until('the answer', (all) => http.answer(all)?.whole);
    peer.send(get('/'));
    await peer.until('the next answer', (all) => all.includes('hello'));
    expect(statuses(peer.received)).to.deep.equal(['431', '200']);
  });

  it('never writes 400 into a response that has begun', async () => {
    const gate = new Gate();
    const streaming: Application = (environ, startResponse) => {
      startResponse('200 OK', [['Content-Length', '100']]);
      return (async function* () {
        yield Buffer.from('begun');
        await gate.app(environ, () => () => Promise.resolve());
        yield Buffer.alloc(95, 'x');
      })();
    };
    const peer = await start({ mounts: [{ app: streaming }] });
    peer.send(get('/'));
    await peer.until('the first bytes', (all) => all.includes('begun'));
    peer.send('nonsense\r\n\r\n');
    await peer.whole();
    expect(statuses(peer.received)).to.deep.equal(['200']);
    await waitFor(() => gate.aborted === 1, { what: 'viaduct.signal' });
    expect(worker.protocolErrors).to.deep.equal({ 'http bad_request': 1 });
  });

  it('says 408 to a client that begins a request and stalls', async () => {
    const peer = await start({ timeouts: { params: 150 } });
    peer.send('GET / HT');
    await peer.whole();
    expect(statuses(peer.received)).to.deep.equal(['408']);
    expect(worker.protocolErrors).to.deep.equal({ 'http params_timeout': 1 });
    expect(worker.requests.length).to.equal(0);
  });

  it('says 408 to one that stalls in its second request', async () => {
    const peer = await start({ timeouts: { params: 150 } });
    peer.send(get('/'));
    await peer.until('the answer', (all) => all.includes('hello'));
    peer.send('GET / HT');
    await peer.whole();
    expect(statuses(peer.received)).to.deep.equal(['200', '408']);
  });

  it('closes idle connections, new and used ones, also where the client keeps its side open', async () => {
    const used = await start({ timeouts: { idle: 150 } });
    const fresh = await worker.connect();
    used.send(get('/'));
    expect(statuses(await used.whole())).to.deep.equal(['200']);
    expect((await fresh.whole()).length).to.equal(0);
    expect(worker.protocolErrors).to.deep.equal({});
    // 5 s of silence after our FIN, then it is gone whatever the client does.
    await waitFor(() => worker.connections['idle'] === 0, { what: 'both to be gone', timeout: 7000 });
  });

  it('keeps an idle connection beyond the send timeout of its last response', async () => {
    const peer = await start({ timeouts: { send: 100 } });
    peer.send(get('/'));
    await peer.until('the answer', (all) => all.includes('hello'));
    await sleep(350);
    expect(peer.over).to.equal(false);
    peer.send(get('/strings'));
    await peer.until('the next answer', (all) => statuses(all).length === 2);
  });

  it('serves no request that crosses its own last response', async () => {
    const peer = await start();
    peer.send(get('/', 'Connection: close') + get('/strings'));
    await peer.whole();
    peer.send(get('/strings'));
    await sleep(100);
    expect(statuses(peer.received)).to.deep.equal(['200']);
    expect(worker.requests.length).to.equal(1);
  });

  it('serves no request that crosses the end of an idle connection', async () => {
    const peer = await start({ timeouts: { idle: 150 } });
    await peer.whole();
    peer.send(get('/'));
    await sleep(100);
    expect(peer.size).to.equal(0);
    expect(worker.requests.length).to.equal(0);
    expect(worker.protocolErrors).to.deep.equal({});
  });

  it('says Connection: close once the server drains, and closes then', async () => {
    const gate = new Gate();
    const peer = await start({ mounts: [{ app: gate.app }] });
    peer.send(ask(http) + get('/'));
    await waitFor(() => gate.calls.length === 2, { what: 'two requests to run' });
    const stopping = worker.stop(5000);
    gate.release();
    await peer.whole();
    peer.end();
    expect(statuses(peer.received)).to.deep.equal(['200', '200']);
    const connection = [...peer.received.toString().matchAll(/Connection: ([\w-]+)/gi)].map(
      ([, value]) => value,
    );
    expect(connection).to.deep.equal(['keep-alive', 'close']);
    expect(await stopping).to.equal(true);
  });
});
