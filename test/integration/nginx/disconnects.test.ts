// Clients that go away: the application hears of it, its body is closed once, and nothing stays behind.
import { expect } from 'chai';
import {
  type Bridge,
  type Expected,
  FASTCGI_KEEP,
  FASTCGI_ONCE,
  HTTP_KEEP,
  SCGI,
  startBridge,
  streamed,
  unbuffered,
  UWSGI,
  UWSGI_TCP,
  type Way,
  WAYS,
} from '../../helpers/bridge.ts';
import type { CallOptions } from '../../helpers/http-client.ts';
import { waitFor } from '../../helpers/wait.ts';

interface Report {
  started: boolean;
  aborted: number;
  reason: string | null;
  read: number;
  readError: string | null;
  finished: number;
  closed: number;
}

const ALL: readonly Way[] = [...WAYS, ...unbuffered(WAYS), ...streamed(WAYS), UWSGI_TCP];
/** On TCP nothing tells that the peer has left before something is written, see docs/environ.md. */
const UNIX = ALL.filter(({ tcp }) => tcp !== true);

describe('nginx: clients that go away', () => {
  let bridge: Bridge;
  let expected: Expected;
  let id = '';
  let count = 0;

  before(async () => {
    bridge = await startBridge({ ways: ALL, mounts: { '/t': 'track' } });
  });
  after(() => bridge.stop());
  beforeEach(() => {
    id = `run-${(count += 1)}`;
    expected = {};
  });
  afterEach(async () => {
    await bridge.expectQuietLogs(expected);
    expect(await bridge.daemon.metric('http_server_active_requests')).to.equal(0);
  });

  const report = (): Promise<Report | null> => bridge.json(FASTCGI_ONCE, `/t/report?id=${id}`);
  const waitForReport = (fits: (found: Report) => boolean, what: string): Promise<Report> =>
    waitFor(
      async () => {
        const found = await report();
        return found !== null && fits(found) ? found : null;
      },
      { what },
    );
  const aborts = (phase: string): Promise<number> =>
    bridge.daemon.metric('viaduct_requests_aborted_total', { mount: '/t', phase });
  const start = (way: Way, mode: string, options: CallOptions = {}): ReturnType<Bridge['startCall']> =>
    bridge.startCall(way, { path: `/t/run?id=${id}&mode=${mode}`, ...options });
  const logged = async (): Promise<Readonly<Record<string, unknown>>> =>
    bridge.daemon.waitForAccess(({ uri }) => String(uri).includes(`id=${id}&`), `of ${id}`);

  const inUse = async (): Promise<string[]> =>
    [...(await bridge.daemon.metrics()).entries()]
      .filter(([, { name, labels }]) => name === 'viaduct_connections' && labels['state'] !== 'idle')
      .flatMap(([key, { value }]) => (value > 0 ? [key] : []));

  for (const way of [FASTCGI_KEEP, FASTCGI_ONCE, UWSGI, UWSGI_TCP, SCGI, HTTP_KEEP, ...unbuffered(WAYS)]) {
    it(`in the middle of a download over ${way.name}`, async () => {
      const before = await aborts('sending');
      const call = start(way, 'download');
      await call.waitForBytes(100_000);
      call.abort();
      await call.done;
      const found = await waitForReport(({ closed }) => closed > 0, 'the body to be closed');
      expect(found).to.include({ aborted: 1, reason: 'ERR_GATEWAY_CLIENT_GONE', finished: 1, closed: 1 });
      expect(await aborts('sending')).to.equal(before + 1);
      expect(await logged()).to.include({ status: 200, aborted: 'sending' });
    });
  }

  for (const way of UNIX) {
    it(`while the application is silent over ${way.name}`, async () => {
      const before = await aborts('sending');
      const call = start(way, 'idle');
      await call.waitForBytes(1);
      call.abort();
      await call.done;
      const found = await waitForReport(({ closed }) => closed > 0, 'the body to be closed');
      expect(found).to.include({ aborted: 1, reason: 'ERR_GATEWAY_CLIENT_GONE', finished: 1, closed: 1 });
      expect(await aborts('sending')).to.equal(before + 1);
    });

    it(`before there is an answer over ${way.name}`, async () => {
      const before = await aborts('running');
      const call = start(way, 'hang');
      await waitForReport(({ started }) => started, 'the application to run');
      call.abort();
      await call.done;
      // Its body comes when nobody wants it any more: not iterated, but closed.
      const found = await waitForReport(({ closed }) => closed > 0, 'the body to be closed');
      expect(found).to.include({ aborted: 1, reason: 'ERR_GATEWAY_CLIENT_GONE', finished: 0, closed: 1 });
      expect(await aborts('running')).to.equal(before + 1);
      expect(await logged()).to.include({ status: 499, aborted: 'running', bytes_out: 0 });
    });
  }

  for (const way of streamed(WAYS.filter(({ protocol }) => protocol !== 'scgi'))) {
    // nginx buffers chunked uploads for uwsgi whatever it is told: their length comes first. For SCGI it must buffer all
    // (ngx_http_scgi_create_request): unbuffered, it announces a CONTENT_LENGTH of 0.
    const framings = way.protocol === 'uwsgi' ? ['length'] : ['length', 'chunked'];
    for (const framing of framings) {
      it(`in the middle of an upload with ${framing} over ${way.name}`, async () => {
        const before = await aborts('running');
        const headers = framing === 'length' ? [['Content-Length', '5000000'] as const] : [];
        const call = start(way, 'upload', { method: 'POST', headers, manualBody: true });
        await call.send(Buffer.alloc(100_000));
        await waitForReport(({ read }) => read >= 16 * 1024, 'some of the body to be read');
        call.abort();
        await call.done;
        const found = await waitForReport(({ readError }) => readError !== null, 'the read to fail');
        expect(found).to.include({ aborted: 1, reason: 'ERR_GATEWAY_CLIENT_GONE', closed: 0 });
        expect(found.readError).to.equal('ERR_BODY_CLIENT_GONE');
        expect(found.read).to.be.at.most(100_000);
        expect(await aborts('running')).to.equal(before + 1);
        const line = await logged();
        expect(line).to.include({ status: 499, aborted: 'running' });
        expect(line['bytes_in']).to.be.within(16 * 1024, 100_000);
      });
    }
  }

  for (const way of WAYS) {
    it(`in the middle of an upload that nginx buffers, over ${way.name}: viaduct never hears of it`, async () => {
      const before = await bridge.daemon.metric('viaduct_requests_total');
      const headers = [['Content-Length', '5000000']] as const;
      const call = start(way, 'upload', { method: 'POST', headers, manualBody: true });
      await call.send(Buffer.alloc(100_000));
      call.abort();
      await call.done;
      const line = await waitFor(async () => (await bridge.nginx.accessLog()).includes(`id=${id}&`), {
        what: "nginx's access log line",
      });
      expect(line).to.equal(true);
      expect(await report()).to.equal(null);
      expect(await bridge.daemon.metric('viaduct_requests_total')).to.equal(before + 1);
    });
  }

  it('leaves no connection behind that is in use', async () => {
    await waitFor(async () => (await inUse()).length === 0, { what: 'connections to come to rest' });
  });
});
