// A Hono app behind a real nginx on each protocol, and the same app under @hono/node-server behind proxy_pass: equal answers,
// header for header, but for those in DIFFERENCES.
import { expect } from 'chai';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import {
  type Bridge,
  type Expected,
  FASTCGI_KEEP,
  HTTP_KEEP,
  startBridge,
  UWSGI,
} from '../../helpers/bridge.ts';
import { type CallOptions, type Headers, type HttpResponse, request } from '../../helpers/http-client.ts';
import { httpLocation, keepaliveUpstream, type Nginx, serverBlock, startNginx } from '../../helpers/nginx.ts';
import { hashOf, patternBytes } from '../../helpers/pattern.ts';
import { projectRoot } from '../../helpers/project.ts';
import { makeTempDir, removeTempDir } from '../../helpers/temp.ts';
import { waitFor } from '../../helpers/wait.ts';

const WAYS = [FASTCGI_KEEP, UWSGI, HTTP_KEEP];
const FIXTURES = join(projectRoot, 'test/fixtures/fetch');
const FILE = patternBytes(700_001);
/** Node 20 takes none below 27 characters. */
const BOUNDARY = 'a-boundary-of-thirty-characters';
const HOST: Headers = [['Host', 'site.example']];

/** What answers may differ in, each for a reason that docs/fetch-apps.md gives. */
const DIFFERENCES = new Set(['content-length', 'transfer-encoding', 'connection', 'date', 'server']);

const form = (body: string): CallOptions => ({
  method: 'POST',
  headers: [['Content-Type', 'application/x-www-form-urlencoded']],
  body,
});

/** What @hono/node-server says of a body that has no type. */
const MADE_UP = 'text/plain; charset=UTF-8';

/** Both servers are asked all of these. */
const EQUAL: readonly (readonly [path: string, options?: CallOptions])[] = [
  ['/'],
  ['/', { method: 'HEAD' }],
  ['/none'],
  ['/json?a=1&b=%C3%B6'],
  ['/html'],
  ['/bytes'],
  ['/status'],
  ['/nothing'],
  ['/url?x=%20y'],
  ['/name/%C3%B6%20b'],
  ['/json', { method: 'POST', headers: [['Content-Type', 'application/json']], body: '{"a":["ö"]}' }],
  ['/json', { method: 'POST', headers: [['Content-Type', 'application/json']], body: '{' }],
  ['/form', form('a=1&b=%C3%B6&b=2')],
  ['/text', { method: 'POST', body: 'wört' }],
  ['/text', { method: 'POST', body: '' }],
  ['/unread', { method: 'POST', body: Buffer.alloc(100_000) }],
  // More is not possible over FastCGI and uwsgi: nginx sends no body any more once it has a response.
  ['/echo', { method: 'POST', body: Buffer.alloc(60_000, 97) }],
  ['/files/range.bin'],
  ['/files/range.bin', { method: 'HEAD' }],
  ['/files/range.bin', { headers: [['Range', 'bytes=1000-500999']] }],
  ['/files/none'],
  ['/events'],
  ['/count', { headers: [['Cookie', 'count=4; old=1']] }],
  ['/old'],
  ['/moved'],
  ['/compressed/text', { headers: [['Accept-Encoding', 'gzip']] }],
  ['/compressed/text'],
  ['/compressed/small', { headers: [['Accept-Encoding', 'gzip']] }],
  ['/dressed/text', { headers: [['Origin', 'http://a.example']] }],
  [
    '/dressed/text',
    {
      method: 'OPTIONS',
      headers: [
        ['Origin', 'http://a.example'],
        ['Access-Control-Request-Method', 'PUT'],
      ],
    },
  ],
  ['/after/text'],
  ['/after/json'],
  ['/after/stream'],
  ['/throw'],
  ['/reject'],
  ['/forbidden'],
  ['/proxied/x?y=1'],
];

/** What one may see of an answer, without DIFFERENCES. */
function looksOf(answer: HttpResponse): object {
  const headers = answer.headers
    .map(([name, value]) => [name.toLowerCase(), value] as const)
    .filter(([name]) => !DIFFERENCES.has(name))
    .map(([name, value]) => `${name}: ${value}`)
    .toSorted();
  return { status: answer.status, headers, body: hashOf(answer.body), complete: answer.complete };
}

/** The other's, as ours should be: without the type it makes up, in the platform's spelling where that has one. */
function wantedOf(answer: HttpResponse, isTyped: boolean): object {
  const headers = answer.headers
    .map(
      ([name, value]) => [name, value === MADE_UP && isTyped ? 'text/plain;charset=UTF-8' : value] as const,
    )
    .filter(([, value]) => isTyped || value !== MADE_UP);
  return looksOf({ ...answer, headers });
}

describe('Hono behind nginx', function () {
  this.timeout(30_000);
  let folder = '';
  let bridge: Bridge;
  let nginx: Nginx;
  let peer: ChildProcess;
  let upstream: Server;
  let expected: Expected;

  before(async () => {
    folder = await makeTempDir();
    writeFileSync(join(folder, 'range.bin'), FILE);
    upstream = createServer((incoming, outgoing) => {
      outgoing.writeHead(200, {
        'Content-Encoding': 'gzip',
        'X-Url': incoming.url,
        'Set-Cookie': ['a=1', 'b=2'],
        'Keep-Alive': 'timeout=5',
      });
      outgoing.end(gzipSync('from upstream'));
    });
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
    const env = {
      FETCH_FILES: folder,
      FETCH_UPSTREAM: `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`,
    };
    bridge = await startBridge({
      ways: WAYS,
      mounts: { '/': { app: join(FIXTURES, 'hono.js'), interface: 'fetch' } },
      config: { workers: 1 },
      // Else nginx takes whatever comes, and keeps it in a file.
      location: '{{module}}_max_temp_file_size 0;',
      daemon: { env },
    });
    const socket = join(folder, 'node.sock');
    peer = spawn(process.execPath, [join(FIXTURES, 'node-server.js'), socket], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    await waitFor(() => existsSync(socket), { what: 'the socket of @hono/node-server' });
    nginx = await startNginx({
      http: keepaliveUpstream('peer', `unix:${socket}`),
      servers: serverBlock(httpLocation({ socket: 'peer', keepConn: true })),
    });
  });
  after(async () => {
    await bridge?.stop();
    await nginx?.stop();
    peer?.kill();
    upstream?.close();
    upstream?.closeAllConnections();
    await removeTempDir(folder);
  });
  beforeEach(() => (expected = {}));
  afterEach(() => bridge.expectQuietLogs(expected));

  for (const way of WAYS) {
    describe(`over ${way.name}`, () => {
      for (const [path, options = {}] of EQUAL) {
        it(`answers ${options.method ?? 'GET'} ${path} as @hono/node-server does`, async () => {
          const headers = [...HOST, ...(options.headers ?? [])];
          const call = { ...options, path, headers };
          const ours = await bridge.request(way, call);
          const theirs = await request({ port: nginx.port, ...call });
          const isTyped = ours.header('content-type') !== undefined;
          // The platform writes it so where it finds the type itself, an app as it likes.
          const wanted =
            ours.header('content-type') === MADE_UP ? looksOf(theirs) : wantedOf(theirs, isTyped);
          expect(looksOf(ours)).to.deep.equal(wanted);
        });
      }

      it('tells the length of what it knows whole', async () => {
        for (const [path, length] of [
          ['/', '15'],
          ['/after/text', '5'],
          ['/files/range.bin', String(FILE.length)],
        ] as const)
          expect((await bridge.request(way, { path })).header('content-length'), path).to.equal(length);
        expect((await bridge.request(way, { path: '/bytes', method: 'HEAD' })).body.length).to.equal(0);
      });

      it('sends several cookies, and text that it compresses', async () => {
        const answer = await bridge.request(way, { path: '/count' });
        expect(answer.headerAll('set-cookie')).to.have.lengthOf(3);
        const zipped = await bridge.request(way, {
          path: '/compressed/text',
          headers: [['Accept-Encoding', 'gzip']],
        });
        expect(gunzipSync(zipped.body).toString()).to.match(
          /^(?:All work and no play makes Jack a dull boy\. ){500}$/,
        );
      });

      it('takes 50 MB as a form, and as a stream', async () => {
        expected = { viaduct: [/^Slow request/] };
        const file = patternBytes(50 * 1024 * 1024);
        const part = (name: string, more = ''): string =>
          `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"${more}\r\n\r\n`;
        const body = Buffer.concat([
          Buffer.from(`${part('field')}wört\r\n${part('file', '; filename="a.bin"')}`),
          file,
          Buffer.from(`\r\n--${BOUNDARY}--\r\n`),
        ]);
        const headers: Headers = [['Content-Type', `multipart/form-data; boundary=${BOUNDARY}`]];
        const uploaded = await bridge.request(way, { method: 'POST', path: '/upload', headers, body });
        expect(JSON.parse(uploaded.text)).to.deep.equal({
          field: 'wört',
          name: 'a.bin',
          sha256: hashOf(file),
        });
        const raw = await bridge.request(way, { method: 'POST', path: '/raw', body: file });
        expect(JSON.parse(raw.text)).to.deep.equal({ size: file.length, sha256: hashOf(file) });
      });

      it('has what fetch() got, without the coding that fetch() has undone', async () => {
        const answer = await bridge.request(way, { path: '/fetched' });
        expect([answer.text, answer.header('x-url')]).to.deep.equal(['from upstream', '/']);
        expect(answer.headerAll('set-cookie')).to.deep.equal(['a=1', 'b=2']);
        expect(answer.header('content-encoding')).to.equal(undefined);
      });

      it('streams chunk by chunk', async () => {
        const { chunks, complete, text } = await bridge.request(way, { path: '/stream' });
        expect([complete, text]).to.deep.equal([true, 'chunk 0\nchunk 1\nchunk 2\nchunk 3\nchunk 4\n']);
        expect((chunks.at(-1)?.at ?? 0) - (chunks[0]?.at ?? 0)).to.be.above(400);
      });

      const seen = (): Promise<{ left: number; cancelled: number; made: number }> =>
        bridge.json(way, '/seen');

      it('aborts the signal of a request whose client leaves', async () => {
        const before = (await seen()).left;
        const call = bridge.startCall(way, { path: '/wait' });
        await waitFor(
          async () => (await bridge.daemon.metric('http_server_active_requests', { mount: '/' })) === 1,
          { what: 'the request to run' },
        );
        call.abort();
        await waitFor(async () => (await seen()).left === before + 1, { what: 'the signal to fire' });
      });

      it('cancels the stream of a client that leaves', async () => {
        const before = (await seen()).cancelled;
        const call = bridge.startCall(way, { path: '/endless' });
        await call.waitForBytes(200);
        call.abort();
        await waitFor(async () => (await seen()).cancelled === before + 1, {
          what: 'the stream to be cancelled',
        });
      });

      it('makes no more than a slow client takes', async () => {
        const call = bridge.startCall(way, { path: '/fast' });
        await call.waitForBytes(1);
        call.pause();
        let before = -1;
        const { made } = await waitFor(
          async () => {
            const now = await seen();
            const isStill = now.made === before;
            before = now.made;
            return isStill ? now : null;
          },
          { what: 'the stream to stand still', interval: 200 },
        );
        expect(made).to.be.below(100 * 1024 * 1024);
        call.abort();
        await waitFor(
          async () => (await bridge.daemon.metric('http_server_active_requests', { mount: '/' })) === 0,
          { what: 'the request to end' },
        );
      });
    });
  }
});
