// Apps of Express, Koa, Fastify and Nest behind a real nginx, in viaduct and under node:http: the answers are the same,
// header for header.
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { expect } from 'chai';
import { recognize } from '../../../src/apps/node/recognize.ts';
import { type Bridge, FASTCGI_KEEP, HTTP_KEEP, startBridge, UWSGI, type Way } from '../../helpers/bridge.ts';
import { type CallOptions, type HttpResponse, request, startCall } from '../../helpers/http-client.ts';
import { httpLocation, type Nginx, serverBlock, startNginx } from '../../helpers/nginx.ts';
import { hashOf, patternBytes } from '../../helpers/pattern.ts';
import { projectRoot } from '../../helpers/project.ts';
import { makeTempDir, removeTempDir } from '../../helpers/temp.ts';
import { waitFor } from '../../helpers/wait.ts';

const FRAMEWORKS = ['express', 'koa', 'fastify', 'nest'] as const;
const WAYS: readonly Way[] = [FASTCGI_KEEP, UWSGI, HTTP_KEEP];
const fixture = (name: string): string => join(projectRoot, 'test/fixtures/node', `${name}.js`);

const FORM = 'application/x-www-form-urlencoded';
const post = (path: string, type: string, body: string | Uint8Array): CallOptions => ({
  method: 'POST',
  path,
  headers: [['Content-Type', type]],
  body,
});

/** What is asked of each. */
const REQUESTS: Readonly<Record<string, CallOptions>> = {
  JSON: { path: '/json' },
  'a HEAD': { method: 'HEAD', path: '/json' },
  'a page that is not there': { path: '/not/there?x=%2F' },
  'a method that is not there': { method: 'DELETE', path: '/json' },
  'JSON sent': post('/json', 'application/json', '{"name":"Zoë","n":[1,2]}'),
  'JSON that is none': post('/json', 'application/json', '{"name":'),
  'a form': post('/form', FORM, 'name=Zo%C3%AB&list=1&list=2'),
  'a file': { path: '/file' },
  'a range of a file': { path: '/file', headers: [['Range', 'bytes=10-29']] },
  'a range outside of a file': { path: '/file', headers: [['Range', 'bytes=999999-']] },
  'a file that is known': {
    path: '/file',
    headers: [['If-Modified-Since', 'Fri, 01 Jan 2100 00:00:00 GMT']],
  },
  'a file below a mount of its own': { path: '/static/common.js' },
  cookies: { path: '/cookies', headers: [['Cookie', 'one=eins; three=3']] },
  'a stream': { path: '/stream' },
  'a session': { path: '/session' },
  'an error with a handler': { path: '/error' },
  'an error of an async handler': { path: '/async-error' },
  'a redirect': { path: '/redirect' },
  'an empty answer': { path: '/empty' },
  'a large answer': { path: '/large' },
  'a compressed answer': { path: '/large', headers: [['Accept-Encoding', 'gzip']] },
};

/** nginx's own, and what is random. */
function headersOf(response: HttpResponse): string[] {
  return response.headers
    .filter(([name]) => name !== 'Date')
    .map(([name, value]) => `${name}: ${value.replace(/^((?:connect\.sid|sessionId)=)[^;]+/, '$1...')}`);
}

function seen(response: HttpResponse): object {
  const { status, statusText, complete, framing } = response;
  return { status, statusText, complete, framing, headers: headersOf(response), text: response.text };
}

describe('frameworks behind nginx', function () {
  this.timeout(30_000);
  let folder = '';
  let bridge: Bridge;
  let plain: Nginx;
  const servers: Server[] = [];

  before(async () => {
    folder = await makeTempDir();
    const blocks: string[] = [];
    for (const name of FRAMEWORKS) {
      const { application } = (await import(fixture(name))) as { application: unknown };
      const app = await recognize(application, name);
      const server = createServer((req, res) => void app.handle(req, res));
      const path = join(folder, `${name}.sock`);
      await new Promise<void>((resolve) => server.listen(path, resolve));
      servers.push(server);
      blocks.push(
        serverBlock(
          `client_max_body_size 128m;\n${httpLocation({ socket: `unix:${path}`, keepConn: true })}`,
          name,
        ),
      );
    }
    plain = await startNginx({ servers: blocks.join('') });
    const mounts = FRAMEWORKS.map((name) => [
      name,
      { path: '/', host: `${name}.test`, app: fixture(name), interface: 'node' },
    ]);
    bridge = await startBridge({
      ways: WAYS,
      mounts: Object.fromEntries(mounts) as Record<string, object>,
      config: { workers: 1 },
    });
  });
  after(async () => {
    await bridge?.stop();
    await plain?.stop();
    for (const server of servers) {
      server.closeAllConnections();
      server.close();
    }
    await removeTempDir(folder);
  });
  afterEach(() => bridge.expectQuietLogs());

  const to = (name: string, options: CallOptions): CallOptions => ({
    ...options,
    headers: [['Host', `${name}.test`], ...(options.headers ?? [])],
  });
  const atPlain = (name: string, options: CallOptions): Promise<HttpResponse> =>
    request({ port: plain.portOf(name), ...to(name, options) });

  for (const name of FRAMEWORKS) {
    describe(name, () => {
      for (const [what, options] of Object.entries(REQUESTS)) {
        it(`answers ${what} as under node:http`, async () => {
          const wanted = await atPlain(name, options);
          for (const way of WAYS) {
            const got = await bridge.request(way, to(name, options));
            expect(seen(got), way.name).to.deep.equal(seen(wanted));
          }
        });
      }

      it('takes an upload of 50 MB', async () => {
        const content = patternBytes(50 * 1024 * 1024);
        const head =
          '--XX\r\nContent-Disposition: form-data; name="title"\r\n\r\nGrüße\r\n--XX\r\nContent-Disposition: form-data; name="file"; filename="a b.bin"\r\nContent-Type: application/octet-stream\r\n\r\n';
        const body = Buffer.concat([Buffer.from(head), content, Buffer.from('\r\n--XX--\r\n')]);
        const options = post('/upload', 'multipart/form-data; boundary=XX', body);
        const wanted = await atPlain(name, options);
        expect(JSON.parse(wanted.text)).to.include({
          name: 'a b.bin',
          size: content.length,
          sha256: hashOf(content),
        });
        for (const way of WAYS) {
          expect(seen(await bridge.request(way, to(name, options))), way.name).to.deep.equal(seen(wanted));
        }
      });

      it('sends a stream piece by piece', async () => {
        for (const way of WAYS) {
          const { chunks } = await bridge.request(way, to(name, { path: '/stream' }));
          expect(chunks.length, way.name).to.be.at.least(2);
          expect((chunks.at(-1)?.at ?? 0) - (chunks[0]?.at ?? 0), way.name).to.be.above(40);
        }
      });

      it('keeps a session', async () => {
        for (const way of WAYS) {
          const first = await bridge.request(way, to(name, { path: '/session' }));
          expect(first.text, way.name).to.equal('{"count":1}');
          const cookies = first.headerAll('set-cookie').map((cookie) => cookie.split(';')[0]);
          const again = to(name, { path: '/session', headers: [['Cookie', cookies.join('; ')]] });
          expect((await bridge.request(way, again)).text, way.name).to.equal('{"count":2}');
        }
      });

      it('hears of a client that leaves', async () => {
        const leave = async (port: number): Promise<unknown> => {
          const next = (what: string): Promise<unknown[]> =>
            waitFor(
              async () => {
                const answer = await request({ port, ...to(name, { path: '/left' }) });
                const list = JSON.parse(answer.text) as unknown[];
                return list.length > 0 && list;
              },
              { what },
            );
          const call = startCall({ port, ...to(name, { path: '/wait' }) });
          call.done.catch(() => undefined);
          expect(await next('the request to come')).to.deep.equal(['came']);
          call.abort();
          return next('the app to hear of it');
        };
        const wanted = await leave(plain.portOf(name));
        for (const way of WAYS) {
          expect(await leave(bridge.nginx.portOf(way.name)), way.name).to.deep.equal(wanted);
        }
      });
    });
  }
});
