// A running `viaduct serve`: signals, log files, rights, and every kind of app file and middleware.
import { expect } from 'chai';
import { readFileSync } from 'node:fs';
import { readFile, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fixtureApp } from '../helpers/bridge.ts';
import { type Daemon, type DaemonOptions, startDaemon } from '../helpers/daemon.ts';
import { type HttpResponse, request, startCall } from '../helpers/http-client.ts';
import { descriptorsOf } from '../helpers/processes.ts';
import { waitFor } from '../helpers/wait.ts';

const HTTP = { address: 'unix:{{dir}}/http.sock', protocol: 'http' };
const HELLO = [{ path: '/', app: 'viaduct:hello' }];

/** The TCP ports that a process listens on, from proc(5). */
function listeningPorts(pid: number): number[] {
  const own = new Set(descriptorsOf(pid).map((name) => /^socket:\[(\d+)\]$/.exec(name)?.[1]));
  const lines = ['tcp', 'tcp6'].flatMap((name) =>
    readFileSync(`/proc/net/${name}`, 'latin1').split('\n').slice(1),
  );
  return lines.flatMap((line) => {
    const [, local = '', , state, , , , , , inode] = line.trim().split(/\s+/);
    return state === '0A' && own.has(inode) ? [parseInt(local.split(':')[1] ?? '', 16)] : [];
  });
}

/** The text of an application that answers with `text` and its mount. */
const answering = (text: string): string =>
  `(environ, start) => { start('200 OK', []); return [Buffer.from('${text} ' + environ.SCRIPT_NAME)]; }`;

/** The number of a user or group, from passwd(5) or group(5). */
const idOf = (file: string, name: string): number =>
  Number(new RegExp(`^${name}:[^:]*:(\\d+)`, 'm').exec(readFileSync(file, 'utf8'))?.[1]);

describe('viaduct serve', () => {
  let daemon: Daemon;
  afterEach(() => daemon.remove());

  const start = async (options: DaemonOptions): Promise<void> => {
    daemon = await startDaemon(options);
  };
  const get = (path: string): Promise<HttpResponse> => request({ socketPath: daemon.socket('http'), path });

  describe('on signals', () => {
    it('reopens its log files on USR1, and opens no debugger', async () => {
      const log = { file: '{{dir}}/viaduct.log', access: { file: '{{dir}}/access.log' } };
      await start({ config: { listeners: [HTTP], mounts: HELLO, log } });
      const files = ['viaduct.log', 'access.log'].map((name) => join(daemon.dir, name));
      await get('/nowhere-1');
      await daemon.waitForAccess(({ uri }) => uri === '/nowhere-1', 'of the first request');
      for (const file of files) await rename(file, `${file}.1`);
      daemon.kill('SIGUSR1');
      for (const file of files) await waitFor(() => stat(file), { what: `${file} to be there again` });
      // The master makes the files; the workers open them a moment later, and write to the old ones until then.
      const isThere = async (): Promise<boolean> => {
        await get('/nowhere-2');
        return (await daemon.accessLog()).some(({ uri }) => uri === '/nowhere-2');
      };
      await waitFor(isThere, { what: 'a request in the new access log', interval: 300 });
      expect(await readFile(`${files[1]}.1`, 'utf8')).to.include('/nowhere-1');
      expect(await readFile(files[1] ?? '', 'utf8')).to.not.include('/nowhere-1');
      expect((await stat(files[1] ?? '')).mode & 0o777).to.equal(0o640);
      expect(await daemon.stop()).to.equal(0);
      expect(await readFile(`${files[0]}.1`, 'utf8'))
        .to.include('Serving')
        .and.not.include('Stopping');
      expect(await readFile(files[0] ?? '', 'utf8')).to.include('Stopping');
      expect(daemon.stderr()).to.equal('');
    });

    it('listens on nothing but what it was told to, after USR1 too', async () => {
      await start({
        config: { listeners: [HTTP, { address: '127.0.0.1:{{port}}', protocol: 'http' }], mounts: HELLO },
      });
      for (const pid of [daemon.pid, ...(await daemon.workers())]) process.kill(pid, 'SIGUSR1');
      // Handled in order: a response after it shows that the signal's turn has passed.
      for (let count = 0; count < 20; count += 1) await get('/');
      for (const pid of [daemon.pid, ...(await daemon.workers())])
        expect(listeningPorts(pid)).to.deep.equal([daemon.port()]);
      expect(daemon.stderr()).to.not.match(/debugger/i);
    });

    it('takes on the configuration as it is now on HUP', async () => {
      await start({ config: { listeners: [HTTP], mounts: HELLO } });
      expect((await get('/environ')).text).to.include('Hello');
      const mounts = [...HELLO, { path: '/environ', app: 'viaduct:environ' }];
      await daemon.configure({ listeners: [HTTP], mounts });
      daemon.kill('SIGHUP');
      await daemon.waitForLog(({ msg }) => msg === 'Reloaded', 'Reloaded');
      expect((await get('/environ')).text).to.include('SCRIPT_NAME');
    });

    it('starts one worker more on TTIN, and ends one on TTOU, but not the last', async () => {
      await start({ config: { listeners: [HTTP], mounts: HELLO } });
      const count = async (wanted: number): Promise<number[]> =>
        waitFor(
          async () => {
            const { workers } = await daemon.status();
            const pids = await daemon.workers();
            return workers.length === wanted && pids.length === wanted ? pids : null;
          },
          { what: `${wanted} workers` },
        );
      const [first] = await count(1);
      daemon.kill('SIGTTIN');
      expect((await count(2))[0]).to.equal(first);
      daemon.kill('SIGTTOU');
      expect(await count(1)).to.deep.equal([first]);
      daemon.kill('SIGTTOU');
      await waitFor(() => daemon.log().filter(({ workers }) => workers === 1).length === 3, {
        what: 'the log line that one worker stays',
      });
      expect(await daemon.workers()).to.deep.equal([first]);
      expect(
        (await daemon.metrics()).get('viaduct_worker_exits_total{kind="node",reason="scale_down"}')?.value,
      ).to.equal(1);
    });

    it('lets a response end after TERM, and takes no new ones', async () => {
      const listeners = [HTTP, { address: '127.0.0.1:{{port}}', protocol: 'http' }];
      await start({ config: { listeners, mounts: [{ path: '/', app: fixtureApp('gate') }] } });
      // Two requests from before the signal: one in the middle of its response, one that opens the gate when its body ends.
      const waiting = startCall({ port: daemon.port(), path: '/?id=1' });
      await waiting.waitForBytes(6);
      const opening = startCall({ port: daemon.port(), path: '/?id=1', method: 'POST', manualBody: true });
      await waitFor(async () => (await daemon.metric('http_server_active_requests', { mount: '/' })) === 2, {
        what: 'both requests to run',
      });
      daemon.kill('SIGTERM');
      const ready = await waitFor(
        async () => {
          const response = await daemon.admin('/readyz');
          return response.status === 503 ? response : null;
        },
        { what: '/readyz to say 503' },
      );
      expect(ready.text).to.include('draining');
      const refused = await get('/').catch((error: unknown) => String(error));
      expect(refused).to.match(/ENOENT|ECONNREFUSED/);
      opening.finish();
      expect((await opening.done).text).to.equal('opened');
      expect(await waiting.done).to.include({ text: 'begun ended', complete: true });
      expect(await daemon.exited).to.equal(0);
      expect(daemon.log().filter(({ level }) => level === 'warn' || level === 'error')).to.deep.equal([]);
    });

    it('ends at once on a second TERM', async () => {
      await start({ config: { listeners: [HTTP], mounts: [{ path: '/', app: fixtureApp('gate') }] } });
      const waiting = startCall({ socketPath: daemon.socket('http'), path: '/?id=never' });
      await waiting.waitForBytes(6);
      daemon.kill('SIGTERM');
      await daemon.waitForLog(({ msg }) => msg === 'Stopping', 'Stopping');
      const before = performance.now();
      expect(await daemon.stop('SIGTERM')).to.equal(0);
      // timeouts.graceful is 30 s
      expect(performance.now() - before).to.be.below(3000);
      expect((await waiting.done).complete).to.equal(false);
      expect(daemon.log().filter(({ level }) => level === 'warn')).to.have.lengthOf(1);
      expect(daemon.log().find(({ level }) => level === 'warn')?.['msg']).to.equal(
        'Stopping at once: requests are cut off',
      );
    });

    it('ends though an application holds a timer and a socket of its own', async () => {
      const files = {
        'busy.mjs': `import { createServer } from 'node:net';
setInterval(() => undefined, 1000);
createServer().listen(0, '127.0.0.1');
export const application = (environ, start) => (start('200 OK', []), []);`,
      };
      await start({ config: { listeners: [HTTP], mounts: [{ path: '/', app: './busy.mjs' }] }, files });
      expect((await get('/')).status).to.equal(200);
      expect(await daemon.stop()).to.equal(0);
    });

    it('cuts off what is not done after timeouts.graceful', async () => {
      const mounts = [{ path: '/', app: fixtureApp('gate') }];
      await start({ config: { listeners: [HTTP], mounts, timeouts: { graceful: '200ms' } } });
      const waiting = startCall({ socketPath: daemon.socket('http'), path: '/?id=never' });
      await waiting.waitForBytes(6);
      expect(await daemon.stop()).to.equal(0);
      expect((await waiting.done).complete).to.equal(false);
      expect(daemon.log().map(({ msg }) => msg)).to.include(
        'Requests were cut off, timeouts.graceful is 200 ms',
      );
    });
  });

  it('goes on when nobody reads its logs any more', async () => {
    await start({ config: { listeners: [HTTP], mounts: HELLO, log: { level: 'debug' } } });
    daemon.closeStderr();
    for (let count = 0; count < 20; count += 1) expect((await get(`/?${count}`)).status).to.equal(200);
    expect((await daemon.admin('/livez')).status).to.equal(200);
    expect(await daemon.stop()).to.equal(0);
  });

  describe('with apps in files', () => {
    it('takes .js, .mjs and .cjs, with the export that is named or a usual one', async () => {
      const files = {
        'package.json': '{"type":"module"}',
        'esm.js': `export const application = ${answering('esm.js')};`,
        'default.mjs': `export default ${answering('default.mjs')};`,
        'named.mjs': `export const special = ${answering('named.mjs')};`,
        'whole.cjs': `module.exports = ${answering('whole.cjs')};`,
        'member.cjs': `exports.application = ${answering('member.cjs')};`,
      };
      const apps = ['esm.js', 'default.mjs', 'named.mjs:special', 'whole.cjs', 'member.cjs'];
      const mounts = apps.map((app, index) => ({ path: `/${index}`, app: `./${app}` }));
      await start({ config: { listeners: [HTTP], mounts }, files });
      for (const [index, app] of apps.entries()) {
        expect((await get(`/${index}/x`)).text).to.equal(`${app.split(':')[0]} /${index}`);
      }
    });

    const typescript = Boolean((process.features as { typescript?: unknown }).typescript);
    it(`takes .ts${typescript ? '' : ' for what this Node cannot run, and says what to do'}`, async () => {
      const files = {
        'package.json': '{"type":"module"}',
        'app.ts': `export const application: unknown = ${answering('ts')};`,
      };
      const mounts = [{ path: '/', app: './app.ts' }];
      await start({ config: { listeners: [HTTP], mounts: typescript ? mounts : HELLO }, files });
      if (typescript) {
        expect((await get('/')).text).to.equal('ts ');
        return;
      }
      const failure: unknown = await startDaemon({ config: { listeners: [HTTP], mounts }, files }).catch(
        (error: unknown) => error,
      );
      expect(String(failure)).to.match(
        /app\.ts: Node v20\.\S+ does not run TypeScript; use Node 22\.18 or newer/,
      );
    });

    it('wraps an app in its middleware, outermost first, with options and env', async () => {
      const files = {
        'wrap.cjs': `
exports.middleware = (app, { word }) => async (environ, start) => {
  environ['fixture.words'] = [...(environ['fixture.words'] ?? []), word];
  const body = await app(environ, start);
  return [Buffer.from(word + '('), ...body, Buffer.from(')')];
};`,
        'app.cjs': `
module.exports = (environ, start) => {
  start('200 OK', [['Content-Type', 'text/plain; charset=utf-8']]);
  return [Buffer.from(environ['fixture.words'].join() + ' ' + environ.SECRET, 'latin1')];
};`,
      };
      const middleware = ['a', 'b', 'c'].map((word) => ({ use: './wrap.cjs', options: { word } }));
      const env = { SECRET: '${FIXTURE_SECRET}' };
      const mounts = [{ path: '/', app: './app.cjs', middleware, env }];
      await start({ config: { listeners: [HTTP], mounts }, files, env: { FIXTURE_SECRET: 'zwölf' } });
      expect((await get('/')).text).to.equal('a(b(c(a,b,c zwölf)))');
    });

    it('finds with viaduct:lint what an app does wrong, and serves the good one', async () => {
      const files = {
        'bad.cjs': `module.exports = (environ, start) => { start('200 OK', []); return [Buffer.from('x')]; };`,
      };
      const mounts = [
        { path: '/bad', app: './bad.cjs', middleware: ['viaduct:lint'] },
        { path: '/unlinted', app: './bad.cjs' },
        { path: '/good', app: 'viaduct:hello', middleware: ['viaduct:lint'] },
      ];
      await start({ config: { listeners: [HTTP], mounts }, files });
      expect((await get('/good')).status).to.equal(200);
      expect((await get('/unlinted')).status).to.equal(200);
      expect((await get('/bad')).status).to.equal(500);
      const line = await daemon.waitForLog(
        ({ mount, level }) => mount === '/bad' && level === 'error',
        'of lint',
      );
      expect(line['msg']).to.match(/Content-Type/);
    });
  });

  if (process.getuid?.() === 0) {
    describe('started as root', () => {
      const files = {
        'who.cjs': `
module.exports = (environ, start) => {
  start('200 OK', []);
  const { getuid, geteuid, getgid, getegid, getgroups } = process;
  const ids = { uid: getuid(), euid: geteuid(), gid: getgid(), egid: getegid(), groups: getgroups() };
  return [Buffer.from(JSON.stringify(ids))];
};`,
      };
      const uid = idOf('/etc/passwd', 'nobody');
      const mail = idOf('/etc/group', 'mail');

      const startAs = async (more: object): Promise<{ uid: number; gid: number; groups: number[] }> => {
        const listeners = [{ ...HTTP, mode: '0660', owner: 'nobody', group: 'mail' }];
        const mounts = [{ path: '/', app: './who.cjs' }];
        await start({ config: { listeners, mounts, ...more }, files, open: true });
        const ids = JSON.parse((await get('/')).text) as Record<'uid' | 'euid' | 'gid' | 'egid', number> & {
          groups: number[];
        };
        expect(ids.euid).to.equal(ids.uid);
        expect(ids.egid).to.equal(ids.gid);
        return ids;
      };

      it('lets its workers become the user and group of the configuration', async () => {
        const ids = await startAs({ user: 'nobody', group: 'mail' });
        expect(ids).to.include({ uid, gid: mail });
        expect(ids.groups).to.not.include(0);
        const [pid] = await daemon.workers();
        const status = await readFile(`/proc/${pid}/status`, 'utf8');
        expect(status).to.match(new RegExp(`^Uid:\\t${uid}\\t${uid}\\t${uid}\\t${uid}$`, 'm'));
        expect(status).to.match(/^CapEff:\t0+$/m);
        expect(await daemon.stop()).to.equal(0);
      });

      it('takes the group of the user where none is named', async () => {
        const ids = await startAs({ user: 'nobody' });
        expect(ids).to.include({ uid, gid: idOf('/etc/group', 'nogroup') });
      });

      it('gives its log files to them, after a rotation too', async () => {
        const log = { file: '{{dir}}/viaduct.log', access: { file: '{{dir}}/access.log' } };
        await startAs({ user: 'nobody', group: 'mail', log });
        const names = ['viaduct.log', 'access.log'].map((name) => join(daemon.dir, name));
        const owners = async (): Promise<string[]> =>
          Promise.all(names.map(async (name) => stat(name).then((found) => `${found.uid}:${found.gid}`)));
        expect(await owners()).to.deep.equal([`${uid}:${mail}`, `${uid}:${mail}`]);
        for (const name of names) await rename(name, `${name}.1`);
        daemon.kill('SIGUSR1');
        const isThere = async (): Promise<boolean> => {
          await get('/after');
          return (await daemon.accessLog()).some(({ uri }) => uri === '/after');
        };
        await waitFor(isThere, { what: 'a line of a worker in the new file', interval: 300 });
        expect(await owners()).to.deep.equal([`${uid}:${mail}`, `${uid}:${mail}`]);
        expect(await daemon.stop()).to.equal(0);
        expect(await readFile(names[0] ?? '', 'utf8')).to.include('"msg":"Stopping"');
      });

      it('gives its sockets the owner, group and mode of the configuration', async () => {
        await startAs({});
        const found = await stat(daemon.socket('http'));
        expect({ uid: found.uid, gid: found.gid, mode: (found.mode & 0o777).toString(8) }).to.deep.equal({
          uid,
          gid: mail,
          mode: '660',
        });
        const admin = await stat(daemon.socket('admin'));
        expect({ uid: admin.uid, mode: (admin.mode & 0o777).toString(8) }).to.deep.equal({
          uid: 0,
          mode: '600',
        });
      });
    });
  }
});
