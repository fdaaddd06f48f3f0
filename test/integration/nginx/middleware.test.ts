// The built-in middleware around each kind of app, between two lints, behind a real nginx.
import { expect } from 'chai';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Bridge,
  type Expected,
  FASTCGI_KEEP,
  HTTP_KEEP,
  startBridge,
  UWSGI,
  type Way,
} from '../../helpers/bridge.ts';
import type { CallOptions, Headers, HttpResponse } from '../../helpers/http-client.ts';
import { hashOf, patternBytes } from '../../helpers/pattern.ts';
import { descriptorsOf } from '../../helpers/processes.ts';
import { pythonMount } from '../../helpers/python.ts';
import { waitFor } from '../../helpers/wait.ts';

const WAYS = [FASTCGI_KEEP, UWSGI, HTTP_KEEP];

/** Each app tells in JSON, under any path, what it sees of the request: a Seen. */
const KINDS: Readonly<Record<string, object>> = {
  wsgi: { app: './seen.js' },
  node: { app: './seen-node.js', interface: 'node' },
  fetch: { app: './seen-fetch.js', interface: 'fetch' },
  python: pythonMount('seen:application', {}, { path: ['{{dir}}'] }),
};

interface Seen {
  address: string;
  scheme: string;
  host: string;
  id: string;
  user: string | null;
}

const FILES = {
  'seen.js': `export const application = (environ, startResponse) => {
  startResponse('200 OK', [['Content-Type', 'application/json']]);
  return [Buffer.from(JSON.stringify({
    address: environ.REMOTE_ADDR,
    scheme: environ['wsgi.url_scheme'],
    host: environ.HTTP_HOST,
    id: environ.HTTP_X_REQUEST_ID,
    user: environ.REMOTE_USER ?? null,
  }))];
};
`,
  // node:http has no place for REMOTE_USER: a header says who it is, and the password is not for the app to see.
  'seen-node.js': `export default (req, res) => {
  res.setHeader('Content-Type', 'application/json');
  res.end(JSON.stringify({
    address: req.socket.remoteAddress,
    scheme: req.socket.encrypted ? 'https' : 'http',
    host: req.headers.host,
    id: req.headers['x-request-id'],
    user: req.headers.authorization ?? req.headers['x-remote-user'] ?? null,
  }));
};
`,
  'seen-fetch.js': `export default {
  fetch(request, { environ }) {
    const url = new URL(request.url);
    return new Response(JSON.stringify({
      address: environ.REMOTE_ADDR,
      scheme: url.protocol.slice(0, -1),
      host: url.host,
      id: request.headers.get('x-request-id'),
      user: environ.REMOTE_USER ?? null,
    }), { headers: { 'Content-Type': 'application/json' } });
  },
};
`,
  // Changes what the app sees, what it says of its answer, and the answer.
  'own.js': `export const middleware = (app, { address }) => async (environ, startResponse) => {
  environ.REMOTE_ADDR = address;
  const body = await app(environ, (status, headers, ...more) => {
    const kept = headers.filter(([name]) => name.toLowerCase() !== 'content-length');
    return startResponse(status, [...kept, ['X-Own', 'was here']], ...more);
  });
  return {
    async *[Symbol.asyncIterator]() {
      for await (const chunk of body) yield chunk;
      yield Buffer.from(' // own');
    },
    close: () => body.close?.(),
  };
};
`,
  'seen.py': `import json
def application(environ, start_response):
    start_response('200 OK', [('Content-Type', 'application/json')])
    seen = {
        'address': environ['REMOTE_ADDR'],
        'scheme': environ['wsgi.url_scheme'],
        'host': environ['HTTP_HOST'],
        'id': environ.get('HTTP_X_REQUEST_ID'),
        'user': environ.get('REMOTE_USER'),
    }
    return [json.dumps(seen).encode()]
`,
  'files/hello.txt': 'Hello, file!',
  'files/sub/index.html': 'index of sub',
  // The first is "sesame" by htpasswd -s, the other as passlib writes the scrypt of "grüß" with ln=4
  users: `ann:{SHA}CEo1Ae3vaEXy8eQZjsOiuBz1xrw=
jürgen:$scrypt$ln=4,r=8,p=1$YSBzYWx0IG9mIGJ5dGVzIQ$4n5uPUdCxlgtNl/JxilKorEx1iogIQkoIKHsQNNQFTo
`,
};

const LARGE = 24 * 1024 * 1024;
const STATIC = { use: 'viaduct:static', options: { root: './files', max_age: '1h' } };

function mounts(): Record<string, object> {
  const all = Object.entries(KINDS).flatMap(([kind, app]) => [
    [
      `/${kind}`,
      {
        ...app,
        middleware: [
          'viaduct:lint',
          { use: 'viaduct:forwarded', options: { trust: ['unix', 'loopback'] } },
          'viaduct:request-id',
          STATIC,
          'viaduct:lint',
        ],
      },
    ],
    [
      `/${kind}-private`,
      {
        ...app,
        middleware: [
          'viaduct:lint',
          { use: 'viaduct:basic-auth', options: { file: './users', header: 'X-Remote-User' } },
          'viaduct:lint',
        ],
      },
    ],
    [
      `/${kind}-own`,
      {
        ...app,
        middleware: ['viaduct:lint', { use: './own.js', options: { address: '192.0.2.99' } }, 'viaduct:lint'],
      },
    ],
  ]);
  const flask = pythonMount('flask_site:create_app()', {
    middleware: ['viaduct:lint', STATIC, 'viaduct:lint'],
  });
  return { ...Object.fromEntries(all), '/flask': flask };
}

describe('nginx: the built-in middleware', function () {
  this.timeout(30_000);
  let bridge: Bridge;
  let expected: Expected;
  const large = patternBytes(LARGE);

  before(async () => {
    bridge = await startBridge({ ways: WAYS, mounts: mounts(), daemon: { files: FILES } });
    writeFileSync(join(bridge.daemon.dir, 'files/large.bin'), large);
  });
  after(() => bridge.stop());
  beforeEach(() => (expected = {}));
  afterEach(() => bridge.expectQuietLogs(expected));

  const openFiles = async (): Promise<string[]> =>
    (await bridge.daemon.workers())
      .flatMap(descriptorsOf)
      .filter((target) => target.includes(`${bridge.daemon.dir}/files/`));

  for (const way of WAYS) {
    for (const kind of Object.keys(KINDS))
      describe(`around ${kind} over ${way.name}`, () => aroundKind(way, kind));
    describe(`viaduct:static over ${way.name}`, () => staticOver(way));
  }

  function aroundKind(way: Way, kind: string): void {
    const get = (path: string, headers: Headers = [], more: CallOptions = {}): Promise<HttpResponse> =>
      bridge.request(way, { path: `/${kind}${path}`, headers, ...more });

    it('gives files before the app, and the app where there is none', async () => {
      const file = await get('/hello.txt');
      expect([file.status, file.text, file.complete]).to.deep.equal([200, 'Hello, file!', true]);
      const seen = await get('/none');
      expect([seen.status, seen.header('content-type')]).to.deep.equal([200, 'application/json']);
      const index = await get('/sub', [['Host', 'shop.example']]);
      expect([index.status, index.header('location')]).to.deep.equal([
        301,
        `http://shop.example/${kind}/sub/`,
      ]);
      expect((await get('/sub/')).text).to.equal('index of sub');
    });

    it('tells the app of the client before a proxy, and the access log too', async () => {
      const answer = await get('/none', [
        ['X-Forwarded-For', '10.1.1.1, 192.0.2.7'],
        ['X-Forwarded-Proto', 'https'],
        ['X-Forwarded-Host', 'shop.example'],
        ['X-Request-ID', `id-${way.name}-${kind}`],
      ]);
      const seen = JSON.parse(answer.text) as Seen;
      // Debian's proxy_params overwrite X-Forwarded-Proto.
      const scheme = way.protocol === 'http' ? 'http' : 'https';
      const id = `id-${way.name}-${kind}`;
      expect(seen).to.include({ address: '192.0.2.7', scheme, host: 'shop.example', id });
      expect(answer.header('x-request-id')).to.equal(id);
      const line = await bridge.daemon.waitForAccess(({ request_id }) => request_id === id, `of ${id}`);
      expect(line).to.include({ remote_addr: '192.0.2.7' });
    });

    it('names a request that has no name', async () => {
      const answer = await get('/none');
      const { id } = JSON.parse(answer.text) as Seen;
      expect(id).to.match(/^[0-9a-f]{12}-/);
      expect(answer.header('x-request-id')).to.equal(id);
    });

    it('lets in who has a password, and tells the app who it is', async () => {
      const ask = (credentials: string): Promise<HttpResponse> =>
        get('-private/', [['Authorization', `Basic ${Buffer.from(credentials).toString('base64')}`]]);
      const none = await get('-private/');
      expect([none.status, none.header('www-authenticate')]).to.deep.equal([
        401,
        'Basic realm="Restricted", charset="UTF-8"',
      ]);
      expect((await ask('ann:wrong')).status).to.equal(401);
      expect((await ask('nobody:one')).status).to.equal(401);
      expect(JSON.parse((await ask('ann:sesame')).text)).to.include({ user: 'ann' });
      const user = Buffer.from('jürgen').toString('latin1');
      expect(JSON.parse((await ask('jürgen:grüß')).text)).to.include({ user });
    });

    it("leaves a middleware of one's own all that it may do", async () => {
      const answer = await get('-own/');
      expect([answer.status, answer.complete, answer.header('x-own')]).to.deep.equal([200, true, 'was here']);
      const [json = '', own] = answer.text.split(' // ');
      expect([JSON.parse(json).address, own]).to.deep.equal(['192.0.2.99', 'own']);
    });

    it('keeps out an upload without reading it whole', async () => {
      const answer = await get('-private/', [], { method: 'POST', body: Buffer.alloc(100_000) });
      expect(answer.status).to.equal(401);
    });
  }

  function staticOver(way: Way): void {
    const get = (path: string, headers: Headers = [], method = 'GET'): Promise<HttpResponse> =>
      bridge.request(way, { path, headers, method });

    it('sends a large file whole', async () => {
      const answer = await get('/wsgi/large.bin');
      expect([answer.status, answer.complete, answer.header('content-length')]).to.deep.equal([
        200,
        true,
        `${LARGE}`,
      ]);
      expect(answer.header('cache-control')).to.equal('public, max-age=3600');
      expect(answer.header('content-type')).to.equal('application/octet-stream');
      expect(hashOf(answer.body)).to.equal(hashOf(large));
    });

    it('sends a part of it', async () => {
      const answer = await get('/wsgi/large.bin', [['Range', 'bytes=10000000-10999999']]);
      expect(answer.status).to.equal(206);
      expect(answer.header('content-range')).to.equal(`bytes 10000000-10999999/${LARGE}`);
      expect(hashOf(answer.body)).to.equal(hashOf(large.subarray(10_000_000, 11_000_000)));
      const beyond = await get('/wsgi/large.bin', [['Range', `bytes=${LARGE}-`]]);
      expect([beyond.status, beyond.header('content-range')]).to.deep.equal([416, `bytes */${LARGE}`]);
    });

    it('answers HEAD and what a client has already without a body', async () => {
      const head = await get('/wsgi/large.bin', [], 'HEAD');
      expect([head.status, head.header('content-length'), head.body.length]).to.deep.equal([
        200,
        `${LARGE}`,
        0,
      ]);
      const etag = head.header('etag') ?? '';
      const same = await get('/wsgi/large.bin', [['If-None-Match', etag]]);
      expect([same.status, same.body.length, same.header('etag')]).to.deep.equal([304, 0, etag]);
      expect((await get('/wsgi/large.bin', [['If-Match', '"other"']])).status).to.equal(412);
    });

    it('does not leave its folder', async () => {
      for (const path of [
        '/../users',
        '/%2e%2e/users',
        '/..%2fusers',
        '/sub/..%2f..%2fusers',
        '/..%5cusers',
      ]) {
        const answer = await get(`/wsgi${path}`);
        expect([answer.text.includes('scrypt'), answer.text.includes('ann')], path).to.deep.equal([
          false,
          false,
        ]);
      }
      expected = { nginx: [/client sent invalid/], viaduct: [/no mount has its path/] };
    });

    it('closes a file whose client leaves', async () => {
      const call = bridge.startCall(way, { path: '/wsgi/large.bin' });
      await call.waitForBytes(100_000);
      call.pause();
      expect(await openFiles()).to.have.lengthOf(1);
      call.abort();
      await call.done;
      await waitFor(async () => (await openFiles()).length === 0, { what: 'the file to be closed' });
    });

    it('stands before Flask', async () => {
      expect((await get('/flask/hello.txt')).text).to.equal('Hello, file!');
      expect((await get('/flask/')).text).to.equal('Hello from Flask');
      expect((await get('/flask/none')).status).to.equal(404);
    });
  }
});
