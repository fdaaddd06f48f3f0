// Reloads under load: good ones, bad ones, storms of them, and requests that outlast them. No client may notice.
import { expect } from 'chai';
import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { faultTest, mountOf, type Stand } from '../../helpers/fault-stand.ts';
import { hashOf, patternBytes } from '../../helpers/pattern.ts';
import { expectSteady } from '../../helpers/steady-client.ts';
import { waitFor } from '../../helpers/wait.ts';

/** With each of the two protocols; `npm run test:soak` does hundreds. */
const RELOADS = 25;
const WORKERS = 2;

/** The mounts of a release that steady.js tells the name of. */
const release = (name: string, more: object = {}): Record<string, object> => ({
  '/': mountOf('steady', { env: { RELEASE: name } }),
  ...more,
});

/** Every worker serves, and is of one and the same generation. */
async function consistent(stand: Stand, workers = WORKERS): Promise<number> {
  return waitFor(
    async () => {
      const { workers: all, generation } = await stand.daemon.status();
      const fits = all.every((each) => each.state === 'ready' && each.generation === generation);
      return fits && all.length === workers ? generation : null;
    },
    { what: 'the old workers to be gone', timeout: 10_000 },
  );
}

describe('fault: reloads under load', () => {
  faultTest(
    `${RELOADS} of them, by HUP and by command, fail no request of 64 connections`,
    { mounts: release('0'), config: { workers: WORKERS }, timeout: 180_000 },
    async (stand) => {
      const clients = stand.steady({ rate: 500, connections: 64, maxTime: 150_000 });
      await clients.moreAnswers(500);
      for (let n = 1; n <= RELOADS; n += 1) {
        await stand.bridge.configure({ mounts: release(String(n)) });
        if (n % 2 === 0) stand.daemon.kill('SIGHUP');
        else expect(await stand.reload()).to.include({ code: 0 });
        await waitFor(async () => (await stand.metric('viaduct_reloads_total', { result: 'ok' })) === n, {
          what: `reload ${n}`,
          timeout: 10_000,
        });
      }
      await clients.moreAnswers(200);
      const report = await clients.stop();
      expectSteady(report);
      expect([...report.releases.keys()]).to.include.members(['0', String(RELOADS)]);
      expect((await stand.request({ path: '/' })).header('x-release')).to.equal(String(RELOADS));
      await consistent(stand);
      expect(await stand.metric('viaduct_worker_exits_total', { reason: 'reload' })).to.equal(
        RELOADS * WORKERS,
      );
      expect(await stand.metric('viaduct_worker_spawns_total')).to.equal((RELOADS + 1) * WORKERS);
    },
  );

  faultTest(
    'a storm of 20 HUPs, with USR1 and TTIN among them, ends in one generation and few reloads',
    { mounts: release('old'), config: { workers: WORKERS }, timeout: 30_000 },
    async (stand) => {
      const clients = stand.steady();
      await clients.moreAnswers(50);
      await stand.bridge.configure({ mounts: release('new') });
      for (let n = 0; n < 20; n += 1) {
        stand.daemon.kill('SIGHUP');
        if (n % 5 === 0) stand.daemon.kill('SIGUSR1');
        if (n % 7 === 0) stand.daemon.kill('SIGTTIN');
        await sleep(50);
      }
      expect(await stand.reload()).to.include({ code: 0 });
      await consistent(stand);
      const reloads = await stand.metric('viaduct_reloads_total', { result: 'ok' });
      expect(reloads).to.be.within(2, 15);
      expect((await stand.request({ path: '/' })).header('x-release')).to.equal('new');
      await clients.moreAnswers(50);
      expectSteady(await clients.stop());
    },
  );

  faultTest(
    'uploads and streams that outlast several of them arrive whole',
    {
      mounts: release('0', { '/up': 'describe', '/events': 'events' }),
      config: { workers: WORKERS },
      location: '{{module}}_request_buffering off;',
      // log.slow has them.
      expected: { viaduct: [/^Slow request: /] },
      timeout: 30_000,
    },
    async (stand) => {
      const body = patternBytes(300_000);
      const upload = stand.startCall({
        method: 'POST',
        path: '/up',
        headers: [['Content-Length', String(body.length)]],
        manualBody: true,
      });
      await upload.send(body.subarray(0, 1000));
      const stream = stand.startCall({ path: '/events?count=25&every=100' });
      await stream.waitForBytes(1);
      for (let n = 1; n <= 3; n += 1) {
        await stand.bridge.configure({
          mounts: release(String(n), { '/up': 'describe', '/events': 'events' }),
        });
        expect(await stand.reload()).to.include({ code: 0 });
        await upload.send(body.subarray(n * 1000, (n + 1) * 1000));
      }
      await upload.send(body.subarray(4000));
      upload.finish();
      const { body: got } = JSON.parse((await upload.done).text) as { body: object };
      expect(got).to.deep.equal({ size: body.length, sha256: hashOf(body) });
      const streamed = await stream.done;
      expect(streamed.complete).to.equal(true);
      expect([...streamed.text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id))).to.deep.equal(
        Array.from({ length: 25 }, (_, id) => id),
      );
      await consistent(stand);
    },
  );
});

describe('fault: reloads that cannot be', () => {
  const GOOD = `
export const application = (environ, startResponse) => {
  startResponse('200 OK', []);
  return [Buffer.from('good')];
};
`;
  const BAD_APPS: readonly [what: string, text: string, reason: RegExp][] = [
    ['throws', `throw new Error('broken release');\n${GOOD}`, /broken release/],
    ['never gets ready', `await new Promise(() => undefined);\n${GOOD}`, /timeouts\.boot/],
    ['ends its process', `process.exit(0);\n${GOOD}`, /ended while loading it, by exit code 0/],
    ['blocks its worker', `for (;;);\n${GOOD}`, /timeouts\.boot/],
    ['is gone', '', /app\.mjs/],
  ];

  /** The old release goes on, says 4 and why; and once the fault is mended, all is well. */
  async function refused(stand: Stand, reason: RegExp): Promise<void> {
    const { generation } = await stand.daemon.status();
    const { code, stderr } = await stand.reload();
    expect(stderr).to.match(reason);
    expect(code).to.equal(4);
    expect(await stand.metric('viaduct_config_last_reload_successful')).to.equal(0);
    expect((await stand.daemon.status()).generation).to.equal(generation);
    expect((await stand.request({ path: '/app' })).text).to.equal('good');
  }

  faultTest(
    `to an app that ${BAD_APPS.map(([what]) => what).join(', ')}: the old ones serve, exit code 4`,
    {
      mounts: release('0', { '/app': { app: './app.mjs' } }),
      config: { workers: WORKERS, timeouts: { boot: '500ms' } },
      daemon: { files: { 'app.mjs': GOOD } },
      expected: { viaduct: [/^Reload rejected/, /^A worker ended by/, /did not (boot|finish)/] },
      timeout: 60_000,
    },
    async (stand) => {
      const clients = stand.steady({ rate: 100 });
      const file = join(stand.daemon.dir, 'app.mjs');
      for (const [, text, reason] of BAD_APPS) {
        if (text === '') await rm(file);
        else await writeFile(file, text);
        await refused(stand, reason);
      }
      await writeFile(file, GOOD);
      expect(await stand.reload()).to.include({ code: 0 });
      expect(await stand.metric('viaduct_config_last_reload_successful')).to.equal(1);
      await consistent(stand);
      expectSteady(await clients.stop());
    },
  );

  const listeners = ['fastcgi', 'uwsgi'].map((protocol) => ({
    address: `unix:{{dir}}/${protocol}.sock`,
    protocol,
  }));
  const BAD_FILES: readonly [what: string, change: string | object, reason: RegExp][] = [
    ['no YAML', 'listeners: [', /viaduct\.yaml:\d+:\d+/],
    ['a key that is none', { wrokers: 3 }, /wrokers/],
    ['a user there is none of', { user: 'nobody-of-that-name' }, /nobody-of-that-name/],
    [
      'a socket where a file is',
      { listeners: [...listeners, { address: 'unix:{{dir}}/access.log', protocol: 'http' }] },
      /access\.log/,
    ],
  ];

  faultTest(
    `to ${BAD_FILES.map(([what]) => what).join(', ')}: refused before a worker is touched`,
    {
      mounts: release('0', { '/app': { app: './app.mjs' } }),
      config: { workers: WORKERS },
      daemon: { files: { 'app.mjs': GOOD } },
      expected: { viaduct: [/^Reload rejected/] },
      timeout: 30_000,
    },
    async (stand) => {
      await consistent(stand);
      const before = await stand.daemon.workers();
      const clients = stand.steady({ rate: 100 });
      for (const [, change, reason] of BAD_FILES) {
        if (typeof change === 'string') await stand.daemon.configure(change);
        else await stand.bridge.configure({ config: { workers: WORKERS, ...change } });
        await refused(stand, reason);
      }
      expect(await stand.daemon.workers()).to.deep.equal(before);
      expect(await stand.metric('viaduct_worker_spawns_total')).to.equal(WORKERS);
      expectSteady(await clients.stop());
    },
  );
});

describe('fault: a worker that does not go', () => {
  faultTest(
    'because of a request without end: it is cut off after timeouts.graceful, and the reload is long done',
    {
      mounts: release('0', { '/t': 'track' }),
      config: { timeouts: { graceful: '1s' } },
      expected: {
        viaduct: [
          /^Requests were cut off, timeouts.graceful is 1000 ms$/,
          // Boot and timeouts.graceful together may be more than log.slow.
          /^Slow request: /,
          /stopped before the response ended/,
        ],
      },
    },
    async (stand) => {
      const [old = 0] = await stand.daemon.workers();
      const call = stand.startCall({ path: '/t/run?id=1&mode=hang' });
      await waitFor(async () => (await stand.metric('http_server_active_requests', { mount: '/t' })) === 1, {
        what: 'the request to run',
      });
      const clients = stand.steady();
      expect(await stand.reload()).to.include({ code: 0 });
      expect((await stand.daemon.status()).workers.map(({ pid }) => pid)).to.include(old);
      expect((await call.done).status).to.be.oneOf([502, 503]);
      await consistent(stand, 1);
      expectSteady(await clients.stop());
    },
  );

  faultTest(
    'because it is blocked: it is killed, and the reload is long done',
    {
      mounts: release('0', { '/spin': { app: './spin.mjs' } }),
      config: { timeouts: { graceful: '500ms' } },
      daemon: {
        files: {
          'spin.mjs': `
import { writeFileSync } from 'node:fs';
export const application = () => {
  writeFileSync(new URL('spinning', import.meta.url), '');
  for (;;);
};
`,
        },
      },
      expected: {
        viaduct: [/^A worker ended by signal SIGKILL/],
        nginx: [/prematurely closed|reset by peer/],
      },
      timeout: 30_000,
    },
    async (stand) => {
      const [old = 0] = await stand.daemon.workers();
      const call = stand.startCall({ path: '/spin', method: 'POST', body: 'x' });
      await waitFor(() => existsSync(join(stand.daemon.dir, 'spinning')), { what: 'the request to run' });
      expect(await stand.reload()).to.include({ code: 0 });
      const clients = stand.steady();
      expect((await call.done).status).to.equal(502);
      await consistent(stand, 1);
      expect(await stand.daemon.workers()).to.not.include(old);
      expectSteady(await clients.stop());
    },
  );
});
