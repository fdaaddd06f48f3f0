// Connections between nginx and viaduct: how many there are, how long they live, and many clients at a time on them.
import { expect } from 'chai';
import { Agent } from 'node:http';
import {
  type Bridge,
  type Expected,
  FASTCGI_KEEP,
  FASTCGI_ONCE,
  HTTP_KEEP,
  SCGI,
  startBridge,
  UWSGI,
  type Way,
  WAYS,
} from '../../helpers/bridge.ts';
import { hashOf } from '../../helpers/pattern.ts';
import { waitFor } from '../../helpers/wait.ts';

const CLIENTS = 200;
const REQUESTS_EACH = 5;

describe('nginx: connections', () => {
  let bridge: Bridge;
  let expected: Expected;

  before(async () => {
    bridge = await startBridge({
      ways: WAYS,
      mounts: { '/d': 'describe', '/a': 'answer', '/h': 'headers', '/f': 'fail' },
      config: { limits: { connections: 1000 } },
      server: 'large_client_header_buffers 8 32k;',
      location: '{{module}}_buffer_size 16k; {{module}}_buffers 8 16k;',
    });
  });
  after(() => bridge.stop());
  beforeEach(() => (expected = {}));
  afterEach(() => bridge.expectQuietLogs(expected));

  const accepted = (way: Way): Promise<number> =>
    bridge.daemon.metric('viaduct_connections_accepted_total', {
      listener: `unix:${bridge.daemon.socket(way.protocol)}`,
    });

  /** One client with a kept-alive connection of its own; gives what was wrong. */
  async function client(way: Way, number: number): Promise<string[]> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const faults: string[] = [];
    try {
      for (let turn = 0; turn < REQUESTS_EACH; turn += 1) {
        const path = `/d/client-${number}?turn=${turn}`;
        const body = `${way.name} ${number} ${turn} ${'x'.repeat(number * 7)}`;
        const response = await bridge.request(way, { agent, method: 'POST', path, body });
        const wanted = [path, hashOf(Buffer.from(body)), 200, turn > 0].join();
        const answer = JSON.parse(response.text) as {
          environ: { REQUEST_URI: string };
          body: { sha256: string };
        };
        const { reusedSocket, status } = response;
        const found = [answer.environ.REQUEST_URI, answer.body.sha256, status, reusedSocket].join();
        if (found !== wanted) faults.push(`wanted ${wanted}, found ${found}`);
      }
    } finally {
      agent.destroy();
    }
    return faults;
  }

  for (const way of WAYS) {
    it(`serve ${CLIENTS} keep-alive clients at a time over ${way.name}`, async () => {
      const finished = { mount: '/d', code: '200' };
      const before = await bridge.daemon.metric('viaduct_requests_total', finished);
      const all = await Promise.all(Array.from({ length: CLIENTS }, (_, number) => client(way, number)));
      expect(all.flat()).to.deep.equal([]);
      const after = await bridge.daemon.metric('viaduct_requests_total', finished);
      expect(after - before).to.equal(CLIENTS * REQUESTS_EACH);
      expect(await bridge.daemon.metric('http_server_active_requests')).to.equal(0);
    });
  }

  for (const [way, connections] of [
    [FASTCGI_KEEP, 1],
    [HTTP_KEEP, 1],
    [FASTCGI_ONCE, 50],
    [UWSGI, 50],
    [SCGI, 50],
  ] as const) {
    it(`carry 50 requests on ${connections} over ${way.name}`, async () => {
      // nginx prefers the connection that it used last, so one is in use from here on.
      await bridge.request(way, { path: '/a?body=first' });
      const before = await accepted(way);
      for (let count = 0; count < 50; count += 1) {
        // Every shape of answer leaves the connection fit for the next request.
        const path = [
          '/a?body=x',
          '/a?size=100000',
          '/a?stream=1&body=a&body=b',
          '/a?status=304%20Not%20Modified',
        ];
        const response = await bridge.request(way, {
          method: count % 2 === 0 ? 'GET' : 'POST',
          path: path[count % path.length] ?? '/a',
          ...(count % 2 === 1 && { body: 'unread' }),
        });
        expect(response.complete).to.equal(true);
      }
      expect((await accepted(way)) - before).to.equal(connections === 1 ? 0 : connections);
    });
  }

  it('are kept after an application that failed before its headers', async () => {
    expected = { viaduct: [/^Request failed: broken before its headers$/] };
    await bridge.request(FASTCGI_KEEP, { path: '/a?body=x' });
    const before = await accepted(FASTCGI_KEEP);
    for (let count = 0; count < 5; count += 1) {
      expect((await bridge.request(FASTCGI_KEEP, { path: '/f?when=before' })).status).to.equal(500);
    }
    expect(await accepted(FASTCGI_KEEP)).to.equal(before);
  });

  for (const way of WAYS) {
    it(`carry 60 KB of request headers and 6 KB of response headers over ${way.name}`, async () => {
      const headers = ['One', 'Two', 'Six'].map((name) => [`X-${name}`, name.repeat(6667)] as const);
      const big = await bridge.request(way, { path: '/d', headers });
      expect(big.status, big.text).to.equal(200);
      const { environ } = JSON.parse(big.text) as { environ: Record<string, unknown> };
      for (const [name, value] of headers) {
        expect(environ[`HTTP_${name.toUpperCase().replace('-', '_')}`] === value, name).to.equal(true);
      }
      const answer = await bridge.request(way, { path: '/h?size=6000' });
      expect(answer).to.include({ status: 200, text: 'headers', complete: true });
      expect(answer.headers.filter(([name]) => name.startsWith('X-Fill-'))).to.have.lengthOf(60);
    });
  }

  it('refuse more request headers than limits.params_size where nginx passes them on', async () => {
    expected = { viaduct: [/params_size|length is \d+, the limit is/, /Cannot read HTTP request/] };
    const headers = ['One', 'Two', 'Six', 'Ten'].map((name) => [`X-${name}`, name.repeat(6667)] as const);
    for (const way of [SCGI, HTTP_KEEP]) {
      const response = await bridge.request(way, { path: '/d', headers });
      expect(response, way.name).to.include({ status: 431, complete: true });
    }
    // FastCGI and uwsgi cannot say more than 65535 bytes: nginx itself refuses.
    expected = { ...expected, nginx: [/fastcgi request record is too big/, /uwsgi request is too big/] };
    for (const way of [FASTCGI_KEEP, UWSGI]) {
      expect((await bridge.request(way, { path: '/d', headers })).status, way.name).to.equal(500);
    }
  });

  it('fail a response with more headers than limits.response_headers_size', async () => {
    expected = { viaduct: [/^Request failed: .*response_headers_size/] };
    const response = await bridge.request(FASTCGI_KEEP, { path: '/h?size=70000' });
    expect(response).to.include({ status: 500, complete: true });
  });

  it('come to rest', async () => {
    await waitFor(
      async () => (await bridge.daemon.metric('viaduct_connections', { state: 'active' })) === 0,
      { what: 'every connection to be idle' },
    );
    expect(await bridge.daemon.metric('viaduct_connections', { state: 'reading' })).to.equal(0);
  });
});
