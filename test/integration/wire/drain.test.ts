// Stopping: what runs is finished, what is idle is closed, nothing new is taken, and nothing is left behind.
import { expect } from 'chai';
import { existsSync } from 'node:fs';
import {
  ALL_DIALECTS,
  type Answer,
  ask,
  type Dialect,
  DIALECTS,
  readEnd,
  readFcgi,
} from '../../helpers/dialects.ts';
import { Peer } from '../../helpers/peer.ts';
import { waitFor } from '../../helpers/wait.ts';
import { type Over, startWorker, type TestWorker } from '../../helpers/worker.ts';
import { echo, Gate, hello } from './apps.ts';

const { fastcgi } = DIALECTS;

const whole = (dialect: Dialect, peer: Peer): Promise<Answer> =>
  peer.until('the answer', (all) => {
    const found = dialect.answer(all, peer.over);
    return found?.whole === true ? found : null;
  });

const countHandles = (): number =>
  process.getActiveResourcesInfo().filter((name) => /TCP|Pipe|Server/.test(name)).length;

describe('wire: stopping', () => {
  let worker: TestWorker;
  let gate: Gate;

  beforeEach(() => {
    gate = new Gate();
  });
  afterEach(async () => {
    await worker.stop();
    await worker.quiet();
  });

  async function start(dialect: Dialect, over: Over): Promise<void> {
    worker = await startWorker({
      listeners: [{ protocol: dialect.protocol, over }],
      mounts: [{ app: hello }, { path: '/echo', app: echo }, { path: '/gate', app: gate.app }],
    });
  }

  for (const over of ['unix', 'tcp'] as const) {
    for (const dialect of ALL_DIALECTS) {
      it(`finishes what runs, and takes nothing new: ${dialect.protocol} over ${over}`, async () => {
        await start(dialect, over);
        const address = worker.address();
        const running = await worker.connect();
        running.send(ask(dialect, '', { path: '/gate' }));
        const uploading = await worker.connect();
        uploading.send(dialect.head({ path: '/echo', length: 6 }));
        uploading.send(dialect.body('abc'));
        const idle = await worker.connect();
        await waitFor(() => worker.worker.active === 2, { what: 'two requests to run' });
        await waitFor(() => worker.connections['idle'] === 1, { what: 'an idle connection' });

        const stopping = worker.stop(5000);
        expect((await idle.whole()).length).to.equal(0);
        expect(idle.errorCode).to.equal(null);
        if (address.kind === 'unix') expect(existsSync(address.path)).to.equal(false);
        const refused = await Peer.connect(address).catch((error: unknown) => error);
        expect(refused).to.have.property('code', address.kind === 'unix' ? 'ENOENT' : 'ECONNREFUSED');

        expect(running.over).to.equal(false);
        uploading.send(dialect.body('def'));
        uploading.send(dialect.bodyEnd());
        expect((await whole(dialect, uploading)).body.toString()).to.equal('abcdef');
        gate.release();
        expect((await whole(dialect, running)).body.toString()).to.equal('hello');
        expect(gate.aborted).to.equal(0);
        for (const peer of [running, uploading, idle]) {
          await peer.whole();
          expect(peer.errorCode).to.equal(null);
          peer.end();
        }
        expect(await stopping).to.equal(true);
        expect(worker.worker.active).to.equal(0);
      });

      it(`cuts off what does not end in time: ${dialect.protocol} over ${over}`, async () => {
        await start(dialect, over);
        const peer = await worker.connect();
        peer.send(ask(dialect, '', { path: '/gate' }));
        await waitFor(() => gate.calls.length === 1, { what: 'the request to run' });
        const stopping = worker.stop(100);
        expect((await whole(dialect, peer)).status).to.equal(503);
        peer.end();
        expect(await stopping).to.equal(false);
        expect(gate.calls[0]?.['viaduct.signal'].reason).to.include({ code: 'ERR_GATEWAY_SHUTDOWN' });
        gate.release();
      });
    }
  }

  it('closes kept FastCGI connections right after END_REQUEST, with all that was asked on them', async () => {
    await start(fastcgi, 'unix');
    const peer = await worker.connect();
    for (const id of [1, 2]) peer.send(ask(fastcgi, '', { id, path: '/gate' }));
    await waitFor(() => gate.calls.length === 2, { what: 'both to run' });
    const stopping = worker.stop(5000);
    gate.release(0);
    await peer.until('request 1', (all) => readEnd(all, 1));
    expect(peer.over).to.equal(false);
    gate.release();
    const received = await peer.whole();
    peer.end();
    expect(readFcgi(received, 2)?.body.toString()).to.equal('hello');
    expect(await stopping).to.equal(true);
  });

  it('does not wait for peers that keep their side open', async () => {
    await start(fastcgi, 'unix');
    const peer = await worker.connect();
    peer.send(ask(fastcgi));
    await peer.until('the answer', (all) => readEnd(all));
    const stoppedAt = performance.now();
    expect(await worker.stop(5000)).to.equal(true);
    expect(performance.now() - stoppedAt).to.be.below(4000);
  });

  it('leaves no handle behind', async () => {
    const before = countHandles();
    for (const dialect of ALL_DIALECTS) {
      for (const over of ['unix', 'tcp'] as const) {
        await start(dialect, over);
        const peer = await worker.connect();
        peer.send(ask(dialect));
        await whole(dialect, peer);
        peer.destroy();
        await worker.stop(1000);
      }
    }
    await waitFor(() => countHandles() <= before, { what: 'all handles to be closed' });
  });

  it('stopNow() cuts off everything', async () => {
    await start(fastcgi, 'unix');
    const peer = await worker.connect();
    peer.send(ask(fastcgi, '', { path: '/gate' }));
    await waitFor(() => gate.calls.length === 1, { what: 'the request to run' });
    const stopping = worker.stop(60_000);
    worker.worker.stopNow();
    await peer.whole();
    expect(gate.aborted).to.equal(1);
    gate.release();
    expect(await stopping).to.equal(false);
  });
});
