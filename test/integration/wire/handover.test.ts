// Connections that leave one worker for another, both in this process, by way of a process that only sends them back: which
// leave when, and that no byte is lost or read twice. Between workers of their own: ../nginx/handover.test.ts.
import { expect } from 'chai';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Application } from '../../../src/gateway/contract.ts';
import { type Crossing, giveTo, Outbox } from '../../../src/runtime/handover.ts';
import { fcgiRecord, FcgiType } from '../../helpers/bytes.ts';
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
import { type Over, startWorker, type TestListener, type TestWorker } from '../../helpers/worker.ts';
import { echo, Gate, hello } from './apps.ts';

const { fastcgi, http } = DIALECTS;
/** Those that carry more than one request a connection. */
const KEEPING: readonly Dialect[] = [fastcgi, http];
const BIG = 4 * 1024 * 1024;

const big: Application = (_environ, startResponse) => {
  startResponse('200 OK', [['Content-Length', String(BIG)]]);
  return [Buffer.alloc(BIG, 'b')];
};

/** Sends every connection back. */
const MIRROR =
  "process.on('message', (message, handle) => process.send(message, handle, () => handle.close()));";

/** Cuts that lie between two records, after the body and before its end, which an application with CONTENT_LENGTH needs not. */
const answeredEarly = (dialect: Dialect): number => (dialect === fastcgi ? 1 : 0);

describe('wire: handing over', () => {
  let mirror: ChildProcess;
  let outbox: Outbox;
  let old: TestWorker;
  let next: TestWorker;
  let gate: Gate;
  let leaving: Promise<boolean> | null;

  before(() => {
    mirror = spawn(process.execPath, ['-e', MIRROR], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    outbox = new Outbox(mirror);
    mirror.on('message', (message, handle: unknown) => next.worker.adopt(message as Crossing, handle));
  });
  after(async () => {
    const exited = once(mirror, 'exit');
    mirror.disconnect();
    await exited;
  });
  beforeEach(() => {
    gate = new Gate();
    leaving = null;
  });
  afterEach(async () => {
    gate.release();
    await leaving;
    for (const worker of [old, next]) {
      await worker.stop();
      await worker.quiet();
    }
  });

  /** Two workers of one configuration. */
  async function start(listener: TestListener, limits: { connections?: number } = {}): Promise<void> {
    const one = (): Promise<TestWorker> =>
      startWorker({
        listeners: [listener],
        limits,
        mounts: [
          { app: hello },
          { path: '/echo', app: echo },
          { path: '/gate', app: gate.app },
          { path: '/big', app: big },
        ],
      });
    [old, next] = [await one(), await one()];
  }

  function leave(graceful = 10_000): void {
    leaving = old.worker.leave(graceful, [giveTo(outbox, 0)]);
  }

  const count = ({ connections }: TestWorker): number =>
    Object.values(connections).reduce((sum, value) => sum + value, 0);

  const connections = (worker: TestWorker, wanted: number): Promise<unknown> =>
    waitFor(() => count(worker) === wanted, { what: `${wanted} connections` });

  /** The next answer on `peer`; what came before is forgotten. */
  async function answer(dialect: Dialect, peer: Peer): Promise<Answer> {
    const found = await peer.until('the answer', (all) => {
      const read = dialect.answer(all, peer.over);
      return read?.whole === true && read;
    });
    peer.forget();
    return found;
  }

  for (const over of ['unix', 'tcp'] as const satisfies readonly Over[]) {
    for (const dialect of ALL_DIALECTS) {
      for (const protocol of [dialect.protocol, 'auto'] as const) {
        it(`moves a connection that has had no request: ${dialect.protocol} on ${protocol} over ${over}`, async () => {
          await start({ protocol, over });
          const peer = await old.connect();
          await connections(old, 1);
          leave();
          expect(await leaving).to.equal(true);
          await connections(next, 1);
          expect(next.connections).to.deep.equal({ idle: 1, reading: 0, active: 0 });
          expect(count(old)).to.equal(0);
          expect([old.accepted, next.accepted]).to.deep.equal([1, 0]);

          peer.send(ask(dialect, 'abc', { path: '/echo' }));
          expect((await answer(dialect, peer)).body.toString()).to.equal('abc');
          expect([old.requests.length, next.requests.length]).to.deep.equal([0, 1]);
        });
      }
    }

    for (const dialect of KEEPING) {
      it(`moves a kept connection between two requests: ${dialect.protocol} over ${over}`, async () => {
        await start({ protocol: dialect.protocol, over });
        const peer = await old.connect();
        peer.send(ask(dialect, 'one', { path: '/echo' }));
        expect((await answer(dialect, peer)).body.toString()).to.equal('one');
        leave();
        expect(await leaving).to.equal(true);
        peer.send(ask(dialect, 'two', { path: '/echo' }));
        expect((await answer(dialect, peer)).body.toString()).to.equal('two');
        expect([old.requests.length, next.requests.length]).to.deep.equal([1, 1]);
      });

      it(`moves a busy connection as soon as it has answered: ${dialect.protocol} over ${over}`, async () => {
        await start({ protocol: dialect.protocol, over });
        const peer = await old.connect();
        peer.send(ask(dialect, '', { path: '/gate' }));
        await waitFor(() => gate.calls.length === 1, { what: 'the request to run' });
        leave();
        expect(count(next)).to.equal(0);
        gate.release();
        const { headers, body } = await answer(dialect, peer);
        expect(body.toString()).to.equal('hello');
        expect(headers.get('connection')).not.to.equal('close');
        // Before it was read here, and so before its peer can send the next request.
        expect(count(old)).to.equal(0);
        expect(await leaving).to.equal(true);
        await connections(next, 1);
        peer.send(ask(dialect));
        expect((await answer(dialect, peer)).body.toString()).to.equal('hello');
        expect(peer.over).to.equal(false);
      });

      it(`moves it only when the response has left: ${dialect.protocol} over ${over}`, async () => {
        await start({ protocol: dialect.protocol, over });
        const peer = await old.connect();
        peer.pause();
        peer.send(ask(dialect, '', { path: '/big' }));
        await waitFor(() => old.requests.length === 1, { what: 'the application to be done' });
        leave();
        await nextTurn();
        expect([count(old), count(next)]).to.deep.equal([1, 0]);
        peer.resume();
        expect((await answer(dialect, peer)).body.length).to.equal(BIG);
        expect(await leaving).to.equal(true);
        peer.send(ask(dialect));
        expect((await answer(dialect, peer)).body.toString()).to.equal('hello');
      });
    }
  }

  /** Connections with something sent on each, all of it read. */
  async function connectAll(dialect: Dialect, contents: readonly Buffer[]): Promise<Peer[]> {
    const peers: Peer[] = [];
    for (const content of contents) {
      const peer = await old.connect();
      peer.send(content);
      peers.push(peer);
    }
    // Whoever came last is answered last.
    const last = await old.connect();
    last.send(ask(dialect));
    await answer(dialect, last);
    last.destroy();
    await connections(old, peers.length);
    return peers;
  }

  for (const dialect of ALL_DIALECTS) {
    for (const protocol of [dialect.protocol, 'auto'] as const) {
      it(`goes on with a request wherever it was cut: ${dialect.protocol} on ${protocol}`, async () => {
        await start({ protocol });
        const request = ask(dialect, 'abc', { path: '/echo' });
        const peers = await connectAll(
          dialect,
          Array.from({ length: request.length - 1 }, (_, at) => request.subarray(0, at + 1)),
        );
        leave();
        await connections(next, answeredEarly(dialect));
        await nextTurn();
        expect(count(old)).to.equal(peers.length - answeredEarly(dialect));
        for (const [at, peer] of peers.entries()) peer.send(request.subarray(at + 1));
        for (const peer of peers) expect((await answer(dialect, peer)).body.toString()).to.equal('abc');
        expect([old.requests.length, next.requests.length]).to.deep.equal([peers.length + 1, 0]);
        if (KEEPING.includes(dialect)) {
          expect(await leaving).to.equal(true);
          for (const peer of peers) peer.send(request);
          for (const peer of peers) expect((await answer(dialect, peer)).body.toString()).to.equal('abc');
          expect(next.requests.length).to.equal(peers.length);
        }
        for (const peer of peers) peer.end();
        expect([old.protocolErrors, next.protocolErrors]).to.deep.equal([{}, {}]);
      });
    }
  }

  for (const dialect of KEEPING) {
    it(`stays where the next request began in the chunk of the last: ${dialect.protocol}`, async () => {
      await start({ protocol: dialect.protocol });
      const first = ask(dialect, '', { path: '/gate' });
      const second = ask(dialect, 'two', { path: '/echo', id: 2 });
      const peers = await connectAll(
        dialect,
        Array.from({ length: second.length - 1 }, (_, at) =>
          Buffer.concat([first, second.subarray(0, at + 1)]),
        ),
      );
      leave();
      gate.release();
      for (const peer of peers) await peer.until('the first answer', (all) => dialect.answer(all)?.whole);
      await connections(next, answeredEarly(dialect));
      await nextTurn();
      expect(count(old)).to.equal(peers.length - answeredEarly(dialect));
      for (const [at, peer] of peers.entries()) peer.send(second.subarray(at + 1));
      for (const peer of peers) await peer.until('the second answer', (all) => all.includes('two'));
      expect(await leaving).to.equal(true);
      expect(old.requests.length).to.equal(2 * peers.length + 1);
      await connections(next, peers.length);
    });
  }

  it('waits for the end of the record where a request was answered before all of it came', async () => {
    await start({ protocol: 'fastcgi' });
    const peer = await old.connect();
    const record = fcgiRecord(FcgiType.STDIN, 1, 'x'.repeat(100));
    peer.send(fastcgi.head({ path: '/', length: 200 }));
    peer.send(record.subarray(0, 50));
    await answer(fastcgi, peer);
    leave();
    await waitFor(() => old.connections['active'] === 0, { what: 'the request to be over' });
    expect([count(old), count(next)]).to.deep.equal([1, 0]);
    peer.send(record.subarray(50));
    expect(await leaving).to.equal(true);
    // What is left of the body belongs to a request that is over, and the next one is no worse for it.
    peer.send(record);
    peer.send(fastcgi.bodyEnd());
    peer.send(ask(fastcgi, 'abc', { path: '/echo' }));
    expect((await answer(fastcgi, peer)).body.toString()).to.equal('abc');
    expect([old.protocolErrors, next.protocolErrors]).to.deep.equal([{}, {}]);
  });

  it('waits for every request of a connection', async () => {
    await start({ protocol: 'fastcgi' });
    const peer = await old.connect();
    for (const id of [1, 2]) peer.send(ask(fastcgi, '', { id, path: '/gate' }));
    await waitFor(() => gate.calls.length === 2, { what: 'both to run' });
    leave();
    gate.release(1);
    await peer.until('request 2', (all) => readEnd(all, 2));
    expect(count(next)).to.equal(0);
    gate.release();
    await peer.until('request 1', (all) => readEnd(all, 1));
    expect(await leaving).to.equal(true);
    await connections(next, 1);
  });

  it('closes after its response what the peer does not keep', async () => {
    await start({ protocol: 'fastcgi' });
    const peer = await old.connect();
    peer.send(ask(fastcgi, '', { path: '/gate', keepConn: false }));
    await waitFor(() => gate.calls.length === 1, { what: 'the request to run' });
    leave();
    gate.release();
    expect(readFcgi(await peer.whole())?.body.toString()).to.equal('hello');
    peer.end();
    expect(await leaving).to.equal(true);
    expect(count(next)).to.equal(0);
  });

  it('loses no byte that is sent at that moment, and reads none twice', async () => {
    for (const dialect of KEEPING) {
      for (let turns = 0; turns < 40; turns += 1) {
        await start({ protocol: dialect.protocol, over: turns % 2 === 0 ? 'unix' : 'tcp' });
        const peers = await Promise.all(Array.from({ length: 10 }, () => old.connect()));
        await connections(old, peers.length);
        const request = ask(dialect, 'z'.repeat(1 + turns * 997), { path: '/echo' });
        const cut = Math.floor((request.length * turns) / 40);
        for (const peer of peers) peer.send(request.subarray(0, cut));
        for (let turn = 0; turn < turns % 4; turn += 1) await nextTurn();
        leave();
        for (const peer of peers) peer.send(request.subarray(cut));
        for (const peer of peers) expect((await answer(dialect, peer)).body.length).to.equal(1 + turns * 997);
        expect(await leaving).to.equal(true);
        expect(old.requests.length + next.requests.length).to.equal(peers.length);
        expect([old.protocolErrors, next.protocolErrors]).to.deep.equal([{}, {}]);
        for (const worker of [old, next]) await worker.stop();
      }
    }
  });

  for (const over of ['unix', 'tcp'] as const satisfies readonly Over[]) {
    it(`lets the next worker find out that a peer has left: over ${over}`, async () => {
      await start({ protocol: 'fastcgi', over });
      const peers = await Promise.all(Array.from({ length: 20 }, () => old.connect()));
      await connections(old, 20);
      for (const [index, peer] of peers.entries()) {
        if (index % 2 === 0) peer.destroy();
        else peer.end();
      }
      leave();
      for (const peer of peers.filter((_, index) => index % 2 === 1)) await peer.whole();
      expect(await leaving).to.equal(true);
      await next.quiet();
      expect([old.protocolErrors, next.protocolErrors]).to.deep.equal([{}, {}]);
    });
  }

  it('refuses what the next worker has no place for', async () => {
    await start({ protocol: 'fastcgi' }, { connections: 1 });
    const kept = await next.connect();
    await connections(next, 1);
    const peer = await old.connect();
    await connections(old, 1);
    leave();
    peer.send(ask(fastcgi));
    expect((await answer(fastcgi, peer)).status).to.equal(503);
    await peer.whole();
    peer.end();
    expect(next.dropped).to.deep.equal({ connection_limit: 1 });
    kept.end();
  });

  it('closes a connection whose protocol the next worker does not serve there', async () => {
    await start({ protocol: 'fastcgi' });
    await next.stop();
    next = await startWorker({ listeners: [{ protocol: 'uwsgi' }], mounts: [{ app: hello }] });
    const peer = await old.connect();
    peer.send(ask(fastcgi));
    await answer(fastcgi, peer);
    leave();
    await peer.whole();
    peer.end();
    expect(next.dropped).to.deep.equal({ handover: 1 });
    expect(next.protocolErrors).to.deep.equal({});
  });

  it('closes the connections of a listener that nobody goes on with', async () => {
    await start({ protocol: 'fastcgi' });
    const peer = await old.connect();
    await connections(old, 1);
    leaving = old.worker.leave(10_000, [null]);
    expect((await peer.whole()).length).to.equal(0);
    peer.end();
    expect(await leaving).to.equal(true);
  });

  it('gives on what comes to a worker that leaves itself, and closes it on one that stops', async () => {
    await start({ protocol: 'fastcgi' });
    const peer = await old.connect();
    await connections(old, 1);
    const third = await startWorker({ listeners: [{ protocol: 'fastcgi' }], mounts: [{ app: hello }] });
    const busy = await next.connect();
    busy.send(ask(fastcgi, '', { path: '/gate' }));
    await waitFor(() => gate.calls.length === 1, { what: 'the request to run' });
    const nextLeaves = next.worker.leave(10_000, [
      (handle, protocol) => third.worker.adopt({ listener: 0, protocol }, handle),
    ]);
    leave();
    await connections(third, 1);
    peer.send(ask(fastcgi));
    expect((await answer(fastcgi, peer)).body.toString()).to.equal('hello');

    const stopped = third.worker.stop(0);
    gate.release();
    await busy.until('its answer', (all) => readEnd(all));
    await busy.whole();
    expect(await nextLeaves).to.equal(true);
    peer.end();
    await stopped;
    await third.stop();
  });

  for (const dialect of KEEPING) {
    it(`ends in time with a request that does not, and its connection goes on: ${dialect.protocol}`, async () => {
      await start({ protocol: dialect.protocol });
      const peer = await old.connect();
      peer.send(ask(dialect, '', { path: '/gate' }));
      await waitFor(() => gate.calls.length === 1, { what: 'the request to run' });
      leave(100);
      const { status, headers } = await answer(dialect, peer);
      expect(status).to.equal(503);
      expect(headers.get('connection')).not.to.equal('close');
      expect(await leaving).to.equal(false);
      // Closed, it would meet the next request: nginx sends one as soon as it has the answer.
      peer.send(ask(dialect));
      expect((await answer(dialect, peer)).body.toString()).to.equal('hello');
      expect(next.requests.length).to.equal(1);
    });
  }

  it('takes no new connections meanwhile', async () => {
    await start({ protocol: 'fastcgi', over: 'tcp' });
    const address = old.address();
    const peer = await old.connect();
    peer.send(ask(fastcgi, '', { path: '/gate' }));
    await waitFor(() => gate.calls.length === 1, { what: 'the request to run' });
    leave();
    const refused = await Peer.connect(address).catch((error: unknown) => error);
    expect(refused).to.have.property('code', 'ECONNREFUSED');
  });
});
