// Workers and masters that die, hang, leak or cannot start: what it costs, and how it ends.
import { expect } from 'chai';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startAgain } from '../../helpers/daemon.ts';
import { faultTest, mountOf, type Stand } from '../../helpers/fault-stand.ts';
import { expectSteady, type SteadyReport } from '../../helpers/steady-client.ts';
import { waitFor } from '../../helpers/wait.ts';

/** What nginx says of connections that ended with their worker. */
const LOST = [
  /upstream prematurely closed (connection|FastCGI)/,
  /(recv|readv|writev|sendfile)\(\) failed \((104: Connection reset by peer|32: Broken pipe)\)/,
];
const ENDED = /^A worker ended by /;

async function serving(stand: Stand, workers: number): Promise<number[]> {
  return waitFor(
    async () => {
      const pids = await stand.daemon.workers();
      return pids.length === workers ? pids : null;
    },
    { what: `${workers} workers to serve`, timeout: 10_000 },
  );
}

/** The failures are those of requests inside a worker that was killed then: 502, and not later than that. */
function expectOnlyLost(report: SteadyReport, from: number, to: number): void {
  for (const failure of report.failures) {
    expect(failure.status, failure.what).to.equal(502);
    expect(failure.at, failure.what).to.be.within(from, to);
  }
}

describe('fault: a worker is killed', () => {
  faultTest(
    'in the middle of a request: that one is lost, and another worker stands in for it',
    {
      mounts: { '/t': 'track' },
      config: { workers: 2 },
      expected: { viaduct: [ENDED], nginx: LOST },
    },
    async (stand) => {
      await serving(stand, 2);
      const clients = stand.steady();
      const call = stand.startCall({ method: 'POST', path: '/t/run?id=1&mode=hang', body: 'x' });
      const victim = await waitFor(
        async () => (await stand.daemon.status()).workers.find(({ in_flight: count }) => count > 0)?.pid,
        { what: 'the request to run' },
      );
      const killedAt = clients.now;
      process.kill(victim, 'SIGKILL');
      expect((await call.done).status).to.equal(502);
      await clients.moreAnswers(20);
      const servedAt = clients.now;
      await waitFor(async () => !(await serving(stand, 2)).includes(victim), { what: 'a replacement' });
      expect(clients.now - killedAt).to.be.below(5000);
      await clients.moreAnswers(50);
      expectOnlyLost(await clients.stop(), killedAt, servedAt);
      await waitFor(
        async () => (await stand.metric('viaduct_worker_exits_total', { reason: 'signal' })) === 1,
        {
          what: 'its end to be counted',
        },
      );
    },
  );

  faultTest(
    'all of them at once, by SIGSEGV: what comes meanwhile waits, and is answered',
    { config: { workers: 2 }, expected: { viaduct: [ENDED], nginx: LOST } },
    async (stand) => {
      const pids = await serving(stand, 2);
      const clients = stand.steady();
      await clients.moreAnswers(50);
      const killedAt = clients.now;
      for (const pid of pids) process.kill(pid, 'SIGSEGV');
      await sleep(100);
      const gone = clients.now;
      await clients.moreAnswers(200);
      expectOnlyLost(await clients.stop(), killedAt, gone);
      expect((await serving(stand, 2)).filter((pid) => pids.includes(pid))).to.deep.equal([]);
      expect(await stand.metric('viaduct_worker_exits_total', { reason: 'crash' })).to.equal(2);
    },
  );
});

describe('fault: the master is killed', () => {
  faultTest(
    'its workers end within a second, and the next one starts over what it left',
    { config: { workers: 2 }, survives: false, expected: { viaduct: [/^The master is gone/], nginx: LOST } },
    async (stand) => {
      await serving(stand, 2);
      const workers = stand.leftovers.look();
      expect(workers).to.have.lengthOf(2);
      const clients = stand.steady({ rate: 50 });
      await clients.moreAnswers(10);
      await clients.stop();
      const before = performance.now();
      stand.daemon.kill('SIGKILL');
      const isGone = ({ pid }: { pid: number }): boolean => !existsSync(`/proc/${pid}/fd/0`);
      await waitFor(() => workers.every(isGone), { what: 'the workers to end' });
      expect(performance.now() - before).to.be.below(1500);
      const next = await startAgain(stand.daemon);
      const fresh = stand.steady();
      await fresh.moreAnswers(50);
      expectSteady(await fresh.stop());
      expect(await next.stop()).to.equal(0);
    },
  );
});

describe('fault: a worker that blocks its event loop', () => {
  const SPIN = `
import { writeFileSync } from 'node:fs';
export const application = () => spinInTheApp();
function spinInTheApp() {
  writeFileSync(new URL('spinning', import.meta.url), '');
  for (;;);
}
`;
  faultTest(
    'costs what it holds; it is killed after timeouts.stuck, and its log line names the function',
    {
      mounts: { '/spin': { app: './spin.mjs' } },
      config: { workers: 2, timeouts: { stuck: '1s' } },
      daemon: { files: { 'spin.mjs': SPIN } },
      expected: { viaduct: [ENDED, /event loop|stuck/i], nginx: LOST },
    },
    async (stand) => {
      await serving(stand, 2);
      const call = stand.startCall({ path: '/spin', method: 'POST', body: 'x' });
      await waitFor(() => existsSync(join(stand.daemon.dir, 'spinning')), { what: 'it to hang' });
      // No connection of these is inside the worker that hangs: it accepts none any more.
      const clients = stand.steady();
      await clients.moreAnswers(50);
      const took: number[] = [];
      for (let n = 0; n < 5; n += 1) {
        const before = performance.now();
        expect((await stand.daemon.admin(n % 2 === 0 ? '/metrics' : '/status.json')).status).to.equal(200);
        took.push(performance.now() - before);
      }
      // It waits 50 ms for the worker; what is above that is this machine's.
      expect(Math.min(...took)).to.be.below(100);
      expect((await call.done).status).to.equal(502);
      expectSteady(await clients.stop());
      await waitFor(
        async () => (await stand.metric('viaduct_worker_exits_total', { reason: 'stuck' })) === 1,
        {
          what: 'its end to be counted',
        },
      );
      await serving(stand, 2);
      const line = stand.daemon.log().find(({ stack }) => String(stack).includes('spinInTheApp'));
      expect(line).to.include({ level: 'error' });
    },
  );
});

describe('fault: an app that cannot start', () => {
  const BROKEN = 'process.exit(1);\n';
  const GOOD = `
export const application = (environ, startResponse) => {
  startResponse('200 OK', []);
  return [Buffer.from('mended')];
};
`;
  faultTest(
    'answers 503 with Retry-After, beside one that is well; it is tried again with pauses until it is mended',
    {
      mounts: { '/bad': { app: './bad.mjs' } },
      config: { workers: 2 },
      daemon: { files: { 'bad.mjs': BROKEN }, degraded: true },
      expected: { viaduct: [ENDED, /did not boot/, /app_failed|Refused request with 503/] },
    },
    async (stand) => {
      const clients = stand.steady();
      const bad = await stand.request({ path: '/bad' });
      expect(bad.status).to.equal(503);
      expect(bad.header('retry-after')).to.match(/^\d+$/);
      const ready = await stand.daemon.admin('/readyz');
      expect(ready.status).to.equal(503);
      expect(ready.text).to.include('/bad');
      const before = await stand.metric('viaduct_worker_spawns_total');
      await sleep(1500);
      // With 0.2 s, 0.4 s, 0.8 s between tries; each costs a worker that died of the app and one that lives without it.
      expect((await stand.metric('viaduct_worker_spawns_total')) - before).to.be.within(1, 20);
      await writeFile(join(stand.daemon.dir, 'bad.mjs'), GOOD);
      await waitFor(async () => (await stand.request({ path: '/bad' })).text === 'mended', {
        what: 'the mended app',
        timeout: 8000,
      });
      await waitFor(async () => (await stand.daemon.admin('/readyz')).status === 200, {
        what: 'all to be well',
        timeout: 8000,
      });
      expectSteady(await clients.stop());
    },
  );
});

describe('fault: memory', () => {
  faultTest(
    'an app that leaks is recycled at recycle.max_memory, one worker at a time, and no request is lost',
    {
      mounts: { '/leak': 'leak' },
      config: { workers: 2, recycle: { max_memory: '100M', jitter: '20%' } },
      timeout: 30_000,
    },
    async (stand) => {
      await serving(stand, 2);
      const clients = stand.steady({ rate: 200 });
      let fewest = 2;
      const recycled = (): Promise<number> =>
        stand.metric('viaduct_worker_exits_total', { reason: 'max_memory' });
      while ((await recycled()) < 2) {
        expect(await stand.request({ path: '/leak?kb=1024' })).to.include({ status: 200 });
        fewest = Math.min(fewest, (await stand.daemon.workers()).length);
        expect(clients.now).to.be.below(25_000);
      }
      expect(fewest).to.equal(2);
      expectSteady(await clients.stop());
    },
  );

  faultTest(
    'a heap that is full ends its worker, which is told from a crash',
    {
      mounts: { '/die': 'suicide' },
      config: { workers: 2 },
      daemon: { env: { NODE_OPTIONS: '--max-old-space-size=48' } },
      expected: { viaduct: [ENDED, /heap/i], nginx: LOST },
    },
    async (stand) => {
      await serving(stand, 2);
      expect((await stand.request({ method: 'POST', path: '/die?how=heap', body: 'x' })).status).to.equal(
        502,
      );
      await waitFor(async () => (await stand.metric('viaduct_worker_exits_total', { reason: 'oom' })) === 1, {
        what: 'the end to be counted',
      });
      const clients = stand.steady();
      await clients.moreAnswers(50);
      expectSteady(await clients.stop());
      await serving(stand, 2);
    },
  );

  faultTest(
    'a worker that has served recycle.max_requests is replaced before it ends, and no request is lost',
    {
      mounts: { '/': mountOf('steady') },
      config: { workers: 2, recycle: { max_requests: 100, jitter: '20%' } },
      timeout: 30_000,
    },
    async (stand) => {
      await serving(stand, 2);
      const clients = stand.steady({ rate: 500, connections: 32 });
      await waitFor(
        async () => (await stand.metric('viaduct_worker_exits_total', { reason: 'max_requests' })) >= 3,
        { what: '3 workers to be recycled', timeout: 20_000 },
      );
      expectSteady(await clients.stop());
    },
  );
});
