import { expect } from 'chai';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import type { Server } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { closeAdmin, listenAdmin } from '../../../src/observe/admin-address.ts';
import { createAdminServer } from '../../../src/observe/admin.ts';
import { Metrics } from '../../../src/observe/metrics.ts';
import { parseExposition } from './exposition.ts';

interface Answered {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly body: string;
}

async function ask(
  address: string,
  path: string,
  options: { method?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<Answered> {
  const [, host = '', port = ''] = /^(.*):(\d+)$/.exec(address) ?? [];
  const where = address.startsWith('unix:') ? { socketPath: address.slice(5) } : { host, port: Number(port) };
  return new Promise((resolve, reject) => {
    const sent = request(
      { ...where, path, method: options.method ?? 'GET', headers: options.headers },
      (response) => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => (body += chunk));
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
        );
      },
    );
    sent.on('error', reject);
    sent.end(options.body);
  });
}

describe('observe/admin', () => {
  const state = { ready: false, reasons: ['mount "api" boots'], fail: false };
  const logged: object[] = [];
  const metrics = new Metrics({ version: '0.0.1' });
  let server: Server;
  let address = '';

  before(async () => {
    server = createAdminServer({
      metrics,
      ready: () => state,
      status: () => {
        if (state.fail) throw new Error('status is broken');
        return { workers: [{ slot: 0 }] };
      },
      logger: { error: (fields) => logged.push(fields) },
    });
    address = await listenAdmin(server, '127.0.0.1:0');
  });
  after(() => closeAdmin(server));

  it('serves metrics, OpenMetrics by Accept', async () => {
    metrics.mount('api');
    const text = await ask(address, '/metrics');
    expect(text.status).to.equal(200);
    expect(text.headers['content-type']).to.equal('text/plain; version=0.0.4; charset=utf-8');
    expect([...parseExposition(text.body).keys()]).to.include('viaduct_requests_total');
    const open = await ask(address, '/metrics?x=1', { headers: { accept: 'application/openmetrics-text' } });
    expect(open.headers['content-type']).to.match(/^application\/openmetrics-text/);
    expect(open.body).to.match(/# EOF\n$/);
  });

  it('is alive at once, ready when ready() says so, with reasons until then', async () => {
    expect((await ask(address, '/livez')).status).to.equal(200);
    const before = await ask(address, '/readyz');
    expect([before.status, before.body]).to.deep.equal([503, 'not ready\nmount "api" boots\n']);
    state.ready = true;
    expect((await ask(address, '/readyz')).status).to.equal(200);
  });

  it('serves status() as it is', async () => {
    const { headers, body } = await ask(address, '/status.json');
    expect(headers['content-type']).to.equal('application/json; charset=utf-8');
    expect(JSON.parse(body)).to.deep.equal({ workers: [{ slot: 0 }] });
  });

  it('answers 500 and logs where a page throws', async () => {
    state.fail = true;
    const { status, body } = await ask(address, '/status.json');
    state.fail = false;
    expect(status).to.equal(500);
    expect(body).not.to.contain('broken');
    expect(logged).to.have.nested.property('[0].err.message', 'status is broken');
  });

  it('lists its paths at / and in a 404', async () => {
    for (const [path, status] of [
      ['/', 200],
      ['/nope', 404],
      ['/constructor', 404],
      ['/metrics/', 404],
    ] as const) {
      const answered = await ask(address, path);
      expect(answered.status, path).to.equal(status);
      for (const known of ['/metrics', '/livez', '/readyz', '/status.json'])
        expect(answered.body).to.contain(known);
    }
  });

  it('refuses other methods with 405, a body included', async () => {
    for (const method of ['POST', 'DELETE', 'OPTIONS']) {
      const body = 'x'.repeat(100_000);
      const options = { method, body, headers: { 'content-length': String(body.length) } };
      const { status, headers } = await ask(address, '/metrics', options);
      expect([status, headers['allow']]).to.deep.equal([405, 'GET, HEAD']);
    }
  });

  it('answers HEAD with the headers of GET and no body', async () => {
    const get = await ask(address, '/status.json');
    const head = await ask(address, '/status.json', { method: 'HEAD' });
    expect(head.status).to.equal(200);
    expect(head.body).to.equal('');
    expect(head.headers['content-length']).to.equal(String(get.body.length));
  });

  it('lets nothing be stored or sniffed', async () => {
    for (const path of ['/', '/metrics', '/livez', '/readyz', '/status.json', '/nope']) {
      const { headers } = await ask(address, path);
      expect(headers['cache-control']).to.equal('no-store');
      expect(headers['x-content-type-options']).to.equal('nosniff');
    }
  });

  it('limits headers to 16 KiB, and what else a stranger could hold', async () => {
    expect((await ask(address, '/livez', { headers: { x: 'y'.repeat(20_000) } })).status).to.equal(431);
    expect(server.maxConnections).to.equal(64);
    expect(server.headersTimeout).to.be.within(1, 10_000);
    expect(server.requestTimeout).to.be.within(1, 10_000);
  });
});

describe('observe/admin-address', () => {
  let folder = '';
  const open: Server[] = [];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'viaduct-admin-'));
  });
  afterEach(async () => {
    await Promise.all(open.splice(0).map(closeAdmin));
    rmSync(folder, { recursive: true });
  });

  async function start(address: string): Promise<string> {
    const server = createAdminServer({
      metrics: { render: () => Promise.resolve({ contentType: 'text/plain', text: '' }) },
      ready: () => ({ ready: true, reasons: [] }),
      status: () => ({}),
      logger: { error() {} },
    });
    const bound = await listenAdmin(server, address);
    open.push(server);
    return bound;
  }

  async function refusal(address: string): Promise<string> {
    try {
      await start(address);
    } catch (error) {
      return error instanceof Error ? error.message : '';
    }
    return 'it listens';
  }

  it('makes a Unix socket for the owner alone, and leaves the umask as it was', async () => {
    const path = join(folder, 'admin.sock');
    const before = process.umask(0o022);
    await start(`unix:${path}`);
    expect(process.umask(before)).to.equal(0o022);
    expect(statSync(path).mode & 0o777).to.equal(0o600);
    expect((await ask(`unix:${path}`, '/livez')).body).to.equal('ok\n');
    await Promise.all(open.splice(0).map(closeAdmin));
    expect(existsSync(path)).to.equal(false);
  });

  it('replaces a socket nobody listens on, leaves a live one and a file alone', async () => {
    const path = join(folder, 'admin.sock');
    const script = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
    spawnSync(process.execPath, ['-e', script]);
    expect(statSync(path).isSocket()).to.equal(true);
    await start(`unix:${path}`);
    expect(await refusal(`unix:${path}`)).to.contain('another process listens there');
    expect((await ask(`unix:${path}`, '/livez')).status).to.equal(200);
    const file = join(folder, 'file');
    writeFileSync(file, 'precious');
    expect(await refusal(`unix:${file}`)).to.contain('no socket');
    expect(existsSync(file)).to.equal(true);
  });

  it('refuses a path longer than the kernel takes, and takes the longest', async () => {
    const path = join(folder, 'x'.repeat(107 - folder.length - 1));
    await start(`unix:${path}`);
    expect(await refusal(`unix:${path}x`)).to.contain('108 bytes');
    expect(await refusal('unix:')).to.contain('0 bytes');
  });

  it('takes HOST:PORT and [IPV6]:PORT, and names what it cannot read', async () => {
    expect(await start('127.0.0.1:0')).to.match(/^127\.0\.0\.1:\d+$/);
    for (const address of [
      '',
      '9180',
      'localhost',
      '127.0.0.1:',
      '::1:80',
      '127.0.0.1:65536',
      '127.0.0.1:x',
    ]) {
      expect(await refusal(address)).to.contain(`"${address}": wanted HOST:PORT`);
    }
  });

  it('reports a port that is taken', async () => {
    const taken = await start('127.0.0.1:0');
    expect(await refusal(taken)).to.contain('EADDRINUSE');
  });

  it('closes in the face of a connection that says nothing', async () => {
    const path = join(folder, 'admin.sock');
    await start(`unix:${path}`);
    const silent = connect(path);
    await once(silent, 'connect');
    silent.write('GET /livez HT');
    const closed = once(silent, 'close');
    await Promise.all(open.splice(0).map(closeAdmin));
    silent.destroy();
    await closed;
  });
});
