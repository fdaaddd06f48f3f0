// /metrics of a running daemon: what promtool says of it, how many series clients can make, and the metrics of apps that have
// a prom-client of their own.
import { expect } from 'chai';
import { cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fcgiRequest, FcgiType } from '../helpers/bytes.ts';
import { type Daemon, startDaemon } from '../helpers/daemon.ts';
import { readRecords } from '../helpers/dialects.ts';
import { request } from '../helpers/http-client.ts';
import { runViaduct } from '../helpers/cli.ts';
import { Peer } from '../helpers/peer.ts';
import { projectRoot } from '../helpers/project.ts';
import { promtool } from '../helpers/prometheus.ts';
import { waitFor } from '../helpers/wait.ts';

const FASTCGI = { address: 'unix:{{dir}}/fastcgi.sock', protocol: 'fastcgi' };
const HTTP = { address: 'unix:{{dir}}/http.sock', protocol: 'http' };

async function textOf(daemon: Daemon, accept = 'text/plain'): Promise<string> {
  const { text } = await request({
    socketPath: daemon.socket('admin'),
    path: '/metrics',
    headers: [['Accept', accept]],
  });
  return text;
}

/** Names and labels of all samples. */
const seriesOf = (text: string): string[] =>
  text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.slice(0, line.lastIndexOf(' ')));

describe('/metrics of a daemon', () => {
  let daemon: Daemon;
  before(async () => {
    const mounts = [
      { path: '/', app: 'viaduct:hello' },
      { path: '/none', host: 'other.example', app: 'viaduct:hello' },
    ];
    daemon = await startDaemon({ config: { listeners: [FASTCGI, HTTP], mounts, workers: 1 } });
  });
  after(() => daemon.remove());

  it('is what promtool wants metrics to be', async () => {
    await request({ socketPath: daemon.socket('http'), path: '/' });
    const { code, output } = promtool(['check', 'metrics'], await textOf(daemon));
    // prom-client's own are older than the rules for names.
    const lines = output.split('\n').filter((line) => line !== '' && !line.startsWith('nodejs_'));
    expect(lines).to.deep.equal([]);
    expect(code).to.be.oneOf([0, 3]);
  });

  it('gets no series from 100,000 distinct paths, hosts, methods and user agents', async function () {
    this.timeout(60_000);
    const peer = await Peer.connect({ kind: 'unix', path: daemon.socket('fastcgi') });
    const ask = async (from: number, count: number): Promise<void> => {
      const requests = Array.from({ length: count }, (_, at) =>
        fcgiRequest(at + 1, strange(from + at), '', { keepConn: true }),
      );
      peer.forget();
      peer.send(Buffer.concat(requests));
      const ends = (): number =>
        readRecords(peer.received).records.filter(({ type }) => type === FcgiType.END_REQUEST).length;
      await waitFor(() => ends() === count, { what: `answers ${from} to ${from + count}`, interval: 1 });
    };
    await ask(0, 50);
    const before = seriesOf(await textOf(daemon));
    const answered = await daemon.metric('viaduct_requests_total');
    for (let from = 50; from < 100_050; from += 50) await ask(from, 50);
    const after = seriesOf(await textOf(daemon));
    expect(await daemon.metric('viaduct_requests_total')).to.equal(answered + 100_000);
    const isOurs = (line: string): boolean => /^(viaduct|http_server)_/.test(line);
    expect(after.filter(isOurs)).to.have.members(before.filter(isOurs));
    peer.destroy();
  });
});

/** Params of which no two requests have one in common that a client can choose. */
const strange = (n: number): string[] =>
  Object.entries({
    REQUEST_METHOD: n % 3 === 0 ? `M${n}` : (['GET', 'POST'][n % 2] ?? ''),
    PATH_INFO: `/path/${n}`,
    REQUEST_URI: `/path/${n}?q=${n}`,
    SERVER_PROTOCOL: 'HTTP/1.1',
    CONTENT_LENGTH: '0',
    HTTP_HOST: `host-${n}.example`,
    SERVER_NAME: `host-${n}.example`,
    REMOTE_ADDR: `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`,
    HTTP_USER_AGENT: `agent/${n}`,
    HTTP_X_REQUEST_ID: `id-${n}`,
  }).flat();

describe('metrics of mounts and workers', () => {
  let daemon: Daemon;
  before(async () => {
    const files = {
      'bad.mjs': "throw new Error('not yet');\n",
      'block.mjs': `
export const application = (environ, startResponse) => {
  const until = Date.now() + 300;
  while (Date.now() < until);
  startResponse('200 OK', []);
  return [Buffer.from('done')];
};
`,
      'app.py': `
def application(environ, start_response):
    start_response('200 OK', [])
    return [b'py']
`,
    };
    const python = { processes: 2, threads: 2 };
    const mounts = [
      { path: '/', app: './block.mjs' },
      { path: '/bad', app: './bad.mjs' },
      { path: '/py', app: './app.py', interface: 'python', python },
    ];
    daemon = await startDaemon({
      config: { listeners: [HTTP], mounts, workers: 2 },
      files,
      degraded: true,
    });
  });
  after(() => daemon.remove());

  const state = (mount: string, is: string): Promise<number> =>
    daemon.metric('viaduct_mount_state', { mount, state: is });

  it('tell which mount nobody can serve, until it can be', async () => {
    expect(await state('/bad', 'failed')).to.equal(1);
    expect(await state('/bad', 'ready')).to.equal(0);
    expect(await state('/', 'ready')).to.equal(1);
    expect(await daemon.metric('viaduct_generation')).to.equal(1);
    await writeFile(
      join(daemon.dir, 'bad.mjs'),
      "export const application = (environ, start) => { start('200 OK', []); return []; };\n",
    );
    await waitFor(async () => (await state('/bad', 'ready')) === 1, { what: 'the mount', timeout: 20_000 });
    expect(await state('/bad', 'failed')).to.equal(0);
  }).timeout(30_000);

  it('tell how many processes there are to be, and how many Python threads there are', async () => {
    expect(await daemon.metric('viaduct_workers_wanted', { kind: 'node' })).to.equal(2);
    expect(await daemon.metric('viaduct_workers_wanted', { kind: 'python' })).to.equal(2);
    await waitFor(async () => (await daemon.metric('viaduct_python_threads', { mount: '/py' })) === 4, {
      what: 'all threads',
    });
    const threads = [...(await daemon.metrics()).values()].filter(
      ({ name }) => name === 'viaduct_python_threads',
    );
    expect(threads.map(({ labels }) => labels)).to.deep.equal([{ mount: '/py' }]);
  });

  it('show an app that holds up its event loop, and the heaps', async () => {
    const late = async (): Promise<number> =>
      (await daemon.metric('viaduct_worker_event_loop_delay_seconds_count')) -
      (await daemon.metric('viaduct_worker_event_loop_delay_seconds_bucket', { le: '0.1' }));
    const before = await late();
    await request({ socketPath: daemon.socket('http'), path: '/' });
    await waitFor(async () => (await late()) > before, { what: 'the late tick to be told of' });
    const heaps = [...(await daemon.metrics()).values()].filter(
      ({ name }) => name === 'viaduct_worker_heap_used_bytes',
    );
    expect(heaps.map(({ labels }) => `${labels['kind']} ${labels['worker']}`)).to.deep.equal([
      'node 0',
      'node 1',
    ]);
    for (const { value } of heaps) expect(value).to.be.within(1e6, 1e9);
  });
});

/** As npm would install it for the app: another copy than viaduct's. */
async function installPromClient(dir: string): Promise<void> {
  const from = join(projectRoot, 'node_modules');
  await mkdir(join(dir, 'node_modules/@opentelemetry'), { recursive: true });
  await cp(join(from, 'prom-client'), join(dir, 'node_modules/prom-client'), { recursive: true });
  for (const name of ['tdigest', 'bintrees', '@opentelemetry/api'])
    await symlink(join(from, name), join(dir, 'node_modules', name));
  await symlink(projectRoot, join(dir, 'node_modules/viaduct'));
}

const APPS = {
  // An ES module with its default registry, and with one that it hands over.
  'shop.mjs': `
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { shareMetrics } from 'viaduct';
collectDefaultMetrics();
const orders = new Counter({ name: 'shop_orders_total', help: 'Orders', labelNames: ['country'] });
const took = new Histogram({ name: 'shop_took_seconds', help: 'Time', buckets: [0.5, 1] });
const pid = new Gauge({ name: 'shop_workers', help: 'Workers that have the shop', aggregator: 'sum' });
pid.set(1);
new Counter({ name: 'viaduct_requests_total', help: 'Not ours' }).inc(1e6);
const own = new Registry();
const handed = new Counter({ name: 'shop_handed_total', help: 'From a registry of its own', registers: [own] });
shareMetrics(own);
export const application = (environ, startResponse) => {
  orders.inc({ country: 'NL' });
  took.observe(0.75);
  handed.inc(2);
  startResponse('200 OK', []);
  return [Buffer.from(String(process.pid))];
};
`,
  // CommonJS, which loads it with its first request.
  'late.cjs': `
let hits;
module.exports = (environ, startResponse) => {
  hits ??= new (require('prom-client').Counter)({ name: 'late_hits_total', help: 'Hits' });
  hits.inc();
  startResponse('200 OK', []);
  return [Buffer.from('late')];
};
`,
};

describe('metrics of apps', () => {
  let daemon: Daemon;
  let sent = 0;
  before(async () => {
    const mounts = [
      { path: '/', app: './shop.mjs' },
      { path: '/late', app: './late.cjs' },
    ];
    daemon = await startDaemon({
      config: { listeners: [HTTP], mounts: [{ path: '/', app: 'viaduct:hello' }], workers: 2 },
    });
    await installPromClient(daemon.dir);
    for (const [name, text] of Object.entries(APPS)) await writeFile(join(daemon.dir, name), text);
    await daemon.configure({ listeners: [HTTP], mounts, workers: 2 });
    await reload();
  });
  after(() => daemon.remove());

  async function reload(): Promise<void> {
    const { code, stderr } = await runViaduct(['reload', '-c', join(daemon.dir, 'viaduct.yaml')]);
    expect(code, stderr).to.equal(0);
  }

  const order = async (): Promise<number> => {
    sent += 1;
    const { status, text } = await request({ socketPath: daemon.socket('http'), path: '/' });
    expect(status, text).to.equal(200);
    return Number(text);
  };
  /** Until each of the workers that serve has had one. */
  const everybodyHas = async (): Promise<void> => {
    const open = new Set(await daemon.workers());
    await waitFor(
      async () => {
        open.delete(await order());
        return open.size === 0;
      },
      { what: 'each worker to have a request', timeout: 20_000 },
    );
  };
  /** A scrape does not wait for a worker that is slow to answer, so the last one may be counted a moment later. */
  const untilOrders = (count: number): Promise<unknown> =>
    waitFor(async () => (await daemon.metric('shop_orders_total', { country: 'NL' })) === count, {
      what: `${count} orders to be counted`,
    });
  const expectCounted = async (): Promise<void> => {
    await untilOrders(sent);
    expect(await daemon.metric('shop_handed_total')).to.equal(2 * sent);
    expect(await daemon.metric('shop_took_seconds_bucket', { le: '0.5' })).to.equal(0);
    expect(await daemon.metric('shop_took_seconds_count')).to.equal(sent);
    expect(await daemon.metric('shop_took_seconds_sum')).to.equal(0.75 * sent);
  };

  it('are added up over the workers, from the default registry and from one handed over', async () => {
    await everybodyHas();
    await expectCounted();
    await waitFor(async () => (await daemon.metric('shop_workers')) === 2, { what: 'both gauges' });
  });

  it('come from a prom-client that is loaded late, too', async () => {
    expect(await textOf(daemon)).not.to.contain('late_hits_total');
    for (let n = 0; n < 5; n += 1) await request({ socketPath: daemon.socket('http'), path: '/late' });
    await waitFor(async () => (await daemon.metric('late_hits_total')) === 5, { what: 'the hits' });
  });

  it('go on where a worker is killed, and through a reload', async function () {
    this.timeout(30_000);
    await everybodyHas();
    await expectCounted();
    const workers = await daemon.workers();
    process.kill(workers[0] ?? 0, 'SIGKILL');
    await waitFor(async () => (await daemon.metric('shop_workers')) === 1, { what: 'its gauge to go' });
    await waitFor(async () => (await daemon.workers()).filter((pid) => !workers.includes(pid)).length === 1, {
      what: 'the next worker',
      timeout: 10_000,
    });
    await everybodyHas();
    await expectCounted();
    await reload();
    await everybodyHas();
    await waitFor(async () => (await daemon.metric('shop_workers')) === 2, {
      what: 'the old ones to be gone',
    });
    await expectCounted();
  });

  it('cannot take a name of viaduct, nor spoil the text', async () => {
    const taken = await daemon.metric('viaduct_requests_total');
    expect(taken).to.be.below(1e6);
    expect(
      daemon
        .log()
        .some(({ msg }) => String(msg).startsWith('Metric "viaduct_requests_total" of an app is left out')),
    ).to.equal(true);
    const text = await textOf(daemon);
    const names = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name);
    expect(names).to.have.lengthOf(new Set(names).size);
    expect(await daemon.metric('viaduct_app_series_dropped_total', { reason: 'name' })).to.be.above(0);
    expect(await textOf(daemon, 'application/openmetrics-text')).to.contain(
      '\nshop_orders_total{country="NL"} ',
    );
  });

  it('are told of in the docs by an app that works', async () => {
    const page = await readFile(join(projectRoot, 'docs/metrics.md'), 'utf8');
    const [, app = ''] = /```js\n(\/\/ counting\.js\n.*?)```/s.exec(page) ?? [];
    await writeFile(join(daemon.dir, 'counting.mjs'), app);
    await daemon.configure({ listeners: [HTTP], mounts: [{ path: '/', app: './counting.mjs' }], workers: 1 });
    await reload();
    const { text } = await request({ socketPath: daemon.socket('http'), path: '/' });
    expect(text).to.equal('Thank you\n');
    // It has the name of the shop's: what that has counted stays.
    await untilOrders(sent + 1);
  });
});
