// hello and the Flask and Django examples through worker.py, inside the lints of wsgiref, werkzeug and WebTest: nothing to
// report, neither as an error nor as a line of log.
import { createHash } from 'node:crypto';
import { expect } from 'chai';
import { Flag, Kind } from '../../helpers/lane-frames.ts';
import { type LaneAnswer, PythonPeer } from '../../helpers/lane-peer.ts';

interface Call {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly environ?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** In the body of the answer. */
  readonly has?: string;
}

const FORM = 'application/x-www-form-urlencoded';
const FILE = 'x'.repeat(200_000);
const UPLOAD =
  '--b\r\nContent-Disposition: form-data; name="file"; filename="f.txt"\r\n' +
  `Content-Type: text/plain\r\n\r\n${FILE}\r\n--b--\r\n`;
const DIGEST = createHash('sha256').update(FILE).digest('hex');
const upload = { CONTENT_TYPE: 'multipart/form-data; boundary=b' };
const CALLS: Readonly<Record<string, readonly Call[]>> = {
  hello: [
    { method: 'GET', path: '/', status: 200, has: 'hello' },
    { method: 'HEAD', path: '/', status: 200 },
    { method: 'POST', path: '/', status: 200, environ: { CONTENT_TYPE: FORM }, body: 'a=1', has: 'hello' },
  ],
  flask: [
    { method: 'GET', path: '/', status: 200, has: 'Flask on viaduct' },
    { method: 'HEAD', path: '/', status: 200 },
    { method: 'GET', path: '/nowhere/Ã©', status: 404, has: 'Not Found' },
    { method: 'POST', path: '/greet', status: 303, environ: { CONTENT_TYPE: FORM }, body: 'name=Zo%C3%AB' },
    { method: 'POST', path: '/upload', status: 200, environ: upload, body: UPLOAD, has: DIGEST },
    {
      method: 'GET',
      path: '/count',
      status: 200,
      environ: { QUERY_STRING: 'pause=0' },
      has: '1\n2\n3\n4\n5\n',
    },
    { method: 'GET', path: '/source', status: 200, has: 'A small Flask application' },
    { method: 'GET', path: '/source', status: 206, environ: { HTTP_RANGE: 'bytes=3-9' }, has: 'A small' },
  ],
  django: [
    { method: 'GET', path: '/', status: 200, has: 'Nobody has written yet' },
    { method: 'HEAD', path: '/', status: 200 },
    { method: 'GET', path: '/admin/', status: 302 },
    { method: 'GET', path: '/admin/login/', status: 200, has: 'csrfmiddlewaretoken' },
    {
      method: 'GET',
      path: '/count/',
      status: 200,
      environ: { QUERY_STRING: 'pause=0' },
      has: '1\n2\n3\n4\n5\n',
    },
    { method: 'GET', path: '/source/', status: 200, has: 'a page that fails' },
  ],
};

describe('worker.py inside a lint', () => {
  let peer: PythonPeer;
  afterEach(() => peer?.stop());

  const ready = async (app: string, lint: string): Promise<void> => {
    peer = await PythonPeer.ready({ app: `lints:wrapped('${app}', '${lint}')` });
  };
  const ask = async (call: Omit<Call, 'status'>): Promise<LaneAnswer> => {
    const { method, path, environ = {}, body = '' } = call;
    const given = {
      REQUEST_METHOD: method,
      PATH_INFO: path,
      CONTENT_LENGTH: String(body.length),
      ...environ,
    };
    const { lane } = peer;
    // viaduct sends bodies of up to 64 KiB inside the request.
    if (body.length <= 65536) lane.begin(given, body);
    else {
      lane.begin(given, null);
      const pieces = body.match(/[^]{1,65536}/g) ?? [];
      for (const [at, piece] of pieces.entries())
        lane.send(Kind.BODY, at === pieces.length - 1 ? Flag.FIN : 0, '', piece);
    }
    return lane.answer();
  };
  /** ERR and LOG frames: what a lint has to say, be it about the request before. */
  const reports = ({ frames }: LaneAnswer): string[] =>
    frames.filter(({ kind }) => kind === Kind.ERR || kind === Kind.LOG).map(({ bytes }) => String(bytes));

  for (const lint of ['wsgiref', 'werkzeug', 'webtest']) {
    for (const [app, calls] of Object.entries(CALLS)) {
      it(`of ${lint}: ${app} is served without a word`, async () => {
        await ready(app, lint);
        for (const call of [...calls, ...calls.slice(0, 1)]) {
          // Its lint counts the bytes of an answer to HEAD, and werkzeug's own responses have none then.
          if (lint === 'werkzeug' && app === 'flask' && call.method === 'HEAD') continue;
          const answer = await ask(call);
          const what = `${call.method} ${call.path}`;
          expect(reports(answer), what).to.deep.equal([]);
          expect(answer.status.slice(0, 3), what).to.equal(String(call.status));
          expect(String(answer.body), what).to.include(call.has ?? '');
          if (call.method === 'HEAD') expect(answer.body.length, what).to.equal(0);
        }
        expect(peer.stderr).to.equal('');
      }).timeout(20_000);
    }

    it(`of ${lint}: faults are reported`, async () => {
      await ready('faulty', lint);
      expect(reports(await ask({ method: 'GET', path: '/' }))).to.have.lengthOf(1);
    });
  }

  it('lets one log in to the admin site of Django, and upload a file', async () => {
    await ready('django', 'wsgiref');
    const page = await ask({ method: 'GET', path: '/admin/login/' });
    const [, cookie = ''] = /csrftoken=(\w+)/.exec(String(page.headers)) ?? [];
    const fields = { username: 'admin', password: 'secret', csrfmiddlewaretoken: cookie, next: '/admin/' };
    const login = await ask({
      method: 'POST',
      path: '/admin/login/',
      environ: { CONTENT_TYPE: FORM, HTTP_COOKIE: `csrftoken=${cookie}` },
      body: String(new URLSearchParams(fields)),
    });
    expect([login.error, login.status]).to.deep.equal([null, '302 Found']);
    const cookies = login.headers
      .filter(([name]) => name === 'Set-Cookie')
      .map(([, value]) => value.split(';')[0]);
    const environ = { HTTP_COOKIE: cookies.join('; ') };
    expect(String((await ask({ method: 'GET', path: '/admin/', environ })).body)).to.include(
      'Site administration',
    );
    const [, token = ''] = /csrftoken=(\w+)/.exec(environ.HTTP_COOKIE) ?? [];
    const sent = await ask({
      method: 'POST',
      path: '/upload/',
      environ: { ...environ, ...upload, HTTP_X_CSRFTOKEN: token },
      body: UPLOAD,
    });
    expect(JSON.parse(String(sent.body))).to.deep.equal({ name: 'f.txt', size: FILE.length, sha256: DIGEST });
  }).timeout(20_000);
});
