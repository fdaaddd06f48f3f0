// A chat over the ws package, unchanged, behind nginx: `interface: node` and its 'upgrade' event.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { WebSocket } from 'ws';
import { request } from '../helpers/http-client.ts';
import { descendantsOf } from '../helpers/processes.ts';
import { projectRoot } from '../helpers/project.ts';
import { startTunnelStand, TUNNEL_WAYS, type TunnelStand } from '../helpers/tunnel-stand.ts';
import { waitFor } from '../helpers/wait.ts';

const fixture = (name: string): string => join(projectRoot, 'test/fixtures/apps', `${name}.js`);
const MANY = 1000;
const MIB = 1024 * 1024;

describe('WebSockets', () => {
  let stand: TunnelStand;
  const sockets: WebSocket[] = [];

  const open = async (way: string, path = '/ws'): Promise<WebSocket> => {
    const socket = new WebSocket(`ws://127.0.0.1:${stand.port(way)}${path}`);
    sockets.push(socket);
    await once(socket, 'open');
    socket.on('error', () => undefined);
    return socket;
  };
  const ask = async (socket: WebSocket, data: string | Buffer): Promise<Buffer> => {
    const answer = once(socket, 'message');
    socket.send(data);
    return (await answer)[0] as Buffer;
  };

  before(async () => {
    stand = await startTunnelStand({
      mounts: [
        { path: '/', app: fixture('chat'), interface: 'node' },
        { path: '/fastify', app: fixture('fastify-chat'), interface: 'node' },
        { path: '/nest', app: fixture('nest-chat'), interface: 'node' },
        { path: '/prefix', app: fixture('server-chat'), interface: 'node' },
      ],
      timeouts: { graceful: '5s' },
    });
  });
  after(() => stand?.stop());
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.terminate();
    await waitFor(async () => (await stand.daemon.metric('http_server_active_requests')) === 0, {
      what: 'all sockets to end',
    });
  });

  for (const way of TUNNEL_WAYS) {
    for (const path of ['/ws', '/zip']) {
      it(`carry text, bytes, 1 MiB, pings and close codes over ${way} at ${path}`, async () => {
        const socket = await open(way, path);
        expect(socket.extensions).to.equal(path === '/zip' ? 'permessage-deflate' : '');
        expect(String(await ask(socket, 'h\u00e9llo'))).to.equal('h\u00e9llo');
        const large = randomBytes(MIB);
        expect((await ask(socket, large)).equals(large)).to.equal(true);
        const pong = once(socket, 'pong');
        socket.ping('are you there');
        expect(String((await pong)[0])).to.equal('are you there');
        const closed = once(socket, 'close');
        socket.send('close me');
        const [code, reason] = (await closed) as [number, Buffer];
        expect([code, String(reason)]).to.deep.equal([4001, 'as you wish']);
      });
    }

    it(`reach everybody in the room, and end from either side, over ${way}`, async () => {
      const [one, other] = await Promise.all([open(way), open(way)]);
      const heard = once(other, 'message');
      one.send('all: hi');
      expect(String((await heard)[0])).to.equal('all: hi');
      const killed = once(one, 'close');
      one.send('kill me');
      expect((await killed)[0]).to.equal(1006);
      other.close(1000);
      expect((await once(other, 'close'))[0]).to.equal(1000);
    });

    it(`are refused with what the listener says over ${way}`, async () => {
      const refused = new WebSocket(`ws://127.0.0.1:${stand.port(way)}/secret`);
      refused.on('error', () => undefined);
      const [, response] = await once(refused, 'unexpected-response');
      expect(response.statusCode).to.equal(401);
      expect(response.headers['x-why']).to.equal('secret');
      expect(String((await once(response, 'data'))[0])).to.equal('secret');
    });

    it(`of a client that does not read cost no memory over ${way}`, async () => {
      const before = stand.daemon.rss();
      const slow = await open(way);
      slow.pause();
      slow.send('flood me');
      const sent = (): Promise<number> => stand.daemon.metric('http_server_active_requests');
      const until = performance.now() + 1000;
      await waitFor(async () => performance.now() > until && (await sent()) === 1, {
        what: 'a second to pass',
      });
      expect(stand.daemon.rss() - before).to.be.below(64 * MIB);
    });
  }

  it('get a 501 over FastCGI that says what to do, and so does the log', async () => {
    const refused = new WebSocket(`ws://127.0.0.1:${stand.port('fastcgi')}/ws`);
    refused.on('error', () => undefined);
    const [, response] = await once(refused, 'unexpected-response');
    expect(response.statusCode).to.equal(501);
    expect(String((await once(response, 'data'))[0])).to.include('use uwsgi_pass, scgi_pass or proxy_pass');
    const line = await waitFor(
      () => stand.daemon.log().find(({ msg }) => String(msg).startsWith('Refused upgrade with 501: nginx')),
      { what: 'the log line' },
    );
    // A mistake in the configuration of nginx, and none of the app's words.
    expect(line).to.include({ level: 'warn', mount: '/', method: 'GET', uri: '/ws' });
    expect(line).not.to.have.property('source');
  });

  it('reach @fastify/websocket', async () => {
    expect(String(await ask(await open('uwsgi', '/fastify'), 'hi'))).to.equal('fastify hi');
  });

  it('reach an upgrade listener on the server of a Nest app', async () => {
    expect(String(await ask(await open('uwsgi', '/nest/anything'), 'hi'))).to.equal('nest hi');
  });

  for (const way of TUNNEL_WAYS) {
    it(`reach ws by its path option below the path of the mount over ${way}`, async () => {
      const socket = await open(way, '/prefix/chat?room=1');
      expect(String(await ask(socket, 'hi'))).to.equal('/prefix /chat?room=1 hi');
      // ws itself refuses any other path.
      const refused = new WebSocket(`ws://127.0.0.1:${stand.port(way)}/prefix/prefix/chat`);
      refused.on('error', () => undefined);
      const [, response] = await once(refused, 'unexpected-response');
      expect(response.statusCode).to.equal(400);
      expect(String((await once(response, 'data'))[0])).to.equal('Bad Request');
      const plain = await request({ port: stand.port(way), path: '/prefix/chat' });
      expect(plain.text).to.equal('plain /chat');
    });
  }

  it('leave no descriptor behind', async () => {
    const pids = [stand.daemon.pid, ...descendantsOf(stand.daemon.pid).map(({ pid }) => pid)];
    const descriptors = (): number =>
      pids.reduce((sum, pid) => sum + readdirSync(`/proc/${pid}/fd`).length, 0);
    const before = descriptors();
    const all = await Promise.all(TUNNEL_WAYS.flatMap((way) => [open(way), open(way, '/zip')]));
    for (const socket of all) socket.terminate();
    await waitFor(() => descriptors() <= before, { what: `${before} descriptors again` });
  });

  it('leave plain requests alone, curl with its h2c among them', async () => {
    expect((await request({ port: stand.port('uwsgi'), path: '/' })).text).to.equal('plain');
    const headers = [
      ['Connection', 'Upgrade'],
      ['Upgrade', 'h2c'],
    ] as const;
    expect((await request({ port: stand.port('uwsgi'), path: '/', headers })).text).to.equal('plain');
  });

  it(`hold ${MANY} at a time`, async function () {
    this.timeout(60_000);
    const before = stand.daemon.rss();
    for (let at = 0; at < MANY; at += 100)
      await Promise.all(Array.from({ length: 100 }, () => open('uwsgi')));
    expect(await stand.daemon.metric('http_server_active_requests')).to.equal(MANY);
    const answers = await Promise.all(sockets.map((socket, at) => ask(socket, `number ${at}`)));
    expect(answers.map(String)).to.deep.equal(sockets.map((_socket, at) => `number ${at}`));
    expect(stand.daemon.rss() - before).to.be.below(150 * MIB);
  });

  it('hear of a reload, while new ones reach the new generation', async () => {
    const old = await open('uwsgi');
    const closed = once(old, 'close');
    stand.daemon.kill('SIGHUP');
    expect((await closed)[0]).to.equal(1012);
    expect(String(await ask(await open('uwsgi'), 'still here'))).to.equal('still here');
  });
});
