// Socket files: what stands in the way, what is somebody else's, what becomes of them while viaduct runs. nginx's clients
// are served as ever.
import { expect } from 'chai';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fixtureApp } from '../../helpers/bridge.ts';
import { type CliResult, runViaduct } from '../../helpers/cli.ts';
import { startDaemon } from '../../helpers/daemon.ts';
import { faultTest, type Stand } from '../../helpers/fault-stand.ts';
import { request } from '../../helpers/http-client.ts';
import { expectSteady } from '../../helpers/steady-client.ts';
import { waitFor } from '../../helpers/wait.ts';

/** What becomes of a second viaduct with this listener, in the same folder. */
async function serveAt(stand: Stand, path: string): Promise<CliResult> {
  const { dir } = stand.daemon;
  const config = {
    listeners: [{ address: `unix:${path}`, protocol: stand.way.protocol }],
    mounts: [{ path: '/', app: 'viaduct:hello' }],
    run_dir: 'other-run',
    admin: null,
  };
  await writeFile(join(dir, 'other.yaml'), JSON.stringify(config));
  return runViaduct(['serve', '-c', join(dir, 'other.yaml')], { timeout: 5000 });
}

describe('fault: a socket path that cannot be had', () => {
  faultTest('is refused by name, and what stands there stays as it is', {}, async (stand) => {
    const clients = stand.steady();
    const { dir } = stand.daemon;
    const served = stand.daemon.socket(stand.way.protocol);
    const { ino } = await stat(served);
    const busy = await serveAt(stand, served);
    expect(busy.stderr).to.include('another process serves it');
    expect(busy.code).to.equal(73);
    expect((await stat(served)).ino).to.equal(ino);

    const file = join(dir, 'precious');
    await writeFile(file, 'precious');
    const taken = await serveAt(stand, file);
    expect(taken.stderr).to.include(file);
    expect(taken.code).to.equal(73);
    expect(await readFile(file, 'utf8')).to.equal('precious');

    const nowhere = await serveAt(stand, join(file, 'a.sock'));
    expect(nowhere.stderr).to.include(file);
    expect(nowhere.code).to.be.oneOf([73, 77]);
    expectSteady(await clients.stop());
  });

  faultTest('is refused with more than 107 bytes, and served with 107', {}, async (stand) => {
    const ofLength = (length: number): string => join(stand.daemon.dir, 'x'.repeat(length)).slice(0, length);
    for (const length of [108, 109]) {
      const path = ofLength(length);
      const { code, stderr } = await serveAt(stand, path);
      expect(stderr).to.include('107');
      expect(code).to.be.oneOf([73, 78]);
      expect(existsSync(path)).to.equal(false);
      expect(existsSync(path.slice(0, 107))).to.equal(false);
    }
    const path = ofLength(107);
    const other = await startDaemon({
      config: {
        listeners: [{ address: `unix:${path}`, protocol: 'http' }],
        mounts: [{ path: '/', app: 'viaduct:hello' }],
      },
    });
    try {
      expect((await request({ socketPath: path })).status).to.equal(200);
    } finally {
      await other.stop();
      await other.remove();
    }
    expect(existsSync(path)).to.equal(false);
  });
});

describe('fault: a successor at the same path', () => {
  faultTest(
    'keeps its socket when the first one ends, and is served from it',
    { survives: false, expected: { nginx: [/prematurely closed|reset by peer|Broken pipe/] } },
    async (stand) => {
      const path = stand.daemon.socket(stand.way.protocol);
      const clients = stand.steady();
      await clients.moreAnswers(50);
      // As a deployment without reload does it: the new one binds beside, and is moved over the old one.
      const fresh = `${path}.new`;
      const next = await startDaemon({
        config: {
          listeners: [{ address: `unix:${fresh}`, protocol: stand.way.protocol }],
          mounts: [{ path: '/', app: fixtureApp('steady'), env: { RELEASE: 'next' } }],
        },
      });
      try {
        await rename(fresh, path);
        const { ino } = await stat(path);
        expect(await stand.daemon.stop()).to.equal(0);
        expect((await stat(path)).ino).to.equal(ino);
        await clients.moreAnswers(50);
        const report = await clients.stop();
        // A stop ends kept connections, and nginx does not send a POST again that met that (ngx_http_upstream_next).
        for (const { status, request: asked } of report.failures)
          expect(`${status} ${asked}`).to.match(/^502 POST/);
        if (stand.way.protocol === 'uwsgi') expectSteady(report);
        expect([...report.releases.keys()]).to.include.members(['', 'next']);
        expect(await next.stop()).to.equal(0);
      } finally {
        await next.remove();
        await rm(path, { force: true });
      }
    },
  );
});

describe('fault: a socket file that is gone', () => {
  faultTest(
    'is there again after a reload',
    {
      // Closing the socket whose file is gone would make libuv unlink the path, which is its successor's (uv__pipe_close).
      kept: 1,
      expected: { nginx: [/connect\(\) to unix:\S+ failed \(2: No such file/], viaduct: [/socket|file/i] },
    },
    async (stand) => {
      await rm(stand.daemon.socket(stand.way.protocol));
      expect(await stand.reload()).to.include({ code: 0 });
      await waitFor(async () => (await stand.request({ path: '/' })).status === 200, { what: 'the socket' });
      const clients = stand.steady();
      await clients.moreAnswers(50);
      expectSteady(await clients.stop());
    },
  );
});

describe('fault: a release that is switched by a symbolic link', () => {
  const app = (text: string): string => `
export const application = (environ, startResponse) => {
  startResponse('200 OK', []);
  return [Buffer.from('${text}')];
};
`;
  faultTest(
    'is what a reload serves, and its predecessor may be removed',
    {
      mounts: { '/app': { app: './current/app.mjs' } },
      daemon: { files: { 'current/app.mjs': app('one') } },
    },
    async (stand) => {
      const { dir } = stand.daemon;
      await rename(join(dir, 'current'), join(dir, 'one'));
      await symlink('one', join(dir, 'current'));
      await mkdir(join(dir, 'two'));
      await writeFile(join(dir, 'two/app.mjs'), app('two'));
      const clients = stand.steady();
      expect((await stand.request({ path: '/app' })).text).to.equal('one');
      await symlink('two', join(dir, 'next'));
      await rename(join(dir, 'next'), join(dir, 'current'));
      expect((await stand.request({ path: '/app' })).text).to.equal('one');
      expect(await stand.reload()).to.include({ code: 0 });
      await rm(join(dir, 'one'), { recursive: true });
      expect((await stand.request({ path: '/app' })).text).to.equal('two');
      expectSteady(await clients.stop());
    },
  );
});
