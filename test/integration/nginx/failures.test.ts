// Applications that fail: before the headers the client gets a 500, after them never a response that looks complete.
import { expect } from 'chai';
import {
  type Bridge,
  type Expected,
  FASTCGI_KEEP,
  FASTCGI_ONCE,
  HTTP_KEEP,
  HTTP_ONCE,
  SCGI,
  startBridge,
  unbuffered,
  UWSGI,
  UWSGI_TCP,
  type Way,
  WAYS,
} from '../../helpers/bridge.ts';
import type { HttpResponse } from '../../helpers/http-client.ts';

const SCGI_TCP: Way = { ...SCGI, name: 'scgi_tcp', tcp: true };
const FASTCGI_TCP: Way = { ...FASTCGI_KEEP, name: 'fastcgi_tcp', tcp: true };
const HTTP_TCP: Way = { ...HTTP_KEEP, name: 'http_tcp', tcp: true };
const HTTP_ONCE_TCP: Way = { ...HTTP_ONCE, name: 'http_once_tcp', tcp: true };
const BASE = [
  FASTCGI_KEEP,
  FASTCGI_ONCE,
  FASTCGI_TCP,
  UWSGI,
  UWSGI_TCP,
  SCGI,
  SCGI_TCP,
  HTTP_KEEP,
  HTTP_TCP,
  HTTP_ONCE,
  HTTP_ONCE_TCP,
];
const ALL: readonly Way[] = [...BASE, ...unbuffered(BASE)];

/** What nginx says of a response that breaks off. */
const BROKEN_OFF = [
  /upstream sent unsupported FastCGI protocol version: 255/,
  /upstream prematurely closed (connection|FastCGI)/,
  /(recv|readv)\(\) failed \(104: Connection reset by peer\)/,
];

describe('nginx: applications that fail before their headers', () => {
  let bridge: Bridge;

  before(async () => {
    bridge = await startBridge({ ways: WAYS, mounts: { '/f': 'fail', '/a': 'answer' } });
  });
  after(() => bridge.stop());
  afterEach(() => bridge.expectQuietLogs({ viaduct: [/^Request failed: broken before its headers$/] }));

  for (const way of WAYS) {
    it(`give a 500 with the request's id over ${way.name}`, async () => {
      const path = `/f/${way.name}?when=before`;
      const response = await bridge.request(way, { path });
      expect(response).to.include({ status: 500, complete: true, framing: 'length' });
      expect(response.text).to.not.include('broken');
      const id = /^Request id: (\S+)$/m.exec(response.text)?.[1];
      const line = await bridge.daemon.waitForLog(({ request_id }) => request_id === id, `with id ${id}`);
      expect(line).to.include({ level: 'error', mount: '/f', method: 'GET', uri: path });
      expect(JSON.stringify(line['err'])).to.include('fail.js');
      const access = await bridge.daemon.waitForAccess(({ request_id }) => request_id === id, `of ${id}`);
      expect(access).to.include({ status: 500, uri: path });
      expect(access).to.not.have.property('aborted');
      // The connection is as good as before.
      expect((await bridge.request(way, { path: '/a?body=fine' })).text).to.equal('fine');
    });
  }

  it('count as answers, not as aborts', async () => {
    const codes = await bridge.daemon.metric('viaduct_requests_total', { mount: '/f', code: '500' });
    expect(codes).to.equal(WAYS.length);
    expect(await bridge.daemon.metric('viaduct_requests_aborted_total')).to.equal(0);
  });
});

interface Failure {
  readonly way: Way;
  readonly waits: boolean;
  readonly sized: boolean;
  readonly written: boolean;
}

const UNSIGNALLED = /^A response broke off, and (uwsgi|scgi|HTTP\/1\.0) over a Unix socket cannot tell/;

/** The one hole, see docs/environ.md: on a Unix socket only a length can say "this was not all" in these protocols. */
const cannotTell = ({ way, waits, sized }: Failure): boolean => {
  if (sized || way.tcp === true) return false;
  if (way.protocol === 'http') return way.keepConn === false;
  return way.protocol !== 'fastcgi' && waits;
};

const flags = [false, true];
const FAILURES: readonly Failure[] = ALL.flatMap((way) =>
  flags.flatMap((waits) =>
    flags.flatMap((sized) => flags.map((written) => ({ way, waits, sized, written }))),
  ),
);

describe('nginx: applications that fail after their headers', () => {
  let bridge: Bridge;
  let expected: Expected;

  before(async () => {
    bridge = await startBridge({ ways: ALL, mounts: { '/f': 'fail', '/a': 'answer' } });
  });
  after(() => bridge.stop());
  beforeEach(() => {
    expected = { nginx: BROKEN_OFF, viaduct: [/^Request failed: broken after its headers$/] };
  });
  afterEach(() => bridge.expectQuietLogs(expected));

  for (const failure of FAILURES) {
    const { way, waits, sized, written } = failure;
    const title = [
      way.name,
      waits ? 'after an await' : 'at once',
      sized ? 'with Content-Length' : 'without a length',
      written ? 'by write()' : 'in the body',
    ].join(', ');
    const query = `when=after${waits ? '&wait=1' : ''}${sized ? '&length=10' : ''}${written ? '&written=1' : ''}`;
    const send = (): Promise<HttpResponse> => bridge.request(way, { path: `/f?${query}` });
    const aborted = (): Promise<number> =>
      bridge.daemon.metric('viaduct_requests_aborted_total', { phase: 'sending' });

    it(title, async () => {
      const before = await aborted();
      const response = await send();
      if (cannotTell(failure)) {
        expected = { ...expected, viaduct: [...(expected.viaduct ?? []), UNSIGNALLED] };
        expect(response).to.include({ status: 200, text: 'abc', complete: true });
        await bridge.daemon.waitForLog(({ msg }) => UNSIGNALLED.test(String(msg)), 'the warning');
      } else {
        // Where nginx had nothing of it yet, it makes a 502 or drops the connection.
        const saysSo = !response.complete || response.status === 502 || response.status === 0;
        expect(saysSo, `${response.status} ${JSON.stringify(response.text)}, complete`).to.equal(true);
        expect(response.status === 200 || response.status === 0 || response.status === 502).to.equal(true);
      }
      expect(await aborted()).to.equal(before + 1);
      expect((await bridge.request(way, { path: '/a?body=fine' })).text).to.equal('fine');
    });
  }
});

describe('nginx: a worker that is killed in the middle of a response', () => {
  const cases = [
    // Where nginx buffers, the missing END_REQUEST tells it; unbuffered it does not look.
    { way: FASTCGI_KEEP, length: '' },
    ...[FASTCGI_KEEP, FASTCGI_ONCE, UWSGI, SCGI, HTTP_KEEP].map((way) => ({
      way,
      length: `&h=Content-Length:${1024 ** 3}`,
    })),
    { way: HTTP_KEEP, length: '' },
  ];

  it('leaves no response that looks complete', async () => {
    const bridge = await startBridge({ ways: WAYS, mounts: { '/a': 'answer' } });
    try {
      const calls = cases.map(({ way, length }) =>
        bridge.startCall(way, { path: `/a?size=${1024 ** 3}${length}` }),
      );
      for (const call of calls) await call.waitForBytes(10_000);
      // Nobody may be through before the end comes.
      for (const call of calls) call.pause();
      const [pid = 0] = await bridge.daemon.workers();
      process.kill(pid, 'SIGKILL');
      for (const call of calls) call.resume();
      for (const [index, call] of calls.entries()) {
        const response = await call.done;
        const name = `${cases[index]?.way.name ?? ''} ${cases[index]?.length ?? ''}`;
        expect(response.status, name).to.equal(200);
        expect(response.complete, name).to.equal(false);
        expect(response.body.length, name)
          .to.be.greaterThan(9999)
          .and.lessThan(1024 ** 3);
      }
      await bridge.daemon.waitForLog(({ reason }) => reason === 'signal', 'the end of the worker');
      await bridge.expectQuietLogs({ nginx: BROKEN_OFF, viaduct: [/^A worker ended by signal SIGKILL/] });
      const next = await bridge.request(UWSGI, { path: '/a?body=x' });
      expect(next).to.include({ status: 200, text: 'x', complete: true });
    } finally {
      await bridge.stop();
    }
  });
});
