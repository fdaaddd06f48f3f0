import { expect } from 'chai';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { request } from 'node:http';
import type { Server } from 'node:http';
import { setImmediate } from 'node:timers/promises';
import { createAdminServer } from '../../../src/observe/admin.ts';
import { Metrics } from '../../../src/observe/metrics.ts';
import { sampleStatus } from '../../helpers/status.ts';
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
  let refresh = (): Promise<void> => Promise.resolve();
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
        return sampleStatus();
      },
      refresh: () => refresh(),
      logger: { error: (fields) => logged.push(fields) },
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const bound = server.address();
    address = `127.0.0.1:${bound !== null && typeof bound === 'object' ? bound.port : 0}`;
  });
  after(() => server.close());

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
    expect(JSON.parse(body)).to.deep.equal(sampleStatus());
  });

  it('shows what is private only under its own names: a page elsewhere cannot borrow the address', async () => {
    for (const [host, wanted] of [
      ['evil.example', 421],
      ['evil.example:9180', 421],
      ['127.0.0.1.evil.example', 421],
      ['localhost.evil.example', 421],
      [address, 200],
      ['localhost:80', 200],
      ['app.localhost', 200],
      ['[::1]:9180', 200],
    ] as const)
      for (const path of ['/', '/status.json'])
        expect((await ask(address, path, { headers: { host } })).status, host).to.equal(wanted);
    expect((await ask(address, '/metrics', { headers: { host: 'evil.example' } })).status).to.equal(200);
  });

  it("has php-fpm's fields for who asks for them", async () => {
    const { headers, body } = await ask(address, '/status.json?php-fpm');
    expect(headers['content-type']).to.equal('application/json; charset=utf-8');
    expect(JSON.parse(body))
      .to.include({ pool: 'viaduct', 'slow requests': 7 })
      .and.not.to.have.any.keys('processes');
    expect(JSON.parse((await ask(address, '/status.json?php-fpm&full')).body)).to.have.any.keys('processes');
  });

  it('has a page that may run its own script and style, and nothing else', async () => {
    const { status, headers, body } = await ask(address, '/');
    expect([status, headers['content-type']]).to.deep.equal([200, 'text/html; charset=utf-8']);
    const policy = String(headers['content-security-policy']);
    expect(policy).to.match(/^default-src 'none'; style-src 'sha256-\S+'; script-src 'sha256-\S+'; /);
    for (const [tag, directive] of [
      ['style', 'style-src'],
      ['script type="module"', 'script-src'],
    ] as const) {
      const text = body.split(`<${tag}>`)[1]?.split('</')[0] ?? '';
      const hash = createHash('sha256').update(text).digest('base64');
      expect(policy).to.contain(`${directive} 'sha256-${hash}'`);
    }
    expect((await ask(address, '/?still')).body).not.to.contain('<script');
  });

  it('answers 500 and logs where a page throws', async () => {
    state.fail = true;
    const { status, body } = await ask(address, '/status.json');
    state.fail = false;
    expect(status).to.equal(500);
    expect(body).not.to.contain('broken');
    expect(logged).to.have.nested.property('[0].err.message', 'status is broken');
  });

  it('lists its paths in a 404', async () => {
    for (const path of ['/nope', '/constructor', '/metrics/']) {
      const answered = await ask(address, path);
      expect(answered.status, path).to.equal(404);
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

  it('refreshes the numbers before it shows them, and only those', async () => {
    let calls = 0;
    refresh = async () => {
      calls++;
      await setImmediate();
      metrics.mount('api').shed('queue_full');
    };
    const { body } = await ask(address, '/metrics');
    expect(body).to.contain('viaduct_requests_shed_total{mount="api",reason="queue_full"} 1\n');
    await ask(address, '/status.json');
    await ask(address, '/');
    expect(calls).to.equal(3);
    for (const path of ['/livez', '/readyz', '/nope']) await ask(address, path);
    await ask(address, '/metrics', { method: 'POST' });
    expect(calls).to.equal(3);
  });

  it('answers within 100 ms while nobody refreshes, with the numbers it has', async () => {
    refresh = () => new Promise(() => {});
    for (const path of ['/metrics', '/status.json', '/']) {
      const times: number[] = [];
      for (let i = 0; i < 5; i++) {
        const start = performance.now();
        expect((await ask(address, path)).status).to.equal(200);
        times.push(performance.now() - start);
      }
      // The quickest: what else the machine does is not under test
      expect(Math.min(...times), path).to.be.within(45, 100);
    }
  });

  it('shows the numbers it has where the refresh fails, and logs why', async () => {
    logged.length = 0;
    refresh = () => Promise.reject(new Error('no channel'));
    expect((await ask(address, '/metrics')).status).to.equal(200);
    expect(logged).to.have.nested.property('[0].err.message', 'no channel');
  });

  it('limits headers to 16 KiB, and what else a stranger could hold', async () => {
    expect((await ask(address, '/livez', { headers: { x: 'y'.repeat(20_000) } })).status).to.equal(431);
    expect(server.maxConnections).to.equal(64);
    expect(server.headersTimeout).to.be.within(1, 10_000);
    expect(server.requestTimeout).to.be.within(1, 10_000);
  });
});
