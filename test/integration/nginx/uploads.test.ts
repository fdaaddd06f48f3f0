// Request bodies through a real nginx: whole, raw, in any framing, buffered by nginx or not, read by the application or not.
import { expect } from 'chai';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { type Bridge, type Expected, startBridge, streamed, type Way, WAYS } from '../../helpers/bridge.ts';
import type { Headers } from '../../helpers/http-client.ts';
import { hashOf, patternBytes } from '../../helpers/pattern.ts';
import { waitFor } from '../../helpers/wait.ts';

interface Description {
  environ: Record<string, unknown>;
  body: { size: number; sha256: string };
}

// Without its buffering nginx announces an empty body to an SCGI server (ngx_http_scgi_create_request).
const STREAMED = streamed(WAYS.filter(({ protocol }) => protocol !== 'scgi'));
const ALL: readonly Way[] = [...WAYS, ...STREAMED];
const SIZE = 5_000_003;
const BODY = patternBytes(SIZE);

/** Pieces of many sizes, from one byte up. */
async function* pieces(): AsyncGenerator<Uint8Array> {
  for (let at = 0, size = 1; at < BODY.length; at += size, size = ((size * 7) % 300_007) + 1) {
    yield await Promise.resolve(BODY.subarray(at, at + size));
  }
}

describe('nginx: request bodies', () => {
  let bridge: Bridge;
  let expected: Expected;

  before(async () => {
    bridge = await startBridge({
      ways: ALL,
      mounts: {
        '/d': 'describe',
        '/early': 'early',
        '/echo': 'echo',
        '/small': { app: 'viaduct:hello', limits: { body_size: '1M' } },
        '/read': { app: 'viaduct:environ', limits: { body_size: '1M' } },
      },
    });
  });
  after(() => bridge.stop());
  beforeEach(() => (expected = {}));
  afterEach(() => bridge.expectQuietLogs(expected));

  for (const way of ALL) {
    const upload = async (
      headers: Headers,
      body: Uint8Array | AsyncIterable<Uint8Array>,
    ): Promise<Description> => {
      const response = await bridge.request(way, { method: 'POST', path: '/d', headers, body });
      expect(response.status, response.text).to.equal(200);
      return JSON.parse(response.text) as Description;
    };
    /** nginx passes a chunked body on before it knows its length. */
    const hasNoLength = way.requestBuffering === false && way.protocol !== 'uwsgi';

    describe(`over ${way.name}`, () => {
      it('arrive whole, with Content-Length', async () => {
        const { environ, body } = await upload([], BODY);
        expect(body).to.deep.equal({ size: SIZE, sha256: hashOf(BODY) });
        expect(environ).to.include({ CONTENT_LENGTH: String(SIZE), 'wsgi.input_terminated': true });
      });

      it('arrive whole, chunked', async () => {
        const { environ, body } = await upload([], pieces());
        expect(body).to.deep.equal({ size: SIZE, sha256: hashOf(BODY) });
        expect(environ['CONTENT_LENGTH']).to.equal(hasNoLength ? undefined : String(SIZE));
        expect(environ).to.not.have.property('HTTP_TRANSFER_ENCODING');
        expect(environ['wsgi.input_terminated']).to.equal(true);
      });

      it('arrive as they are, with Content-Encoding: gzip', async () => {
        const packed = gzipSync(BODY.subarray(0, 100_000));
        const { environ, body } = await upload([['Content-Encoding', 'gzip']], packed);
        expect(environ['HTTP_CONTENT_ENCODING']).to.equal('gzip');
        expect(body).to.deep.equal({ size: packed.length, sha256: hashOf(packed) });
      });

      it('arrive after Expect: 100-continue', async () => {
        const answer = await expectContinue(bridge.nginx.portOf(way.name), BODY.subarray(0, 100_000));
        expect(answer).to.match(/^HTTP\/1\.1 200 OK\r\n/);
        expect(answer).to.include(hashOf(BODY.subarray(0, 100_000)));
      });

      it('are given back while they come in, up to what viaduct can hold', async () => {
        const body = BODY.subarray(0, 60_000);
        const response = await bridge.request(way, { method: 'POST', path: '/echo', body });
        expect(response).to.include({ status: 200, complete: true });
        expect(response.body.equals(body)).to.equal(true);
      });

      for (const status of ['401 Unauthorized', '413 Content Too Large', '200 OK']) {
        it(`get an early ${status} whole though nobody reads them`, async () => {
          const path = `/early?status=${encodeURIComponent(status)}&pad=20000`;
          for (const body of [BODY, pieces()]) {
            const response = await bridge.request(way, { method: 'POST', path, body });
            expect(response).to.include({ status: Number(status.slice(0, 3)), complete: true });
            expect(response.body.length).to.equal(10 + 20_000);
          }
        });
      }

      it('get a 413 from limits.body_size, declared or not', async () => {
        expected = {
          viaduct: [/^Refused request with 413: the body has/, /larger than limits.body_size/],
        };
        const declared = await bridge.request(way, { method: 'POST', path: '/small', body: BODY });
        expect(declared).to.include({ status: 413, complete: true });
        const chunked = await bridge.request(way, { method: 'POST', path: '/read', body: pieces() });
        expect(chunked).to.include({ status: 413, complete: true });
        const within = await bridge.request(way, {
          method: 'POST',
          path: '/read',
          body: BODY.subarray(0, 1000),
        });
        expect(within.text).to.include('body: 1000 bytes');
      });
    });
  }
});

/** A POST that sends its body only once it was told to go on; resolves with the final response. */
async function expectContinue(port: number, body: Uint8Array): Promise<string> {
  let received = '';
  let closed = false;
  const socket = connect(port, '127.0.0.1', () => {
    const head = ['POST /d HTTP/1.1', 'Host: x', 'Connection: close', 'Expect: 100-continue'];
    socket.write(`${head.join('\r\n')}\r\nContent-Length: ${body.length}\r\n\r\n`);
  });
  socket.on('data', (chunk) => (received += chunk.toString('latin1')));
  socket.on('close', () => (closed = true));
  socket.on('error', () => undefined);
  try {
    await waitFor(() => received.startsWith('HTTP/1.1 100 Continue\r\n\r\n'), { what: '100 Continue' });
    socket.write(body);
    await waitFor(() => closed, { what: 'the response' });
    return received.slice('HTTP/1.1 100 Continue\r\n\r\n'.length);
  } finally {
    socket.destroy();
  }
}
