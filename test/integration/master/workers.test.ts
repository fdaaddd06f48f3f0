// Workers that die, hang, cannot load an app, print, or are told to go: what the master does about it.
import { expect } from 'chai';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, rename, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Daemon, type DaemonOptions, startDaemon } from '../../helpers/daemon.ts';
import { type HttpResponse, request } from '../../helpers/http-client.ts';
import { waitFor } from '../../helpers/wait.ts';

const HTTP = { address: 'unix:{{dir}}/http.sock', protocol: 'http' };
const HELLO = { path: '/', app: 'viaduct:hello' };

/** An app that answers with `text`. */
const answering = (text: string): string =>
  `module.exports = (environ, start) => { start('200 OK', []); return [Buffer.from('${text}')]; };\n`;

/** An app that has started another process, and answers with its pid. */
const PARENT = {
  'parent.cjs': `const { spawn } = require('node:child_process');
const child = spawn('sleep', ['60']);
module.exports = (environ, start) => { start('200 OK', []); return [Buffer.from(String(child.pid))]; };\n`,
};

const isAlive = (pid: number): boolean => {
  try {
    // A zombie is not alive, though it has a pid.
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
};

describe('viaduct serve, its workers', () => {
  let daemon: Daemon;
  afterEach(() => daemon.remove());

  const start = async (options: DaemonOptions): Promise<void> => {
    daemon = await startDaemon(options);
  };
  const get = (path: string): Promise<HttpResponse> => request({ socketPath: daemon.socket('http'), path });

  const exits = (reason: string): Promise<number> => daemon.metric('viaduct_worker_exits_total', { reason });
  const becomesReady = (): Promise<unknown> =>
    waitFor(async () => (await daemon.admin('/readyz')).status === 200, { what: 'all to be well again' });
  /** A worker that serves and is not one of `before`. */
  const freshWorker = (before: readonly number[]): Promise<number> =>
    waitFor(async () => (await daemon.workers()).find((pid) => !before.includes(pid)), {
      what: 'a new worker',
      timeout: 10_000,
    });

  describe('when one dies', () => {
    it('starts another, and loses no number of the dead one', async () => {
      await start({ config: { listeners: [HTTP], mounts: [HELLO], workers: 2 } });
      for (let count = 0; count < 10; count += 1) await get('/');
      expect(await daemon.metric('viaduct_requests_total', { code: '200' })).to.equal(10);
      const before = await daemon.workers();
      expect(before).to.have.lengthOf(2);
      process.kill(before[0] ?? 0, 'SIGKILL');
      await freshWorker(before);
      expect(await daemon.metric('viaduct_requests_total', { code: '200' })).to.equal(10);
      expect(await exits('signal')).to.equal(1);
      expect(await daemon.metric('viaduct_worker_spawns_total')).to.equal(3);
      expect(await daemon.metric('viaduct_workers', { state: 'ready' })).to.equal(2);
      expect((await daemon.workers())[1]).to.equal(before[1]);
      for (let count = 0; count < 10; count += 1) expect((await get('/')).status).to.equal(200);
    });

    it('says so, and calls what the app did itself a crash', async () => {
      const files = { 'exit.cjs': 'module.exports = () => process.exit(0);\n' };
      await start({ config: { listeners: [HTTP], mounts: [{ path: '/', app: './exit.cjs' }] }, files });
      const before = await daemon.workers();
      await get('/').catch(() => undefined);
      await freshWorker(before);
      expect(await exits('crash')).to.equal(1);
      const line = daemon.log().find(({ reason }) => reason === 'crash');
      expect(line).to.include({ level: 'error', worker: 0, msg: 'A worker ended by exit code 0' });
    });

    it('tells a full heap from other crashes', async () => {
      const files = {
        'hoard.cjs': `const kept = [];
module.exports = () => { for (;;) kept.push(new Array(1e6).fill(kept.length)); };\n`,
      };
      const env = { NODE_OPTIONS: '--max-old-space-size=64' };
      await start({ config: { listeners: [HTTP], mounts: [{ path: '/', app: './hoard.cjs' }] }, files, env });
      const before = await daemon.workers();
      await get('/').catch(() => undefined);
      await freshWorker(before);
      expect(await exits('oom')).to.equal(1);
    });

    it('takes along what it has started', async () => {
      await start({
        config: { listeners: [HTTP], mounts: [{ path: '/', app: './parent.cjs' }] },
        files: PARENT,
      });
      const first = Number((await get('/')).text);
      const before = await daemon.workers();
      expect(isAlive(first)).to.equal(true);
      process.kill(before[0] ?? 0, 'SIGKILL');
      await freshWorker(before);
      await waitFor(() => !isAlive(first), { what: 'the first sleep to be gone' });
      const second = Number((await get('/')).text);
      expect(await daemon.stop()).to.equal(0);
      await waitFor(() => !isAlive(second), { what: 'the second sleep to be gone' });
    });
  });

  it('starts another where the log files cannot be opened: its lines go to stderr, until USR1 finds them', async () => {
    const log = { file: '{{dir}}/viaduct.log', access: { file: '{{dir}}/access.log' } };
    await start({ config: { listeners: [HTTP], mounts: [HELLO], log } });
    const files = ['viaduct.log', 'access.log'].map((name) => join(daemon.dir, name));
    for (const file of files) {
      await rename(file, `${file}.1`);
      await mkdir(file);
    }
    const before = await daemon.workers();
    process.kill(before[0] ?? 0, 'SIGKILL');
    await freshWorker(before);
    expect((await get('/unopened')).status).to.equal(200);
    for (const said of [
      /Cannot open log\.file \S+, its lines go/,
      /Cannot open log\.access\.file /,
      /"\/unopened"/,
    ])
      await waitFor(() => said.test(daemon.stderr()), { what: `${said} on stderr` });

    const control = { socketPath: join(daemon.dir, 'run/control.sock'), path: '/reload', method: 'POST' };
    expect((await request(control)).text).to.match(/"rejected","reason":"[^"]*log\.file/);

    for (const file of files) await rmdir(file);
    daemon.kill('SIGUSR1');
    await waitFor(() => files.every((file) => existsSync(file)), { what: 'the files' });
    await waitFor(
      async () => (await get('/opened')) && readFileSync(files[1] ?? '', 'utf8').includes('"/opened"'),
      { what: 'the access log to go on in its file' },
    );
  });

  it('replaces one that somebody sends TERM, and has no pause', async () => {
    await start({ config: { listeners: [HTTP], mounts: [HELLO] } });
    const before = await daemon.workers();
    process.kill(before[0] ?? 0, 'SIGTERM');
    const statuses = new Set<number>();
    await waitFor(
      async () => {
        statuses.add((await get('/')).status);
        return !isAlive(before[0] ?? 0);
      },
      { what: 'the old worker to be gone', interval: 0 },
    );
    await freshWorker(before);
    expect([...statuses]).to.deep.equal([200]);
    expect(await exits('signal')).to.equal(1);
  });

  describe('where an app does not boot', () => {
    const cases: [what: string, code: string, why: RegExp][] = [
      ['throws', 'throw new Error("no database");', /no database/],
      ['ends its process', 'process.exit(0);', /its worker ended while loading it, by exit code 0/],
      ['crashes its process', 'process.abort();', /its worker ended while loading it, by signal SIGABRT/],
      ['blocks for ever', 'for (;;);', /it did not finish within timeouts.boot, and blocked its worker/],
    ];
    for (const [what, code, why] of cases) {
      it(`and ${what}, its mount answers 503, the others serve, and it comes back when it is mended`, async () => {
        const config = {
          listeners: [HTTP],
          mounts: [
            { path: '/good', app: 'viaduct:hello' },
            { path: '/bad', app: './bad.cjs', timeouts: { boot: '500ms' } },
          ],
        };
        daemon = await startDaemon({
          config: { ...config, admin: { address: 'unix:{{dir}}/page.sock' } },
          files: { 'bad.cjs': `${code}\n` },
        });
        const ready = (): Promise<HttpResponse> =>
          request({ socketPath: daemon.socket('page'), path: '/readyz' });
        expect((await get('/good')).status).to.equal(200);
        const refused = await get('/bad/x');
        expect(refused.status).to.equal(503);
        expect(Number(refused.header('retry-after'))).to.be.greaterThan(0);
        const unready = await ready();
        expect(unready.status).to.equal(503);
        expect(unready.text).to.match(/mount \/bad did not boot/);
        expect(daemon.log().some(({ msg, level }) => level === 'error' && why.test(String(msg)))).to.equal(
          true,
        );
        await daemon.write('bad.cjs', answering('mended'));
        await waitFor(async () => (await get('/bad')).text === 'mended', {
          what: 'the app to be tried again',
          timeout: 12_000,
        });
        await waitFor(async () => (await ready()).status === 200, { what: '/readyz to say so' });
        expect((await get('/good')).status).to.equal(200);
      });
    }

    it('counts what it turns away', async () => {
      daemon = await startDaemon({
        config: {
          listeners: [HTTP],
          mounts: [HELLO, { path: '/bad', app: './bad.cjs' }],
          admin: { address: 'unix:{{dir}}/page.sock' },
        },
        files: { 'bad.cjs': 'throw 1;\n' },
      });
      for (let count = 0; count < 3; count += 1) await get('/bad');
      const { text } = await request({ socketPath: daemon.socket('page'), path: '/metrics' });
      expect(text).to.include('viaduct_requests_shed_total{mount="/bad",reason="app_failed"} 3');
      expect(text).to.include('viaduct_requests_total{mount="/bad",method="GET",code="503"} 3');
    });
  });

  it('gives them what they print, line by line, with their place', async () => {
    const files = {
      'talks.cjs': `console.log('booting');
for (const message of ['ready', null, { kind: 'stats' }, { kind: 'booted' }, { kind: 'x' }]) process.send(message);
module.exports = (environ, start) => {
  console.error('one\\ntwo');
  console.log('x'.repeat(20000));
  start('200 OK', []);
  return [];
};\n`,
    };
    await start({ config: { listeners: [HTTP], mounts: [{ path: '/', app: './talks.cjs' }] }, files });
    await get('/');
    const printed = async (stream: string, count: number): Promise<string[]> =>
      waitFor(
        () => {
          const lines = daemon.log().filter((line) => line['stream'] === stream && line['worker'] === 0);
          return lines.length === count ? lines.map(({ msg }) => String(msg)) : null;
        },
        { what: `${count} lines of ${stream}` },
      );
    expect(await printed('stderr', 2)).to.deep.equal(['one', 'two']);
    const [booting, long = ''] = await printed('stdout', 2);
    expect(booting).to.equal('booting');
    expect(long).to.match(/^x{8192}…$/);
    // What it said to the process manager it took us for is not heard.
    expect(daemon.log().filter(({ level }) => level === 'error')).to.deep.equal([]);
    expect((await daemon.status()).workers).to.have.lengthOf(1);
  });

  it('are told that they are several', async () => {
    const files = {
      'several.cjs': `module.exports = (environ, start) => {
  start('200 OK', []);
  return [Buffer.from(String(environ['wsgi.multiprocess']))];
};\n`,
    };
    const config = { listeners: [HTTP], mounts: [{ path: '/', app: './several.cjs' }] };
    await start({ config, files });
    expect((await get('/')).text).to.equal('false');
    await daemon.configure({ ...config, workers: 2 });
    daemon.kill('SIGHUP');
    await daemon.waitForLog(({ msg }) => msg === 'Reloaded', 'Reloaded');
    expect((await get('/')).text).to.equal('true');
  });

  describe('are recycled', () => {
    const files = {
      'pid.cjs': `module.exports = (environ, start) => { start('200 OK', []); return [Buffer.from(String(process.pid))]; };\n`,
    };
    const mounts = [{ path: '/', app: './pid.cjs' }];

    for (const [key, limit] of [
      ['max_requests', 20],
      ['max_age', '1s'],
      // Below what a worker needs at all: each one is due at once.
      ['max_memory', '10M'],
    ] as const) {
      it(`by ${key}, and no request is lost`, async () => {
        await start({ config: { listeners: [HTTP], mounts, workers: 2, recycle: { [key]: limit } }, files });
        const seen = new Set<string>();
        const statuses = new Set<number>();
        await waitFor(
          async () => {
            const { status, text } = await get('/');
            statuses.add(status);
            seen.add(text);
            return seen.size >= 4 && (await exits(key)) >= 2;
          },
          { what: 'two workers to be replaced', timeout: 14_000 },
        );
        expect([...statuses]).to.deep.equal([200]);
        const { workers } = await daemon.status();
        expect(workers.filter(({ state }) => state === 'ready').length).to.equal(2);
        expect(daemon.log().filter(({ level }) => level === 'error')).to.deep.equal([]);
      });
    }
  });

  it('show as stuck while they do not report, which holds nobody up', async () => {
    await start({ config: { listeners: [HTTP], mounts: [HELLO] } });
    await becomesReady();
    const [pid = 0] = await daemon.workers();
    const control = { socketPath: join(daemon.dir, 'run/control.sock'), path: '/status' };
    process.kill(pid, 'SIGSTOP');
    try {
      const before = performance.now();
      expect((await request(control)).status).to.equal(200);
      expect(performance.now() - before).to.be.below(1000);
      await waitFor(
        async () => (await daemon.metric('viaduct_workers', { kind: 'node', state: 'stuck' })) === 1,
        {
          what: 'it to show as stuck',
          timeout: 10_000,
        },
      );
      expect((await daemon.status()).workers.map(({ state }) => state)).to.deep.equal(['stuck']);
      expect(await daemon.admin('/readyz')).to.include({
        status: 503,
        text: 'not ready\nno worker is ready: all are stuck\n',
      });
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await becomesReady();
    expect(await daemon.workers()).to.deep.equal([pid]);
  });

  it('end within a second of a master that was killed, and its sockets serve the next one', async () => {
    await start({ config: { listeners: [HTTP], mounts: [HELLO], workers: 2 } });
    const before = await daemon.workers();
    expect(await daemon.stop('SIGKILL')).to.equal(null);
    await waitFor(() => !before.some(isAlive), { what: 'the workers to end', timeout: 1200 });
    expect(existsSync(daemon.socket('http'))).to.equal(true);
    const listeners = [{ ...HTTP, address: `unix:${daemon.socket('http')}` }];
    const next = await startDaemon({ config: { listeners, mounts: [HELLO] } });
    try {
      expect((await get('/')).status).to.equal(200);
    } finally {
      await next.remove();
    }
  });

  it('take what they have started along when the master was killed', async () => {
    await start({
      config: { listeners: [HTTP], mounts: [{ path: '/', app: './parent.cjs' }] },
      files: PARENT,
    });
    const child = Number((await get('/')).text);
    expect(isAlive(child)).to.equal(true);
    await daemon.stop('SIGKILL');
    await waitFor(() => !isAlive(child), { what: 'the sleep to be gone' });
  });

  it('leave nothing behind after a stop', async () => {
    await start({ config: { listeners: [HTTP], mounts: [HELLO], workers: 3 } });
    await becomesReady();
    const pids = await daemon.workers();
    expect(pids).to.have.lengthOf(3);
    expect(await daemon.stop()).to.equal(0);
    expect(pids.filter(isAlive)).to.deep.equal([]);
    for (const name of ['http.sock', 'admin.sock', 'run/control.sock', 'run/viaduct.pid'])
      expect(existsSync(join(daemon.dir, name)), name).to.equal(false);
  });
});
