// The helper that runs the daemon, tried on its own before other tests stand on it.
import { expect } from 'chai';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { type Daemon, MARK, startDaemon } from '../helpers/daemon.ts';
import { request } from '../helpers/http-client.ts';
import { Leftovers } from '../helpers/leftovers.ts';
import { waitFor } from '../helpers/wait.ts';

const LISTENERS = [
  { address: 'unix:{{dir}}/http.sock', protocol: 'http' },
  { address: '127.0.0.1:{{port}}', protocol: 'http' },
  { address: '127.0.0.1:{{port:other}}', protocol: 'fastcgi' },
];

describe('startDaemon', () => {
  let daemon: Daemon | undefined;
  afterEach(() => daemon?.remove());

  it('serves on sockets and ports, with files of its own, and stops with code 0', async () => {
    const files = {
      'apps/one.js': `export function application(environ, startResponse) {
  startResponse('200 OK', [['Content-Type', 'text/plain']]);
  return [Buffer.from('one in {{dir}}')];
}`,
    };
    const mounts = [{ path: '/', app: './apps/one.js' }];
    daemon = await startDaemon({ config: { listeners: LISTENERS, mounts }, files });
    expect((await request({ socketPath: daemon.socket('http') })).text).to.equal(`one in ${daemon.dir}`);
    expect((await request({ port: daemon.port(), path: '/a?b' })).status).to.equal(200);
    expect(daemon.port('other')).not.to.equal(daemon.port());
    expect(await daemon.metric('viaduct_requests_total', { code: '200' })).to.equal(2);
    expect(await daemon.metric('viaduct_connections_accepted_total')).to.equal(2);
    const line = await daemon.waitForAccess(({ uri }) => uri === '/a?b', 'of the second request');
    expect(line).to.include({ method: 'GET', status: 200, upstream: 'http' });
    expect(daemon.rss()).to.be.within(20 * 1024 * 1024, 500 * 1024 * 1024);
    expect(await daemon.stop()).to.equal(0);
    expect(daemon.log().map(({ msg }) => msg)).to.include.members(['Serving', 'Stopping']);
    const { dir } = daemon;
    await daemon.remove();
    expect(existsSync(dir)).to.equal(false);
  });

  it('takes YAML text, and an admin page that is switched off', async () => {
    const config = `
listeners: [{address: "unix:{{dir}}/http.sock", protocol: http}]
mounts: [{path: /, app: "viaduct:hello"}]
admin: null
`;
    daemon = await startDaemon({ config });
    expect((await request({ socketPath: daemon.socket('http') })).status).to.equal(200);
    expect(await daemon.stop('SIGKILL')).to.equal(null);
  });

  it('fails with what the daemon said', async () => {
    const config = { listeners: LISTENERS, mounts: [{ path: '/', app: './missing.js' }] };
    let failure: unknown;
    try {
      daemon = await startDaemon({ config });
    } catch (error) {
      failure = error;
    }
    expect(failure).to.be.instanceOf(Error);
    expect(String(failure)).to.match(/Cannot find the file .*missing\.js/);
  });
});

describe('Leftovers', () => {
  let daemon: Daemon;
  let leftovers: Leftovers;
  beforeEach(async () => {
    const mounts = [{ path: '/', app: 'viaduct:hello' }];
    daemon = await startDaemon({ config: { listeners: LISTENERS, mounts } });
    leftovers = new Leftovers(daemon);
  });
  afterEach(() => daemon.remove());

  const failure = (work: Promise<unknown>): Promise<string> => work.then(() => 'none', String);

  it('finds a process that got away, and nothing once that is gone', async () => {
    // In a session of its own, and no child of the daemon.
    const away = spawn('sleep', ['20'], {
      detached: true,
      env: { [MARK]: daemon.dir, PATH: process.env['PATH'] },
    });
    const ended = once(away, 'exit');
    expect(await daemon.stop()).to.equal(0);
    expect(await failure(leftovers.expectNothing())).to.match(/processes to end: \d+ \w sleep 20/);
    away.kill('SIGKILL');
    await ended;
    await leftovers.expectNothing();
  });

  it('finds a socket file', async () => {
    expect(await daemon.stop()).to.equal(0);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(daemon.socket('left'), resolve));
    expect(await failure(leftovers.expectNothing())).to.include('left.sock');
    server.close();
  });

  it('finds a connection that stays open', async () => {
    const socket = connect(daemon.socket('http'));
    await once(socket, 'connect');
    await waitFor(async () => (await daemon.metric('viaduct_connections')) === 1, { what: 'the connection' });
    const waiting = failure(leftovers.expectQuiet(0, 300));
    expect(await waiting).to.match(/gauges to be 0, with viaduct_connections\{.*http\.sock/);
    socket.destroy();
    await leftovers.expectQuiet();
  });
});
