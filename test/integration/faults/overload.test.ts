// More requests than may run, clients that leave before their turn, and a viaduct that does not accept for a while.
import { expect } from 'chai';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fcgiRecord, FcgiType } from '../../helpers/bytes.ts';
import { type Answer, ask, type Ask } from '../../helpers/dialects.ts';
import { faultTest, mountOf, type Stand } from '../../helpers/fault-stand.ts';
import type { HttpCall } from '../../helpers/http-client.ts';
import { descendantsOf } from '../../helpers/processes.ts';
import { expectSteady } from '../../helpers/steady-client.ts';
import { waitFor } from '../../helpers/wait.ts';

const RUNNING = 4;
const WAITING = 8;
const SHED = /^Refused request with 503: the queue is full$/;

/** One place, or a few, which no other mount takes. */
const gateOf = (requests: number, queue: number): object => mountOf('gate', { limits: { requests, queue } });

/** So many requests that wait for the gate, those in the queue included. */
async function fill(stand: Stand, count: number): Promise<HttpCall[]> {
  const calls = Array.from({ length: count }, () => stand.startCall({ path: '/full?id=1' }));
  await waitFor(
    async () =>
      (await stand.metric('http_server_active_requests', { mount: '/full' })) === RUNNING &&
      (await stand.metric('viaduct_queue_depth', { mount: '/full' })) === count - RUNNING,
    { what: `${RUNNING} requests to run and ${count - RUNNING} to wait` },
  );
  return calls;
}

/** The answer to one request on a connection of its own straight to viaduct, and how many milliseconds it took. */
async function direct(stand: Stand, options: Ask): Promise<{ answer: Answer; took: number }> {
  const peer = await stand.peer();
  const askedAt = performance.now();
  peer.send(ask(stand.dialect, '', { ...options, keepConn: false }));
  const answer = await peer.until('the answer', (all) => {
    const found = stand.dialect.answer(all, peer.over);
    return found?.whole === true ? found : null;
  });
  const took = performance.now() - askedAt;
  peer.destroy();
  return { answer, took };
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;

describe('fault: saturation', () => {
  faultTest(
    'is told 503 with Retry-After in under 10 ms, counted right, and over once the load is',
    {
      mounts: { '/full': gateOf(RUNNING, WAITING), '/open': 'gate' },
      config: { limits: { queue: 0 } },
      expected: { viaduct: [SHED] },
    },
    async (stand) => {
      const others = stand.steady();
      const calls = await fill(stand, RUNNING + WAITING);
      const took: number[] = [];
      for (let n = 0; n < 51; n += 1) {
        const { answer, took: one } = await direct(stand, { path: '/full' });
        expect(answer.status).to.equal(503);
        expect(answer.headers.get('retry-after')).to.match(/^[1-9]\d*$/);
        took.push(one);
      }
      expect(median(took)).to.be.below(10);
      const through = await stand.request({ path: '/full' });
      expect(through).to.include({ status: 503, complete: true });
      expect(through.header('retry-after')).to.match(/^[1-9]\d*$/);
      const shed = { mount: '/full', reason: 'queue_full' };
      expect(await stand.metric('viaduct_requests_shed_total', shed)).to.equal(52);
      expect(await stand.metric('viaduct_queue_depth')).to.equal(WAITING);
      await stand.request({ method: 'POST', path: '/open?id=1' });
      for (const call of calls) expect(await call.done).to.include({ status: 200, text: 'begun ended' });
      expect((await stand.request({ path: '/full?id=1' })).status).to.equal(200);
      expectSteady(await others.stop());
    },
  );
});

/** What track.js tells of one of its calls; null: it was never called. */
interface Report {
  aborted: number;
  reason: string | null;
}

describe('fault: clients that leave', () => {
  const report = async (stand: Stand, id: string): Promise<Report | null> =>
    JSON.parse((await stand.request({ path: `/r/report?id=${id}` })).text) as Report | null;
  const path = (id: string): string => `/t/run?id=${id}&mode=hang`;
  const depthOf = (stand: Stand, depth: number): Promise<boolean> =>
    waitFor(async () => (await stand.metric('viaduct_queue_depth', { mount: '/t' })) === depth, {
      what: `${depth} requests to wait`,
    });
  const started = (stand: Stand, id: string): Promise<Report> =>
    waitFor(() => report(stand, id), { what: `${id} to run` });
  const ended = (stand: Stand, id: string): Promise<Report> =>
    waitFor(async () => ((await report(stand, id))?.aborted === 1 ? report(stand, id) : null), {
      what: `the signal of ${id}`,
    });
  const mounts = { '/t': mountOf('track', { limits: { requests: 1, queue: 4 } }), '/r': 'track' };

  faultTest(
    'are taken out of the queue unserved, and are told of while they run',
    { mounts },
    async (stand) => {
      const running = stand.startCall({ path: path('running') });
      await started(stand, 'running');
      const waiting = stand.startCall({ path: path('waiting') });
      await depthOf(stand, 1);
      const last = stand.startCall({ path: path('last') });
      await depthOf(stand, 2);
      waiting.abort();
      await depthOf(stand, 1);
      running.abort();
      expect(await ended(stand, 'running')).to.include({ aborted: 1, reason: 'ERR_GATEWAY_CLIENT_GONE' });
      await started(stand, 'last');
      expect(await report(stand, 'waiting')).to.equal(null);
      last.abort();
      await ended(stand, 'last');
      const aborted = (phase: string): Promise<number> =>
        stand.metric('viaduct_requests_aborted_total', { mount: '/t', phase });
      expect([await aborted('queued'), await aborted('running')]).to.deep.equal([1, 2]);
    },
  );

  faultTest(
    'are no different without nginx, by ABORT_REQUEST or a plain close',
    { mounts },
    async (stand) => {
      const begin = async (id: string): Promise<() => void> => {
        const peer = await stand.peer();
        const params = ['QUERY_STRING', `id=${id}&mode=hang`];
        peer.send(ask(stand.dialect, '', { path: '/t/run', params, keepConn: true }));
        return () => {
          if (stand.way.protocol === 'fastcgi') peer.send(fcgiRecord(FcgiType.ABORT_REQUEST, 1));
          else peer.destroy();
        };
      };
      const leave = await begin('running');
      await started(stand, 'running');
      const leaveQueue = await begin('waiting');
      await depthOf(stand, 1);
      leaveQueue();
      await depthOf(stand, 0);
      leave();
      await ended(stand, 'running');
      expect(await report(stand, 'waiting')).to.equal(null);
    },
  );
});

describe('fault: a viaduct that is stopped for a while (SIGSTOP)', () => {
  const BACKLOG = 48;
  const listeners = ['fastcgi', 'uwsgi'].map((protocol) => ({
    address: `unix:{{dir}}/${protocol}.sock`,
    protocol,
    backlog: BACKLOG,
  }));

  faultTest(
    'costs 502s for what its backlog does not hold, and nothing afterwards',
    {
      config: { listeners },
      // EAGAIN: a Unix socket's full backlog makes nginx fail at once (ngx_event_connect_peer).
      expected: { nginx: [/connect\(\) to unix:\S+ failed \(11: Resource temporarily unavailable\)/] },
    },
    async (stand) => {
      const before = stand.steady();
      await before.moreAnswers(100);
      const all = [stand.daemon.pid, ...descendantsOf(stand.daemon.pid).map(({ pid }) => pid)];
      for (const pid of all) process.kill(pid, 'SIGSTOP');
      const stoppedAt = before.now;
      const flood = stand.steady({ connections: 128, rate: 1000 });
      await waitFor(() => flood.failed > 10, { what: 'nginx to be refused' });
      for (const pid of all) process.kill(pid, 'SIGCONT');
      const reports = [await flood.stop(), await before.stop()];
      for (const { failures } of reports)
        for (const failure of failures) expect(failure).to.include({ status: 502 });
      for (const { at } of reports[1]?.failures ?? []) expect(at).to.be.above(stoppedAt);
      const fresh = stand.steady();
      await fresh.moreAnswers(100);
      expectSteady(await fresh.stop());
    },
  );
});

describe('fault: 128 descriptors (RLIMIT_NOFILE)', () => {
  const FEW = { under: ['prlimit', '--nofile=128:128'] };
  const LOWERED = /^limits.connections is \d+ instead of 4096: the process may have 128 descriptors only/;

  faultTest(
    'turns connections beyond them away with 503 and Retry-After, and is as good as before afterwards',
    {
      mounts: { '/full': 'gate' },
      daemon: FEW,
      expected: { viaduct: [LOWERED] },
    },
    async (stand) => {
      const calls = Array.from({ length: 70 }, () => stand.startCall({ path: '/full?id=1' }));
      const refused = (): Promise<number> => stand.metric('viaduct_connections_dropped_total');
      const running = (): Promise<number> => stand.metric('http_server_active_requests', { mount: '/full' });
      await waitFor(async () => (await refused()) + (await running()) === 70, { what: 'all to be taken' });
      const few = await running();
      expect(few).to.be.within(20, 60);
      expect(await stand.metric('viaduct_connections')).to.be.at.most(128);
      const told = (): HttpCall[] => calls.filter(({ status }) => status === 503);
      await waitFor(() => told().length === 70 - few, { what: 'the others to be told' });
      for (const call of told()) expect((await call.done).header('retry-after')).to.match(/^\d+$/);
      // A place there was: its request is one of those that wait.
      for (const call of calls.slice(0, 20)) call.abort();
      await waitFor(async () => (await running()) <= few - 20, { what: 'places to come free' });
      await stand.request({ method: 'POST', path: '/full?id=1' });
      for (const call of calls.slice(20)) expect((await call.done).status).to.be.oneOf([200, 503]);
      const clients = stand.steady();
      await clients.moreAnswers(100);
      expectSteady(await clients.stop());
    },
  );

  faultTest(
    'is told of, in the log and in numbers, when an application has taken them all',
    {
      mounts: { '/hoard': 'hoard' },
      daemon: FEW,
      expected: {
        // A watchdog that is still starting just then cannot.
        viaduct: [LOWERED, /^No descriptor is left \(RLIMIT_NOFILE\)/, /^The watchdog has failed/],
        nginx: [/prematurely closed (connection|FastCGI stdout)|Connection reset by peer|Broken pipe/],
      },
    },
    async (stand) => {
      const dropped = (): Promise<number> =>
        stand.metric('viaduct_connections_dropped_total', { reason: 'fd_limit' });
      /** Leaves so many descriptors free while `look` looks. */
      const hoard = async (leave: number, look: () => Promise<unknown>): Promise<void> => {
        const until = join(stand.daemon.dir, `enough-${leave}`);
        expect((await stand.request({ path: `/hoard?leave=${leave}&until=${until}` })).status).to.equal(200);
        await look();
        await writeFile(until, '');
        await waitFor(async () => (await direct(stand, { path: '/' })).answer.status === 200, {
          what: 'to be served again',
        });
      };
      /** Until then each more connection takes a descriptor that came free again, of the request itself say. */
      const crowd = (isThere: () => Promise<boolean> | boolean, what: string): Promise<boolean> =>
        waitFor(
          async () => {
            await stand.peer();
            return isThere();
          },
          { what },
        );
      await hoard(20, () =>
        crowd(async () => {
          const { answer } = await direct(stand, { path: '/' });
          if (answer.status !== 503) return false;
          expect(answer.headers.get('retry-after')).to.match(/^\d+$/);
          return true;
        }, 'a 503'),
      );
      const told = await dropped();
      expect(told).to.be.at.least(1);
      // So few that a connection cannot even be told.
      await hoard(4, () => crowd(async () => (await dropped()) > told, 'one to be dropped'));
      // None: libuv closes a connection unseen.
      const isLogged = (): boolean =>
        stand.daemon.log().some(({ msg }) => String(msg).startsWith('No descriptor is left'));
      await hoard(0, () => crowd(isLogged, 'the log line'));
      const clients = stand.steady();
      await clients.moreAnswers(100);
      expectSteady(await clients.stop());
    },
  );
});
