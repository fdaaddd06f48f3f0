// `viaduct reload`, `stop` and `status` against a running viaduct: what a reload takes on, what it refuses, and that
// what serves goes on serving.
import { expect } from 'chai';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, renameSync, statSync, unlinkSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { Agent } from 'node:http';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { fixtureApp } from '../../helpers/bridge.ts';
import { type CliResult, runViaduct, VIADUCT } from '../../helpers/cli.ts';
import { type Daemon, type DaemonOptions, startDaemon } from '../../helpers/daemon.ts';
import { type HttpResponse, request, startCall } from '../../helpers/http-client.ts';
import { waitFor } from '../../helpers/wait.ts';

const HTTP = { address: 'unix:{{dir}}/http.sock', protocol: 'http' };
const HELLO = { path: '/', app: 'viaduct:hello' };

const runProgram = promisify(execFile);
const DEAD_SOCKET = 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])';

const answering = (text: string): string =>
  `module.exports = (environ, start) => { start('200 OK', []); return [Buffer.from('${text}')]; };\n`;

describe('viaduct reload', () => {
  let daemon: Daemon;
  afterEach(() => daemon.remove());

  const start = async (options: DaemonOptions): Promise<void> => {
    daemon = await startDaemon(options);
  };
  const get = (path: string, socket = 'http'): Promise<HttpResponse> =>
    request({ socketPath: daemon.socket(socket), path });
  const verb = (...args: string[]): Promise<CliResult> =>
    runViaduct([...args, '-c', join(daemon.dir, 'viaduct.yaml')]);

  it('takes on apps, mounts, listeners, limits and env, and gives up what is no longer there', async () => {
    const old = { address: 'unix:{{dir}}/old.sock', protocol: 'http' };
    const mounts = [{ path: '/', app: './app.cjs' }];
    const files = { 'app.cjs': answering('one') };
    await start({ config: { listeners: [HTTP, old], mounts, log: { level: 'debug' } }, files });
    const inode = statSync(daemon.socket('http')).ino;
    expect((await get('/')).text).to.equal('one');
    await daemon.write(
      'app.cjs',
      'module.exports = (environ, start) => { start("200 OK", []); return [Buffer.from(environ.WORD)]; };\n',
    );
    await daemon.configure({
      listeners: [{ address: 'unix:{{dir}}/new.sock', protocol: 'http' }, HTTP],
      mounts: [
        { ...mounts[0], env: { WORD: 'two' } },
        { path: '/environ', app: 'viaduct:environ' },
      ],
      limits: { body_size: 4 },
      workers: 2,
    });
    const { code, stdout, stderr } = await verb('reload');
    expect(code, stderr).to.equal(0);
    expect(stdout).to.equal('Reloaded: generation 2 serves\n');
    for (const socket of ['http', 'new']) expect((await get('/', socket)).text).to.equal('two');
    expect((await get('/environ')).status).to.equal(200);
    const large = { socketPath: daemon.socket('http'), path: '/', method: 'POST', body: 'too large' };
    expect((await request(large)).status).to.equal(413);
    expect(existsSync(daemon.socket('old'))).to.equal(false);
    expect(statSync(daemon.socket('http')).ino).to.equal(inode);
    const status = await daemon.status();
    expect(status.listeners.map(({ address }) => address)).to.deep.equal([
      `unix:${daemon.socket('new')}`,
      `unix:${daemon.socket('http')}`,
    ]);
    expect(status).to.include({ generation: 2 });
    expect(status.reloads).to.deep.equal({ ok: 1, rejected: 0 });
    expect(await daemon.metric('viaduct_workers', { state: 'ready' })).to.equal(2);
    expect(await daemon.metric('viaduct_reloads_total', { result: 'ok' })).to.equal(1);
  });

  describe('refuses', () => {
    const cases: [what: string, change: object, files: Readonly<Record<string, string>>, why: RegExp][] = [
      ['a mistake in the file', { wrokers: 1 }, {}, /viaduct\.yaml:\d+:\d+: wrokers: Unknown key/],
      ['a user that is not there', { user: 'no-such-user-x' }, {}, /There is no user "no-such-user-x"/],
      ['an app that is not there', { mounts: [{ path: '/', app: './gone.js' }] }, {}, /Cannot find the file/],
      [
        'an address that is taken',
        { listeners: [HTTP, { address: '127.0.0.1:{{port:taken}}', protocol: 'http' }] },
        {},
        /EADDRINUSE/,
      ],
      [
        'a socket in the place of a file',
        { listeners: [HTTP, { address: 'unix:{{dir}}/viaduct.yaml', protocol: 'http' }] },
        {},
        /Expected a socket or nothing/,
      ],
      [
        'an app that throws, though others boot',
        { mounts: [HELLO, { path: '/x', app: './x.cjs' }] },
        { 'x.cjs': 'throw new Error("no database");' },
        /an app did not boot\nmount \/x: .*no database/,
      ],
      [
        'an app that ends its process',
        { mounts: [HELLO, { path: '/x', app: './x.cjs' }] },
        { 'x.cjs': 'process.exit(0);' },
        /mount \/x: its worker ended while loading it, by exit code 0/,
      ],
      [
        'an app that is never ready',
        { mounts: [HELLO, { path: '/x', app: './x.mjs', timeouts: { boot: '300ms' } }] },
        { 'x.mjs': 'await new Promise((resolve) => setTimeout(resolve, 60000));' },
        /mount \/x: .*did not finish within 300 ms/,
      ],
    ];
    for (const [what, change, files, why] of cases) {
      it(`${what}: exit code 4, the reason, and nothing has changed`, async () => {
        const taken = { address: '127.0.0.1:{{port:taken}}', protocol: 'http' };
        const config = { listeners: [HTTP], mounts: [HELLO] };
        const other = await startDaemon({ config: { listeners: [taken], mounts: [HELLO] } });
        try {
          await start({ config, files });
          const before = await daemon.workers();
          const fresh = { address: 'unix:{{dir}}/fresh.sock', protocol: 'http' };
          const listeners = 'listeners' in change ? (change.listeners as object[]) : [HTTP];
          const text = JSON.stringify({ ...config, ...change, listeners: [...listeners, fresh] }, null, 2);
          await daemon.configure(text.replaceAll('{{port:taken}}', String(other.port('taken'))));
          const { code, stdout, stderr } = await verb('reload');
          expect({ code, stdout }).to.deep.equal({ code: 4, stdout: '' });
          expect(stderr).to.match(/^viaduct: Reload rejected, generation 1 still serves: /);
          expect(stderr).to.match(why);
          expect(await daemon.workers()).to.deep.equal(before);
          expect((await daemon.status()).workers).to.have.lengthOf(1);
          expect((await get('/')).status).to.equal(200);
          expect(existsSync(daemon.socket('fresh'))).to.equal(false);
          expect(await daemon.metric('viaduct_config_last_reload_successful')).to.equal(0);
          expect(await daemon.metric('viaduct_reloads_total', { result: 'rejected' })).to.equal(1);
          await daemon.configure(config);
          expect((await verb('reload')).code).to.equal(0);
          expect(await daemon.metric('viaduct_config_last_reload_successful')).to.equal(1);
        } finally {
          await other.remove();
        }
      });
    }
  });

  it('refuses another run_dir, where nobody would look for its control socket', async () => {
    const config = { listeners: [HTTP], mounts: [HELLO] };
    await start({ config });
    await daemon.configure({ ...config, run_dir: '{{dir}}/elsewhere' });
    daemon.kill('SIGHUP');
    await daemon.waitForLog(
      ({ msg }) => /^Reload rejected: Cannot change run_dir from .*\/run to .*\/elsewhere/.test(String(msg)),
      'the reason',
    );
    expect(existsSync(join(daemon.dir, 'elsewhere'))).to.equal(false);
    expect((await get('/')).status).to.equal(200);
  });

  it('does a storm of them as few, and the last state is the one that serves', async () => {
    await start({
      config: { listeners: [HTTP], mounts: [{ path: '/', app: './app.cjs' }] },
      files: { 'app.cjs': answering('0') },
    });
    for (let count = 1; count <= 20; count += 1) {
      await daemon.write('app.cjs', answering(String(count)));
      daemon.kill('SIGHUP');
      if (count === 10) daemon.kill('SIGUSR1');
      if (count === 12) daemon.kill('SIGTTIN');
    }
    expect((await verb('reload')).code).to.equal(0);
    expect((await get('/')).text).to.equal('20');
    await waitFor(async () => (await daemon.status()).workers.length === 1, { what: 'old workers to end' });
    const { reloads, generation } = await daemon.status();
    expect(reloads.rejected).to.equal(0);
    expect(reloads.ok).to.be.within(1, 6);
    expect(generation).to.equal(reloads.ok + 1);
    const live = await daemon.metric('viaduct_workers');
    const spawns = await daemon.metric('viaduct_worker_spawns_total');
    expect(spawns).to.equal((await daemon.metric('viaduct_worker_exits_total')) + live);
  });

  it('lets requests of the old workers end, and kills those that outlast timeouts.graceful', async () => {
    const mounts = [{ path: '/', app: fixtureApp('gate') }];
    await start({ config: { listeners: [HTTP], mounts, timeouts: { graceful: '1s' } } });
    const waiting = startCall({ socketPath: daemon.socket('http'), path: '/?id=1' });
    await waiting.waitForBytes(6);
    const opening = startCall({
      socketPath: daemon.socket('http'),
      path: '/?id=1',
      method: 'POST',
      manualBody: true,
    });
    const stays = startCall({ socketPath: daemon.socket('http'), path: '/?id=never' });
    await stays.waitForBytes(6);
    await waitFor(async () => (await daemon.metric('http_server_active_requests', { mount: '/' })) === 3, {
      what: 'three requests to run',
    });
    expect((await verb('reload')).code).to.equal(0);
    expect((await daemon.status()).workers.map(({ state }) => state)).to.have.members(['ready', 'draining']);
    opening.finish();
    expect((await opening.done).text).to.equal('opened');
    expect(await waiting.done).to.include({ text: 'begun ended', complete: true });
    expect((await stays.done).complete).to.equal(false);
    await waitFor(async () => (await daemon.status()).workers.length === 1, {
      what: 'the old worker to end',
    });
    expect(daemon.log().map(({ msg }) => msg)).to.include(
      'Requests were cut off, timeouts.graceful is 1000 ms',
    );
  });

  it('takes connections along that are kept alive, from worker to worker', async () => {
    await start({ config: { listeners: [HTTP], mounts: [HELLO] } });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const call = (method: string): Promise<HttpResponse> =>
      request({ socketPath: daemon.socket('http'), path: '/', method, agent });
    try {
      expect((await call('GET')).reusedSocket).to.equal(false);
      for (const method of ['GET', 'POST', 'GET']) {
        const [before = 0] = await daemon.workers();
        expect((await verb('reload')).code).to.equal(0);
        await daemon.waitForLog(
          ({ reason, worker_pid: pid }) => reason === 'reload' && pid === before,
          'its end',
        );
        const { status, reusedSocket } = await call(method);
        expect({ status, reusedSocket }).to.deep.equal({ status: 200, reusedSocket: true });
      }
      expect(await daemon.metric('viaduct_connections_accepted_total')).to.equal(1);
    } finally {
      agent.destroy();
    }
  });

  for (const [what, take] of [
    ['removes', (path: string): void => unlinkSync(path)],
    ['replaces', (path: string): void => renameSync(`${path}.other`, path)],
  ] as const) {
    it(`binds a socket anew whose file somebody ${what}, with the configuration that serves`, async () => {
      await start({ config: { listeners: [HTTP], mounts: [HELLO] } });
      const path = daemon.socket('http');
      // A dead socket, as another process would leave it.
      await runProgram('python3', ['-c', DEAD_SOCKET, `${path}.other`]);
      await daemon.configure('not: a configuration');
      take(path);
      const back = await waitFor(() => get('/').catch(() => null), { what: 'an answer', timeout: 8000 });
      expect(back?.status).to.equal(200);
      expect((await daemon.status()).generation).to.equal(2);
      expect(daemon.log().map(({ msg }) => msg)).to.include(
        `Somebody removed or replaced the socket file of unix:${path}: binding it anew`,
      );
      expect((await verb('reload')).code).to.equal(4);
      expect((await get('/')).status).to.equal(200);
    });
  }

  it('kills a worker that does not listen any more', async () => {
    const files = {
      'deaf.cjs': `module.exports = (environ, start) => {
  start('200 OK', []);
  setTimeout(() => { for (;;); }, 50);
  return [];
};\n`,
    };
    const config = {
      listeners: [HTTP],
      mounts: [{ path: '/', app: './deaf.cjs' }],
      timeouts: { graceful: '100ms' },
    };
    await start({ config, files });
    const [before] = await daemon.workers();
    await get('/');
    expect((await verb('reload')).code).to.equal(0);
    await daemon.waitForLog(
      ({ reason, worker_pid: pid }) => reason === 'reload' && pid === before,
      'the end of it',
    );
    expect((await daemon.workers())[0]).to.not.equal(before);
  });
});

describe('viaduct stop and status', () => {
  let daemon: Daemon;
  afterEach(() => daemon.remove());
  const verb = (...args: string[]): Promise<CliResult> =>
    runViaduct([...args, '-c', join(daemon.dir, 'viaduct.yaml')]);

  it('go through a socket that is for its owner only', async () => {
    daemon = await startDaemon({ config: { listeners: [HTTP], mounts: [HELLO] } });
    expect(statSync(join(daemon.dir, 'run')).mode & 0o777).to.equal(0o700);
    expect(statSync(join(daemon.dir, 'run/control.sock')).mode & 0o777).to.equal(0o600);
  });

  it('shows what there is, for people and for programs', async () => {
    daemon = await startDaemon({ config: { listeners: [HTTP], mounts: [HELLO], workers: 2 } });
    await request({ socketPath: daemon.socket('http') });
    const { code, stdout } = await verb('status');
    expect(code).to.equal(0);
    expect(stdout).to.match(/^viaduct \d+\.\d+\.\d+, pid \d+, up \d+s, ready\n/);
    expect(stdout).to.match(/^0 +node +\d+ +ready +\d+s +\d+ +0 +\d+ MiB +\S+( %)? +1$/m);
    expect(stdout).to.match(/^1 +node +\d+ +ready /m);
    expect(stdout).to.match(/^unix:.*\/http\.sock +http +\d+ +0 +\d+ +1 +0$/m);
    const json = JSON.parse((await verb('status', '--json')).stdout) as Record<string, unknown>;
    expect(Object.keys(json)).to.deep.equal(Object.keys(await daemon.status()));
    const [worker] = json['workers'] as object[];
    expect(worker).to.include({ slot: 0, kind: 'node', state: 'ready', generation: 1, in_flight: 0 });
  });

  it('watches on through a reload, says when viaduct is gone, and ends when it is interrupted', async () => {
    daemon = await startDaemon({ config: { listeners: [HTTP], mounts: [HELLO] } });
    const file = join(daemon.dir, 'viaduct.yaml');
    const args = [VIADUCT, 'status', '--watch', '--json', '--interval', '100ms', '-c', file];
    const watching = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const [out, err]: [Buffer[], Buffer[]] = [[], []];
    watching.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    watching.stderr.on('data', (chunk: Buffer) => err.push(chunk));
    try {
      const exited = once(watching, 'exit');
      const seen = (): number[] =>
        Buffer.concat(out)
          .toString()
          .split('\n')
          .slice(0, -1)
          .map((line) => (JSON.parse(line) as { generation: number }).generation);
      await waitFor(() => seen().length >= 2, { what: 'two lines' });
      expect((await verb('reload')).code).to.equal(0);
      await waitFor(() => seen().at(-1) === 2, { what: 'the next generation' });
      await daemon.stop();
      const gone = (): boolean => Buffer.concat(err).toString().includes('viaduct: Cannot reach viaduct at ');
      await waitFor(gone, { what: 'it to say that viaduct is gone' });
      expect(watching.exitCode).to.equal(null);
      watching.kill('SIGINT');
      expect(await exited).to.deep.equal([69, null]);
      // Once, not ten times a second.
      expect(
        Buffer.concat(err)
          .toString()
          .match(/Cannot reach/g),
      ).to.have.lengthOf(1);
    } finally {
      watching.kill('SIGKILL');
    }
  });

  it('stops it, also where the file is no good any more, and says when nobody is there', async () => {
    daemon = await startDaemon({ config: { listeners: [HTTP], mounts: [HELLO] } });
    await writeFile(join(daemon.dir, 'viaduct.yaml'), `run_dir: ${daemon.dir}/run\nlisteners: [{`);
    const { code, stdout, stderr } = await verb('stop');
    expect({ code, stdout, stderr }).to.deep.equal({ code: 0, stdout: 'Stopped\n', stderr: '' });
    expect(existsSync(daemon.socket('http'))).to.equal(false);
    expect(await daemon.exited).to.equal(0);
    for (const name of ['stop', 'status', 'reload']) {
      const answer = await verb(name);
      expect(answer.code, name).to.equal(69);
      expect(answer.stderr).to.match(/Cannot reach viaduct at .*control\.sock/);
    }
  });

  it('cuts requests off with --now', async () => {
    const mounts = [{ path: '/', app: fixtureApp('gate') }];
    daemon = await startDaemon({ config: { listeners: [HTTP], mounts } });
    const waiting = startCall({ socketPath: daemon.socket('http'), path: '/?id=never' });
    await waiting.waitForBytes(6);
    const before = performance.now();
    expect((await verb('stop', '--now')).code).to.equal(0);
    // timeouts.graceful is 30 s
    expect(performance.now() - before).to.be.below(5000);
    expect((await waiting.done).complete).to.equal(false);
    expect(await daemon.exited).to.equal(0);
  });
});
