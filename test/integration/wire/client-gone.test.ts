// A client that leaves, seen from the socket: a closed connection, a half-closed one, and a body that stops half-way.
import { expect } from 'chai';
import { GatewayError } from '../../../src/gateway/errors.ts';
import { fcgiRecord, FcgiType } from '../../helpers/bytes.ts';
import { ALL_DIALECTS, ask, CGI_DIALECTS, type Dialect, DIALECTS, readEnd } from '../../helpers/dialects.ts';
import type { Peer } from '../../helpers/peer.ts';
import { waitFor } from '../../helpers/wait.ts';
import { type Over, startWorker, type TestWorker } from '../../helpers/worker.ts';
import type { Application } from '../../../src/gateway/contract.ts';
import { echo, Gate } from './apps.ts';

const { fastcgi, uwsgi, scgi, http } = DIALECTS;

describe('wire: a client that leaves', () => {
  let worker: TestWorker;
  let gate: Gate;

  beforeEach(() => {
    gate = new Gate();
  });
  afterEach(async () => {
    await worker.stop();
    await worker.quiet();
  });

  async function start(dialect: Dialect, over: Over, app: Application = gate.app): Promise<Peer> {
    worker = await startWorker({ listeners: [{ protocol: dialect.protocol, over }], mounts: [{ app }] });
    return worker.connect();
  }

  // Over TCP a uwsgi or SCGI connection that was closed looks like one that was half-closed, until something is written.
  const noticed: [Dialect, Over][] = [
    [fastcgi, 'unix'],
    [fastcgi, 'tcp'],
    [uwsgi, 'unix'],
    [scgi, 'unix'],
    [http, 'unix'],
    [http, 'tcp'],
  ];
  for (const [dialect, over] of noticed) {
    for (const keepConn of dialect === fastcgi ? [true, false] : [false]) {
      const kept = keepConn ? ' with FCGI_KEEP_CONN' : '';
      it(`is noticed within 200 ms over ${dialect.protocol}${kept} on ${over}, while the application waits`, async () => {
        const peer = await start(dialect, over);
        peer.send(ask(dialect, '', { keepConn }));
        await waitFor(() => gate.calls.length === 1, { what: 'the application to run' });
        const closedAt = performance.now();
        peer.destroy();
        await waitFor(() => gate.aborted === 1, { what: 'viaduct.signal' });
        expect(gate.abortedAt - closedAt).to.be.below(200);
        expect(gate.calls[0]?.['viaduct.signal'].reason).to.include({ code: 'ERR_GATEWAY_CLIENT_GONE' });
        await waitFor(() => worker.requests.length === 1, { what: 'the access log' });
        expect(worker.requests[0]).to.include({ status: 499, aborted: 'running' });
        await worker.quiet();
        gate.release();
      });
    }
  }

  for (const over of ['unix', 'tcp'] as const) {
    it(`is noticed over fastcgi on ${over} though it first ended only its own side`, async () => {
      const peer = await start(fastcgi, over);
      peer.send(ask(fastcgi));
      peer.end();
      await waitFor(() => gate.calls.length === 1, { what: 'the application to run' });
      await waitFor(() => worker.connections['active'] === 1, { what: 'the connection to be active' });
      peer.destroy();
      await waitFor(() => gate.aborted === 1, { what: 'viaduct.signal', timeout: 1000 });
    });

    for (const dialect of CGI_DIALECTS) {
      for (const keepConn of dialect === fastcgi ? [true, false] : [false]) {
        it(`that only ended its side gets its response: ${dialect.protocol} ${keepConn ? 'kept ' : ''}on ${over}`, async () => {
          const peer = await start(dialect, over, async (environ, startResponse) => {
            startResponse('200 OK', []);
            const body = await environ['wsgi.input'].read();
            return (async function* () {
              await gate.app(environ, () => () => Promise.resolve());
              yield body;
              yield Buffer.alloc(1_000_000, 'x');
            })();
          });
          peer.send(ask(dialect, 'the body', { keepConn }));
          peer.end();
          await waitFor(() => gate.calls.length === 1, { what: 'the application to wait' });
          // Long enough for whatever looks after the connection to look twice.
          await waitFor(() => worker.connections['active'] === 1, { what: 'the connection' });
          const until = performance.now() + 250;
          await waitFor(() => performance.now() > until, { what: 'two ticks' });
          expect(gate.aborted).to.equal(0);
          gate.release();
          const answer = dialect.answer(await peer.whole(), true);
          expect(answer).to.include({ status: 200, whole: true });
          expect(answer?.body.length).to.equal(1_000_008);
          expect(peer.errorCode).to.equal(null);
          expect(worker.requests[0]).to.include({ status: 200, aborted: undefined });
        });
      }
    }

    for (const dialect of ALL_DIALECTS) {
      for (const leave of ['ends its side', 'closes'] as const) {
        it(`that ${leave} in mid-body fails wsgi.input.read(): ${dialect.protocol} on ${over}`, async () => {
          const outcome: unknown[] = [];
          const peer = await start(dialect, over, async (environ, startResponse) => {
            outcome.push(await environ['wsgi.input'].read(4));
            outcome.push(await environ['wsgi.input'].read().catch((error: unknown) => error));
            // It stays an error: what follows never looks like the end.
            outcome.push(await environ['wsgi.input'].readline().catch((error: unknown) => error));
            return echo(environ, startResponse);
          });
          peer.send(dialect.head({ length: 10 }));
          peer.send(dialect.body('abcd'));
          await waitFor(() => outcome.length === 1, { what: 'the first read' });
          expect(String(outcome[0])).to.equal('abcd');
          if (leave === 'closes') peer.destroy();
          else peer.end();
          await waitFor(() => outcome.length === 3, { what: 'the other reads' });
          for (const error of outcome.slice(1)) {
            expect(error).to.be.instanceOf(GatewayError);
            expect(error).to.have.property('code', 'ERR_BODY_CLIENT_GONE');
          }
          await worker.quiet();
        });
      }
    }
  }

  it('is told from the end of a FastCGI body: STDIN that ends too early is ERR_BODY_TRUNCATED', async () => {
    const errors: unknown[] = [];
    const peer = await start(fastcgi, 'unix', async (environ, startResponse) => {
      await environ['wsgi.input'].read().catch((error: unknown) => errors.push(error));
      return echo(environ, startResponse);
    });
    peer.send(fastcgi.head({ length: 10 }));
    peer.send(fastcgi.body('abcd'));
    peer.send(fastcgi.bodyEnd());
    await peer.until('the response', (all) => readEnd(all));
    expect(errors[0]).to.have.property('code', 'ERR_BODY_TRUNCATED');
    expect(fastcgi.answer(peer.received)?.status).to.equal(400);
    expect(peer.over).to.equal(false);
  });

  it('takes all of its FastCGI requests with it', async () => {
    const peer = await start(fastcgi, 'unix');
    for (const id of [1, 2, 3]) peer.send(ask(fastcgi, '', { id }));
    peer.send(fcgiRecord(FcgiType.BEGIN_REQUEST, 4, Buffer.of(0, 1, 1, 0, 0, 0, 0, 0)));
    await waitFor(() => gate.calls.length === 3, { what: 'the requests to run' });
    peer.destroy();
    await waitFor(() => gate.aborted === 3, { what: 'all signals' });
    await waitFor(() => worker.requests.length === 3, { what: 'the access log' });
  });

  it('is not served if it left while it waited for a place', async () => {
    worker = await startWorker({
      listeners: [{ protocol: 'uwsgi' }],
      mounts: [{ app: gate.app }],
      limits: { requests: 1 },
    });
    const first = await worker.connect();
    first.send(ask(uwsgi));
    await waitFor(() => gate.calls.length === 1, { what: 'the first request to run' });
    const second = await worker.connect();
    second.send(ask(uwsgi));
    await waitFor(() => worker.worker.active === 2, { what: 'the second request to wait' });
    second.destroy();
    await waitFor(() => worker.requests.length === 1, { what: 'the access log' });
    expect(worker.requests[0]).to.include({ status: 499, aborted: 'queued' });
    gate.release();
    expect(uwsgi.answer(await first.whole(), true)?.status).to.equal(200);
    expect(gate.calls.length).to.equal(1);
  });
});
