// Upgrades through viaduct.upgrade, raw: behind nginx over every protocol that can carry them, and straight over HTTP.
import { join } from 'node:path';
import { expect } from 'chai';
import { request } from '../helpers/http-client.ts';
import { projectRoot } from '../helpers/project.ts';
import { RawClient, startTunnelStand, TUNNEL_WAYS, type TunnelStand } from '../helpers/tunnel-stand.ts';
import { waitFor } from '../helpers/wait.ts';

const APP = join(projectRoot, 'test/fixtures/apps/tunnels.js');

describe('tunnels', () => {
  let stand: TunnelStand;
  const open: RawClient[] = [];
  const client = (target: number | string): RawClient => {
    const made = new RawClient(target);
    open.push(made);
    return made;
  };
  const active = (): Promise<number> => stand.daemon.metric('http_server_active_requests');
  const said = (text: string): Promise<unknown> =>
    waitFor(() => stand.daemon.log().some((line) => JSON.stringify(line).includes(text)), {
      what: `"${text}" in the log`,
    });

  before(async () => {
    stand = await startTunnelStand({
      mounts: [
        { path: '/', app: APP, middleware: ['viaduct:lint'], timeouts: { send: '1s', request: '1s' } },
      ],
      timeouts: { graceful: '3s' },
    });
  });
  after(() => stand?.stop());
  afterEach(async () => {
    for (const { socket } of open.splice(0)) socket.destroy();
    await waitFor(async () => (await active()) === 0, { what: 'all tunnels to end' });
  });

  for (const way of TUNNEL_WAYS) {
    it(`carry raw bytes both ways over ${way}, for longer than timeouts.request`, async () => {
      const echo = client(stand.port(way)).ask(`/echo?${way}`);
      const head = await echo.until('\r\n\r\n');
      expect(head).to.match(/^HTTP\/1\.1 101 Switching Protocols\r\n/);
      expect(head)
        .to.match(/^upgrade: echo\r$/im)
        .and.match(/^connection: upgrade\r$/im);
      expect(head).to.match(/^x-tunnel: echo\r$/im);
      const started = performance.now();
      echo.socket.write('\x00\xff first', 'latin1');
      await echo.until('\x00\xff first');
      expect(await active()).to.equal(1);
      await waitFor(() => performance.now() - started > 1300, { what: 'timeouts.request to pass' });
      echo.socket.write('last');
      await echo.until('last');
      echo.socket.end();
      const line = await stand.daemon.waitForAccess(
        ({ uri }) => uri === `/echo?${way}`,
        'the tunnel that ended',
      );
      expect(line).to.include({ status: 101, bytes_in: 12, bytes_out: 12 });
      expect(line).to.not.have.property('aborted');
      await said('closed /echo');
    });

    it(`end when the app ends them over ${way}`, async () => {
      const bye = client(stand.port(way)).ask('/bye');
      await bye.until('\r\n\r\nbye');
      await waitFor(() => bye.ended, { what: 'the end' });
      const destroyed = client(stand.port(way)).ask('/destroy');
      await waitFor(() => destroyed.ended || destroyed.closed, { what: 'the end' });
    });

    it(`abort the signal when the client is gone over ${way}`, async () => {
      const held = client(stand.port(way)).ask(`/hold`, 'echo', '', `X-Request-Id: gone-${way}\r\n`);
      await held.until('\r\n\r\n');
      held.socket.destroy();
      await waitFor(
        () =>
          stand.daemon
            .log()
            .some(
              (line) =>
                line['request_id'] === `gone-${way}` &&
                String(line['msg']).includes('signal /hold ERR_GATEWAY_CLIENT_GONE'),
            ),
        { what: 'the signal' },
      );
    });

    it(`of a client that reads nothing wait, and end after timeouts.send over ${way}`, async () => {
      const slow = client(stand.port(way)).ask(`/flood?${way}`);
      await slow.until('\r\n\r\n');
      slow.socket.pause();
      const line = await stand.daemon.waitForAccess(
        ({ uri }) => uri === `/flood?${way}`,
        'the stalled tunnel',
      );
      expect(line).to.include({ status: 101, aborted: 'sending' });
    });

    it(`have what came right behind the request over ${way}`, async () => {
      const echo = client(stand.port(way)).ask('/echo', 'echo', 'early bird');
      await echo.until('\r\n\r\nearly bird');
    });

    it(`close when the app fails after its upgrade over ${way}`, async () => {
      const broken = client(stand.port(way)).ask(`/throw?${way}`);
      await waitFor(() => broken.ended || broken.closed, { what: 'the end' });
      const line = await stand.daemon.waitForAccess(
        ({ uri }) => uri === `/throw?${way}`,
        'the broken tunnel',
      );
      expect(line).to.include({ status: 101, aborted: 'sending' });
    });

    it(`are offered to who asks for one over ${way}, and nobody else`, async () => {
      const port = stand.port(way);
      expect(await client(port).ask('/offered').until('function')).to.include('200 OK');
      expect((await request({ port, path: '/offered' })).text).to.equal('undefined');
      const asked = await request({ port, path: '/offered', headers: [['Upgrade', 'echo']] });
      expect(asked.text).to.equal('undefined');
    });
  }

  it('are not offered over FastCGI', async () => {
    const text = await client(stand.port('fastcgi')).ask('/offered').until('undefined');
    expect(text).to.include('200 OK');
  });

  it('are not to be had from startResponse()', async () => {
    const { status } = await request({ port: stand.port('uwsgi'), path: '/wrong' });
    expect(status).to.equal(500);
    await said('status');
  });

  it('over HTTP a body comes first, and with it the wish is ignored', async () => {
    const http = client(stand.daemon.socket('http'));
    http.socket.write(
      'POST /offered HTTP/1.1\r\nHost: a.test\r\nConnection: HTTP2-Settings, Upgrade\r\nUpgrade: h2c\r\n' +
        'Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
    );
    await http.until('undefined');
    // The connection goes on, as after any request.
    await http.ask('/echo', 'echo', 'more').until('\r\n\r\nmore');
  });

  it('over HTTP without nginx an end of one side leaves the other open', async () => {
    const echo = client(stand.daemon.socket('http')).ask('/echo', 'echo', 'all of it');
    await echo.until('\r\n\r\nall of it');
    echo.socket.end(', and the rest');
    await echo.until(', and the rest');
    await waitFor(() => echo.ended, { what: 'the end' });
  });

  it('over HTTP an ordinary answer to who asks for an upgrade ends the connection', async () => {
    const http = client(stand.daemon.socket('http')).ask('/offered', 'h2c');
    expect(await http.until('function')).to.match(/^connection: close\r$/im);
    await waitFor(() => http.ended, { what: 'the end' });
  });

  it('are told of a reload, are cut off after timeouts.graceful, and leave nothing behind', async () => {
    const { daemon } = stand;
    const leftovers = daemon.log().length;
    const polite = client(stand.port('uwsgi')).ask('/shutdown');
    const stubborn = client(stand.port('scgi')).ask('/hold?stubborn');
    await Promise.all([polite.until('\r\n\r\n'), stubborn.until('\r\n\r\n')]);
    const started = performance.now();
    daemon.kill('SIGHUP');
    await polite.until('going away');
    const fresh = client(stand.port('uwsgi')).ask('/echo', 'echo', 'new');
    await fresh.until('\r\n\r\nnew');
    expect(stubborn.ended).to.equal(false);
    await waitFor(() => stubborn.ended || stubborn.closed, { what: 'the cut', timeout: 8000 });
    expect(performance.now() - started).to.be.within(2500, 6000);
    fresh.socket.write(' and alive');
    await fresh.until('new and alive');
    const line = await daemon.waitForAccess(
      ({ uri }) => uri === '/hold?stubborn',
      'the tunnel that was cut off',
    );
    expect(line).to.include({ status: 101, aborted: 'sending' });
    // Its end is nobody's failure.
    const lines = daemon.log().slice(leftovers);
    expect(lines.filter(({ level }) => level === 'error')).to.deep.equal([]);
    expect(lines.find(({ uri }) => uri === '/hold?stubborn')).to.include({
      level: 'warn',
      msg: 'Tunnel cut off: The server stopped before the response ended',
    });
  });
});
