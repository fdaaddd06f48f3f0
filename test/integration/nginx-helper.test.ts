// Proves the helpers that every integration test stands on: a real nginx, and a client that sees truncation.
import { expect } from 'chai';
import { stat } from 'node:fs/promises';
import { Agent, createServer as createHttpServer } from 'node:http';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { rawExchange, request, startCall } from '../helpers/http-client.ts';
import { httpLocation, keepaliveUpstream, type Nginx, serverBlock, startNginx } from '../helpers/nginx.ts';
import { makeTempDir, removeTempDir } from '../helpers/temp.ts';
import { waitFor } from '../helpers/wait.ts';

async function listen(server: Server, path: string): Promise<void> {
  await new Promise<void>((resolve) => server.listen(path, resolve));
}

async function close(server: Server): Promise<void> {
  await new Promise<void>((resolve) => server.close(() => resolve()));
}

async function failure(promise: Promise<unknown>): Promise<Error> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof Error)) throw new Error('Cannot take the error: the promise did not reject');
  return error;
}

async function* pieces(): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(Buffer.from('abc'));
  yield Buffer.alloc(100_000);
}

describe('startNginx()', () => {
  it('serves a static answer, on TCP and on a Unix socket', async () => {
    const nginx = await startNginx({
      servers:
        serverBlock('location / { return 200 "one"; }') +
        serverBlock('location / { return 200 "two"; }', 'other') +
        'server { listen unix:{{dir}}/front.sock; location / { return 200 "three"; } }',
    });
    try {
      expect(nginx.port).to.not.equal(nginx.portOf('other'));
      expect((await request({ port: nginx.port, path: '/a?b' })).text).to.equal('one');
      expect((await request({ port: nginx.portOf('other') })).text).to.equal('two');
      expect((await request({ socketPath: join(nginx.dir, 'front.sock') })).text).to.equal('three');
      const line = await waitFor(async () => /"GET \/a\?b HTTP\/1\.1"/.exec(await nginx.accessLog()), {
        what: 'the access log line',
      });
      expect(line[0]).to.be.a('string');
    } finally {
      await nginx.stop();
    }
  });

  it('gets the request target byte by byte, whatever the body', async () => {
    const nginx = await startNginx({ servers: serverBlock('location / { return 200 "$request_uri"; }') });
    const path = '/\xc3\xa9%2F//x/../\xff';
    try {
      const plain = await request({ port: nginx.port, path });
      expect(plain.body.toString('latin1')).to.equal(path);
      const withBody = await request({ port: nginx.port, method: 'POST', path, body: 'é' });
      expect(withBody.body.toString('latin1')).to.equal(path);
    } finally {
      await nginx.stop();
    }
  });

  it('leaves neither process, port nor folder behind', async () => {
    const nginx = await startNginx({ servers: serverBlock('') });
    await nginx.stop();
    await nginx.stop();
    expect(() => process.kill(nginx.pid, 0)).to.throw('ESRCH');
    expect((await failure(stat(nginx.dir))).message).to.include('ENOENT');
    expect((await failure(request({ port: nginx.port }))).message).to.include('ECONNREFUSED');
  });

  it("fails with nginx's own words on a bad configuration", async () => {
    const error = await failure(startNginx({ servers: serverBlock('frobnicate on;') }));
    expect(error.message).to.include('unknown directive "frobnicate"');
  });

  it('runs several at a time, each on ports of its own', async () => {
    const servers = serverBlock('location / { return 200 "$server_port"; }');
    const all = await Promise.all([
      startNginx({ servers }),
      startNginx({ servers }),
      startNginx({ servers }),
    ]);
    try {
      for (const { port } of all) expect((await request({ port })).text).to.equal(String(port));
    } finally {
      await Promise.all(all.map((nginx) => nginx.stop()));
    }
  });
});

describe('request() through nginx to a small server', () => {
  let dir: string;
  let nginx: Nginx;
  let connections = 0;
  const bodies: Promise<string>[] = [];
  const backend = createHttpServer((incoming, response) => {
    if (incoming.url === '/cut') {
      response.writeHead(200, { 'Content-Length': '1000' });
      response.write('only this', () => response.destroy());
    } else if (incoming.url === '/cut-chunked') {
      response.write('some of it', () => response.destroy());
    } else if (incoming.url === '/endless') {
      response.write('tick');
    } else {
      const body = incoming.setEncoding('latin1').reduce((text: string, piece: string) => text + piece, '');
      bodies.push(body.catch(() => 'cut'));
      void body.then(
        (text) => response.end(`${incoming.method} ${incoming.url} ${text.length}`),
        () => response.destroy(),
      );
    }
  }).on('connection', () => (connections += 1));

  before(async () => {
    dir = await makeTempDir();
    const socket = `unix:${join(dir, 'backend.sock')}`;
    await listen(backend, join(dir, 'backend.sock'));
    nginx = await startNginx({
      http: keepaliveUpstream('kept', socket),
      servers: serverBlock(
        httpLocation({ socket: 'kept', keepConn: true, stockParams: false }) +
          httpLocation({ path: '= /endless', socket, buffering: false, keepConn: true }),
      ),
    });
  });

  after(async () => {
    await nginx.stop();
    backend.closeAllConnections();
    await close(backend);
    await removeTempDir(dir);
  });

  it('gives a whole response with its headers as received', async () => {
    const response = await request({
      port: nginx.port,
      method: 'POST',
      path: '/p%2Fq?x',
      headers: [
        ['X-Twice', 'a'],
        ['X-Twice', 'b'],
      ],
      body: 'é!',
    });
    expect(response.status).to.equal(200);
    expect(response.complete).to.equal(true);
    expect(response.framing).to.equal('length');
    expect(response.text).to.equal('POST /p%2Fq?x 3');
    expect(response.headers.map(([name]) => name)).to.include('Content-Length');
    expect(response.header('content-LENGTH')).to.equal(String(response.body.length));
    expect(response.timings.firstChunk).to.be.at.least(response.timings.head);
    expect(response.timings.end).to.be.at.least(response.timings.firstChunk);
  });

  it('keeps connections alive on both sides', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const before = connections;
    const first = await request({ port: nginx.port, agent });
    const second = await request({ port: nginx.port, agent });
    agent.destroy();
    expect([first.reusedSocket, second.reusedSocket]).to.deep.equal([false, true]);
    expect(connections - before).to.be.at.most(1);
  });

  it('detects a response cut short of its Content-Length', async () => {
    const response = await request({ port: nginx.port, path: '/cut' });
    expect(response.status).to.equal(200);
    expect(response.text).to.equal('only this');
    expect(response.framing).to.equal('length');
    expect(response.complete).to.equal(false);
    expect(response.error?.message).to.equal('aborted');
    expect(await nginx.errorLog()).to.include('upstream prematurely closed connection');
  });

  it('detects a chunked response without its last chunk', async () => {
    const response = await request({ port: nginx.port, path: '/cut-chunked' });
    expect(response.status).to.equal(200);
    expect(response.framing).to.equal('chunked');
    expect(response.complete).to.equal(false);
  });

  it('gives status 0 where the connection ends before any response', async () => {
    const mute = createServer((socket) => socket.once('data', () => socket.destroy()));
    await listen(mute, join(dir, 'mute.sock'));
    const response = await request({ socketPath: join(dir, 'mute.sock') });
    await close(mute);
    expect(response.status).to.equal(0);
    expect(response.complete).to.equal(false);
    expect(response.error).to.be.an('error');
  });

  it('sends a body in pieces, chunked', async () => {
    const response = await request({ port: nginx.port, method: 'PUT', path: '/up', body: pieces() });
    expect(response.text).to.equal('PUT /up 100003');
  });

  it('aborts in the middle of a download', async () => {
    const call = startCall({ port: nginx.port, path: '/endless' });
    expect((await call.waitForBytes(4)).toString()).to.equal('tick');
    call.abort();
    const response = await call.done;
    expect(response.status).to.equal(200);
    expect(response.complete).to.equal(false);
    await waitFor(async () => (await nginx.accessLog()).includes('GET /endless'), {
      what: 'nginx to notice',
    });
  });

  it('aborts in the middle of an upload', async () => {
    const direct = join(dir, 'backend.sock');
    const call = startCall({ socketPath: direct, method: 'POST', path: '/up', manualBody: true });
    const seen = bodies.length;
    await call.send('half');
    await waitFor(() => bodies.length > seen, { what: 'the backend to see the request' });
    call.abort();
    expect((await call.done).status).to.equal(0);
    expect(await bodies.at(-1)).to.equal('cut');
  });

  it('sends raw bytes and gives raw bytes back', async () => {
    const bytes = await rawExchange({ port: nginx.port }, 'GET /x HTTP/1.0\r\n\r\n');
    expect(bytes.toString('latin1')).to.match(/^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\nGET \/x 0$/);
  });
});
