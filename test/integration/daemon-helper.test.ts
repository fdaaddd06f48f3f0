// The helper that runs the daemon, tried on its own before other tests stand on it.
import { expect } from 'chai';
import { existsSync } from 'node:fs';
import { type Daemon, startDaemon } from '../helpers/daemon.ts';
import { request } from '../helpers/http-client.ts';

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
