// A `viaduct serve` whose app blocks its event loop, and requests that take long: what stands in the log, and when.
import { expect } from 'chai';
import { type Daemon, type LogLine, startDaemon } from '../helpers/daemon.ts';
import { type HttpCall, request, startCall } from '../helpers/http-client.ts';
import { waitFor } from '../helpers/wait.ts';

const HTTP = { address: 'unix:{{dir}}/http.sock', protocol: 'http' };

/** Blocks, hangs, reads or streams, as the path says. */
const APP = `
import { Buffer } from 'node:buffer';
export async function application(environ, startResponse) {
  const { PATH_INFO: path } = environ;
  if (path === '/block') spinInTheApp();
  if (path === '/hang') await new Promise((resolve) => environ['viaduct.signal'].addEventListener('abort', resolve));
  if (path === '/read') await environ['wsgi.input'].read();
  startResponse('200 OK', [['Content-Type', 'text/plain']]);
  return path === '/stream' ? stream(environ) : [Buffer.from('done')];
}
async function* stream(environ) {
  yield Buffer.from('begun');
  await new Promise((resolve) => environ['viaduct.signal'].addEventListener('abort', resolve));
}
function spinInTheApp() {
  for (;;);
}
`;

/** Blocks its own loading. */
const LATE = `
const until = performance.now() + 2000;
while (performance.now() < until);
export const application = (environ, startResponse) => {
  startResponse('200 OK', []);
  return [];
};
`;

describe('a worker that hangs', () => {
  let daemon: Daemon | undefined;
  const calls: HttpCall[] = [];
  const start = async (config: object): Promise<Daemon> => {
    daemon = await startDaemon({
      config: { listeners: [HTTP], mounts: [{ path: '/', app: './app.js' }], ...config },
      files: { 'app.js': APP, 'late.js': LATE, 'package.json': '{"type": "module"}' },
    });
    return daemon;
  };
  /** Sends a request whose answer nobody waits for; its id is its path without the slash. */
  const call = (from: Daemon, path: string, manualBody = false): void => {
    const headers = [['X-Request-ID', path.slice(1)]] as const;
    calls.push(startCall({ socketPath: from.socket('http'), path, headers, manualBody }));
  };
  afterEach(async () => {
    await daemon?.remove();
    daemon = undefined;
    await Promise.allSettled(calls.splice(0).map(({ done }) => done));
  });

  it('is killed after timeouts.stuck, and its log names the function and the requests', async () => {
    const serving = await start({ timeouts: { stuck: '1s' } });
    call(serving, '/hang?a=1');
    await waitFor(async () => (await serving.metric('http_server_active_requests')) === 1, {
      what: 'the request to hang',
    });
    call(serving, '/block?b=2');
    const [pid] = await serving.workers();
    const line = await serving.waitForLog(({ code }) => code === 'ERR_WORKER_STUCK', 'of the watchdog');
    expect(line['stack']).to.match(
      /^at spinInTheApp \(.*\/app\.js:16:3\)\nat .*application \(.*\/app\.js:5:/,
    );
    expect(line).to.include({ level: 'error', pid, worker: 0, in_flight: 2 });
    const requests = line['requests'] as LogLine[];
    expect(requests.map(({ uri, mount, method, phase }) => [uri, mount, method, phase])).to.deep.equal([
      ['/block?b=2', '/', 'GET', 'running'],
      ['/hang?a=1', '/', 'GET', 'running'],
    ]);
    expect(requests.map(({ request_id: id }) => id)).to.deep.equal(['block?b=2', 'hang?a=1']);
    expect(requests[0]?.['age']).to.be.within(0.7, 20);
    await serving.waitForLog(({ reason }) => reason === 'stuck', 'the end of the worker');
    await waitFor(async () => (await serving.workers()).some((next) => next !== pid), {
      what: 'the next worker',
    });
    expect(await serving.metric('viaduct_worker_exits_total', { reason: 'stuck' })).to.equal(1);
  });

  it('is left alone while it loads its apps, for timeouts.boot', async () => {
    const serving = await start({ mounts: [{ path: '/', app: './late.js' }], timeouts: { stuck: '1s' } });
    expect((await request({ socketPath: serving.socket('http') })).status).to.equal(200);
    expect(await serving.stop()).to.equal(0);
    expect(serving.log().filter(({ level }) => level === 'error')).to.deep.equal([]);
  });

  it('slow requests are logged once while they run, with what they are about', async () => {
    const mounts = [
      { path: '/', app: './app.js' },
      { path: '/one', app: './app.js', limits: { requests: 1 }, timeouts: { queue: '60s' } },
    ];
    const serving = await start({ mounts, log: { slow: '300ms', access: { file: '{{dir}}/access.log' } } });
    call(serving, '/hang');
    call(serving, '/stream');
    call(serving, '/read', true);
    call(serving, '/one/hang');
    await waitFor(
      async () => (await serving.metric('http_server_active_requests', { mount: '/one' })) === 1,
      {
        what: 'the first one to be in the app',
      },
    );
    call(serving, '/one/queued');
    const slow = (): LogLine[] =>
      serving.log().filter(({ msg }) => String(msg).startsWith('Slow request: still runs'));
    await waitFor(() => slow().length >= 5, { what: 'five slow requests' });
    const told = slow().map(({ uri, phase, mount, msg }) => [
      uri,
      phase,
      mount,
      String(msg).replace(/\d+\.\d{3}/, 'N'),
    ]);
    expect(told).to.have.deep.members([
      ['/hang', 'running', '/', 'Slow request: still runs after N s, waiting for the app'],
      ['/stream', 'sending', '/', 'Slow request: still runs after N s, sending'],
      ['/read', 'reading', '/', 'Slow request: still runs after N s, reading the body'],
      ['/one/hang', 'running', '/one', 'Slow request: still runs after N s, waiting for the app'],
      ['/one/queued', 'queued', '/one', 'Slow request: still runs after N s, queued'],
    ]);
    for (const line of slow()) {
      expect(line['age']).to.be.within(0.3, 3);
      expect(line['bytes_out']).to.equal(line['uri'] === '/stream' ? 5 : 0);
      expect(Number(line['queue']) > 0.2).to.equal(line['phase'] === 'queued');
    }
    const last = slow().length;
    const until = performance.now() + 500;
    await waitFor(() => performance.now() > until, { what: 'some more looks at them' });
    expect(slow()).to.have.lengthOf(last);
  });
});
