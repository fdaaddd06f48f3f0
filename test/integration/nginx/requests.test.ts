// Requests and answers of every shape through a real nginx with its stock parameter files, over every protocol.
import { expect } from 'chai';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Bridge,
  type Expected,
  FASTCGI_ONCE,
  fixtureApp,
  HTTP_KEEP,
  SCGI,
  startBridge,
  WAYS,
} from '../../helpers/bridge.ts';
import { type CallOptions, rawExchange } from '../../helpers/http-client.ts';
import { hashOf, patternBytes } from '../../helpers/pattern.ts';

interface Description {
  environ: Record<string, unknown>;
  body: { size: number; sha256: string };
}

const SERVER = 'location /internal/ { internal; alias {{dir}}/internal/; }';
const MiB = 1024 * 1024;

describe('nginx: requests and answers', () => {
  let bridge: Bridge;
  let expected: Expected;

  before(async () => {
    bridge = await startBridge({
      ways: WAYS,
      mounts: { '/d': 'describe', '/a': 'answer', '/file': 'file' },
      server: SERVER,
    });
    await mkdir(join(bridge.nginx.dir, 'internal'));
    await writeFile(join(bridge.nginx.dir, 'internal/secret.txt'), 'from the disk');
  });
  after(() => bridge.stop());
  beforeEach(() => (expected = {}));
  afterEach(() => bridge.expectQuietLogs(expected));

  for (const way of WAYS) {
    const call = (options: CallOptions): ReturnType<Bridge['request']> => bridge.request(way, options);
    const described = async (options: CallOptions): Promise<Description> => {
      const response = await call(options);
      expect(response.status, response.text).to.equal(200);
      expect(response.complete).to.equal(true);
      return JSON.parse(response.text) as Description;
    };

    describe(`over ${way.name}`, () => {
      it('takes GET and POST, with and without a body', async () => {
        const get = await described({ path: '/d/x?a=1', headers: [['X-One', 'uno']] });
        expect(get.environ).to.include({
          REQUEST_METHOD: 'GET',
          SCRIPT_NAME: '/d',
          PATH_INFO: '/x',
          QUERY_STRING: 'a=1',
          HTTP_X_ONE: 'uno',
          'wsgi.url_scheme': 'http',
          'viaduct.mount': '/d',
        });
        expect(get.environ).to.not.have.any.keys('CONTENT_TYPE', 'HTTP_CONTENT_TYPE', 'HTTP_CONTENT_LENGTH');
        // SCGI has no request without one.
        expect(get.environ['CONTENT_LENGTH']).to.equal(way === SCGI ? '0' : undefined);
        const headers = [['Content-Type', 'text/plain']] as const;
        const post = await described({ path: '/d', method: 'POST', headers, body: 'one=1' });
        expect(post.environ).to.include({ CONTENT_TYPE: 'text/plain', CONTENT_LENGTH: '5' });
        expect(post.environ).to.not.have.any.keys('HTTP_CONTENT_LENGTH', 'HTTP_CONTENT_TYPE');
        expect(post.body).to.deep.equal({ size: 5, sha256: hashOf(Buffer.from('one=1')) });
        const empty = await described({ path: '/d', method: 'POST', body: '' });
        expect(empty.environ).to.include({ REQUEST_METHOD: 'POST', CONTENT_LENGTH: '0' });
        expect(empty.body.size).to.equal(0);
        // Neither Content-Length nor Transfer-Encoding: no body (RFC 9112, section 6.3).
        const bytes = 'POST /d HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
        const answer = (await rawExchange({ port: bridge.nginx.portOf(way.name) }, bytes)).toString('latin1');
        expect(answer).to.match(/^HTTP\/1\.1 200 OK\r\n/);
        expect(answer).to.include('"REQUEST_METHOD":"POST"').and.include('"body":{"size":0,');
      });

      it('keeps the body of a HEAD back, and its Content-Length', async () => {
        const head = await call({ method: 'HEAD', path: '/a?body=hello' });
        expect(head).to.include({ status: 200, complete: true });
        expect(head.body.length).to.equal(0);
        expect(head.header('content-length')).to.equal('5');
        const get = await call({ path: '/a?body=hello' });
        expect(get.text).to.equal('hello');
        expect(get.header('content-length')).to.equal('5');
      });

      for (const [what, path, pathInfo] of [
        ['escaped UTF-8', '/d/caf%C3%A9/%E2%82%AC', '/caf\xc3\xa9/\xe2\x82\xac'],
        ['bytes that are no UTF-8', '/d/%ff%80', '/\xff\x80'],
        ['%2F', '/d/a%2Fb%2fc', '/a/b/c'],
        ['%20, + and ;', '/d/a%20b+c;d=e', '/a b+c;d=e'],
        ['%25', '/d/100%25', '/100%'],
        ['dots and double slashes', '/d//x/./y/../z', '/x/z'],
        ['nothing after the mount', '/d', ''],
        ['a slash after the mount', '/d/', '/'],
      ] as const) {
        it(`splits a path with ${what}`, async () => {
          const { environ } = await described({ path });
          expect(environ).to.include({ SCRIPT_NAME: '/d', PATH_INFO: pathInfo, REQUEST_URI: path });
        });
      }

      for (const [target, query] of [
        ['/d?', ''],
        ['/d?a=b&c', 'a=b&c'],
        ['/d??', '?'],
        ['/d?%00%2f+%20', '%00%2f+%20'],
        ['/d?a=//../b', 'a=//../b'],
      ] as const) {
        it(`passes the query of ${JSON.stringify(target)} as it is`, async () => {
          const { environ } = await described({ path: target });
          expect(environ).to.include({ QUERY_STRING: query, PATH_INFO: '', REQUEST_URI: target });
        });
      }

      for (const [what, path, pathInfo, query] of [
        ['path', '/d/caf\xc3\xa9', '/caf\xc3\xa9', ''],
        ['query', '/d?\xe9', '', '\xe9'],
      ] as const) {
        it(`takes raw bytes above ASCII in the ${what}${way === HTTP_KEEP ? ' for the errors they are' : ''}`, async () => {
          if (way === HTTP_KEEP) {
            // RFC 3986 wants them escaped; nginx passes them on, and node:http refuses them.
            expected = { viaduct: [/Invalid char in url/] };
            expect((await call({ path })).status).to.equal(400);
          } else {
            const { environ } = await described({ path });
            expect(environ).to.include({ PATH_INFO: pathInfo, QUERY_STRING: query, REQUEST_URI: path });
          }
        });
      }

      it('never sees a %00 in the path: nginx refuses it', async () => {
        const before = await bridge.daemon.metric('viaduct_requests_total');
        expect((await call({ path: '/d/%00' })).status).to.equal(400);
        expect(await bridge.daemon.metric('viaduct_requests_total')).to.equal(before);
      });

      it('joins repeated request headers', async () => {
        const { environ } = await described({
          path: '/d',
          headers: [
            ['Cookie', 'a=1'],
            ['X-Dup', 'one'],
            ['Cookie', 'b=2'],
            ['X-Dup', 'two, three'],
            ['X-Dup', ''],
          ],
        });
        expect(environ).to.include({ HTTP_COOKIE: 'a=1; b=2', HTTP_X_DUP: 'one, two, three, ' });
      });

      it('sends repeated response headers as they are', async () => {
        const path = '/a?h=Set-Cookie:a%3D1&h=Set-Cookie:b%3D2&h=X-Dup:1&h=X-Dup:2&h=Content-Type:a/b';
        const response = await call({ path });
        expect(response.headerAll('set-cookie')).to.deep.equal(['a=1', 'b=2']);
        expect(response.headerAll('x-dup')).to.deep.equal(['1', '2']);
        expect(response.headerAll('content-type')).to.deep.equal(['a/b']);
      });

      for (const status of ['204 No Content', '304 Not Modified'] as const) {
        it(`sends no body with ${status}, whether the app gave one or not`, async () => {
          expected = { viaduct: [/body is dropped/] };
          for (const query of ['', '&body=surplus', '&body=surplus&stream=1']) {
            const response = await call({ path: `/a?status=${encodeURIComponent(status)}${query}` });
            expect(response).to.include({ status: Number(status.slice(0, 3)), complete: true });
            expect(response.body.length).to.equal(0);
            expect(response.header('x-accel-buffering')).to.equal(undefined);
          }
          expect((await call({ path: '/a?body=next' })).text).to.equal('next');
        });
      }

      for (const status of [
        '301 Moved Permanently',
        '302 Found',
        '303 See Other',
        '307 Temporary Redirect',
      ]) {
        it(`sends a ${status}, relative and absolute`, async () => {
          for (const location of ['/elsewhere?x=1', 'https://example.org/y']) {
            const query = new URLSearchParams({ status, h: `Location:${location}`, body: 'there' });
            const response = await call({ path: `/a?${query.toString()}` });
            expect(response.status).to.equal(Number(status.slice(0, 3)));
            expect(response.header('location')).to.equal(location);
            expect(response.text).to.equal('there');
          }
        });
      }

      it('sends any status with its own reason', async () => {
        const response = await call({ path: '/a?status=418%20Short%20and%20stout&body=x' });
        expect(response).to.include({ status: 418, statusText: 'Short and stout', text: 'x' });
      });

      it('lets X-Accel-Redirect hand over to an internal location', async () => {
        const path = '/a?h=X-Accel-Redirect:/internal/secret.txt&h=Content-Type:text/x-mine&body=dropped';
        const response = await call({ path });
        expect(response).to.include({ status: 200, text: 'from the disk', complete: true });
        expect(response.header('content-type')).to.equal('text/x-mine');
        expect(response.header('x-accel-redirect')).to.equal(undefined);
        expect((await call({ path: '/internal/secret.txt' })).status).to.equal(404);
      });

      it('answers 404 where nothing is mounted', async () => {
        expected = { viaduct: [/Refused request with 404/] };
        for (const path of ['/nowhere', '/dx']) {
          const response = await call({ path });
          expect(response).to.include({ status: 404, complete: true });
          const [, id] = /Request id: (\S+)/.exec(response.text) ?? [];
          // Its line may come after the response, and must not be found by the next test.
          await bridge.daemon.waitForLog(({ request_id: found }) => found === id, 'of the refusal');
        }
      });

      it('sends 10 MB whole, with a Content-Length and without', async () => {
        const size = 10 * MiB + 17;
        const wanted = hashOf(patternBytes(size));
        for (const length of [`&h=Content-Length:${size}`, '']) {
          const response = await call({ path: `/a?size=${size}${length}` });
          expect(response.complete).to.equal(true);
          expect(hashOf(response.body)).to.equal(wanted);
          expect(response.framing).to.equal(length === '' ? 'chunked' : 'length');
        }
      });

      it('sends a file through wsgi.file_wrapper, and a Range of it', async () => {
        const content = await readFile(fixtureApp('file'));
        const whole = await call({ path: '/file' });
        expect(whole.header('content-length')).to.equal(String(content.length));
        expect(whole.body.equals(content)).to.equal(true);
        const part = await call({ path: '/file', headers: [['Range', 'bytes=10-109']] });
        expect(part.status).to.equal(206);
        expect(part.header('content-range')).to.equal(`bytes 10-109/${content.length}`);
        expect(part.body.equals(content.subarray(10, 110))).to.equal(true);
      });

      it('logs each request with what there is to say', async () => {
        const path = `/d/logged-${way.name}?x=%22`;
        const headers = [
          ['User-Agent', 'a "client"'],
          ['Referer', 'http://example.org/'],
        ] as const;
        const { environ } = await described({ method: 'POST', path, headers, body: 'twelve bytes' });
        const line = await bridge.daemon.waitForAccess(({ uri }) => uri === path, `of ${path}`);
        expect(line).to.include({
          request_id: environ['viaduct.request_id'],
          mount: '/d',
          method: 'POST',
          protocol: environ['SERVER_PROTOCOL'],
          upstream: way.protocol,
          status: 200,
          bytes_in: 12,
          user_agent: 'a "client"',
          referer: 'http://example.org/',
          // An HTTP backend behind a Unix socket sees nginx, not the client.
          remote_addr: way.protocol === 'http' ? 'unix:' : '127.0.0.1',
        });
        expect(line).to.not.have.any.keys('aborted', 'remote_user');
        expect(line['bytes_out']).to.be.greaterThan(100);
        expect(line['duration']).to.be.within(0, 10);
        expect(Date.parse(String(line['time']))).to.be.within(Date.now() - 60_000, Date.now());
        const all = (await bridge.daemon.accessLog()).filter(({ uri }) => uri === path);
        expect(all).to.have.lengthOf(1);
      });
    });
  }

  it('counts no connection as broken, and leaves nothing in flight', async () => {
    await bridge.request(FASTCGI_ONCE, { path: '/d' });
    expect(await bridge.daemon.metric('viaduct_protocol_errors_total')).to.equal(0);
    expect(await bridge.daemon.metric('http_server_active_requests')).to.equal(0);
    expect(await bridge.daemon.metric('viaduct_requests_aborted_total')).to.equal(0);
  });
});
