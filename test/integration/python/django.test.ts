// Unmodified Django behind a real nginx: the admin site with cookies and CSRF, uploads, streams, files, and its error pages.
import { expect } from 'chai';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Bridge,
  type Expected,
  FASTCGI_KEEP,
  FASTCGI_ONCE,
  startBridge,
  UWSGI,
} from '../../helpers/bridge.ts';
import type { Headers, HttpResponse } from '../../helpers/http-client.ts';
import { hashOf, patternBytes } from '../../helpers/pattern.ts';
import { makeDjangoDatabase, pythonMount } from '../../helpers/python.ts';
import { makeTempDir, removeTempDir } from '../../helpers/temp.ts';

const WAYS = [FASTCGI_KEEP, FASTCGI_ONCE, UWSGI];
const BIG = 100 * 1024 * 1024;

/** Cookies and the answers that set them, as a browser keeps them. */
class Jar {
  readonly #cookies = new Map<string, string>();

  take(response: HttpResponse): HttpResponse {
    for (const line of response.headerAll('set-cookie')) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      this.#cookies.set(name, value);
    }
    return response;
  }

  get headers(): Headers {
    return [['Cookie', [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ')]];
  }
}

describe('Django behind nginx', function () {
  this.timeout(60_000);
  let folder = '';
  let bridge: Bridge;
  let expected: Expected;

  before(async () => {
    folder = await makeTempDir();
    const database = join(folder, 'db.sqlite3');
    makeDjangoDatabase(database);
    const site = (env: object): object =>
      pythonMount(
        'django_site.wsgi:application',
        { env: { SITE_DATABASE: database, ...env } },
        { processes: 2 },
      );
    bridge = await startBridge({
      ways: WAYS,
      mounts: { '/site': site({}), '/debug': site({ SITE_DEBUG: '1' }) },
      // Uploads of 100 MB may be slow, and their log lines are no surprise.
      config: { workers: 2, log: { slow: 0 } },
      // Django's FileResponse knows no ranges; nginx cuts them out of what comes.
      location: '{{module}}_param HTTP_HOST $http_host; {{module}}_force_ranges on;',
    });
  });
  after(async () => {
    await bridge.stop();
    await removeTempDir(folder);
  });
  beforeEach(() => (expected = {}));
  afterEach(() => bridge.expectQuietLogs(expected));

  for (const way of WAYS) {
    describe(`over ${way.name}`, () => {
      const get = (path: string, headers: Headers = []): Promise<HttpResponse> =>
        bridge.request(way, { path, headers });

      it('logs into the admin site with cookies and CSRF, and refuses a form without its token', async () => {
        const jar = new Jar();
        const asked = jar.take(await get('/site/admin/'));
        expect(asked.status).to.equal(302);
        expect(asked.header('location')).to.equal('/site/admin/login/?next=/site/admin/');
        const form = jar.take(await get('/site/admin/login/', jar.headers));
        const token = /name="csrfmiddlewaretoken" value="([^"]+)"/.exec(form.text)?.[1] ?? '';
        const post = async (fields: Record<string, string>): Promise<HttpResponse> =>
          bridge.request(way, {
            method: 'POST',
            path: '/site/admin/login/?next=/site/admin/',
            headers: [...jar.headers, ['Content-Type', 'application/x-www-form-urlencoded']],
            body: new URLSearchParams(fields).toString(),
          });
        expect((await post({ username: 'admin', password: 'secret' })).status).to.equal(403);
        const wrong = await post({ csrfmiddlewaretoken: token, username: 'admin', password: 'no' });
        expect(wrong.status).to.equal(200);
        expect(wrong.text).to.include('Please enter the correct username');
        const right = await post({ csrfmiddlewaretoken: token, username: 'admin', password: 'secret' });
        expect(right.status, right.text).to.equal(302);
        jar.take(right);
        const page = await get('/site/admin/', jar.headers);
        expect(page.status).to.equal(200);
        expect(page.text).to.include('Site administration').and.include('/site/admin/auth/user/');
        // Django's own words on CSRF and on the 403 go to its log, which is stderr.
        expected = { viaduct: [] };
      });

      it('streams chunk by chunk', async () => {
        const { chunks, text, complete } = await get('/site/stream');
        expect(text).to.equal('chunk 0\nchunk 1\nchunk 2\nchunk 3\nchunk 4\n');
        expect(complete).to.equal(true);
        expect(chunks).to.have.lengthOf(5);
        const [first, , , , last] = chunks;
        expect((last?.at ?? 0) - (first?.at ?? 0)).to.be.within(600, 3000);
      });

      it('sends a file, and a redirect below its mount', async () => {
        const content = patternBytes(3_000_001);
        const file = join(folder, 'päge.bin');
        writeFileSync(file, content);
        const sent = await get(`/site/file?path=${encodeURIComponent(file)}`);
        const range: Headers = [['Range', 'bytes=1000-1999']];
        const part = await get(`/site/file?path=${encodeURIComponent(file)}`, range);
        expect([part.status, part.header('content-range')]).to.deep.equal([
          206,
          `bytes 1000-1999/${content.length}`,
        ]);
        expect(part.body.equals(content.subarray(1000, 2000))).to.equal(true);
        expect(sent.status).to.equal(200);
        expect(sent.header('content-length')).to.equal('3000001');
        expect(hashOf(sent.body)).to.equal(hashOf(content));
        const redirect = await get('/site/old');
        expect(redirect.status).to.equal(302);
        expect(redirect.header('location')).to.equal('/site/name/new');
      });

      it('has paths in Unicode, and its own address as the client wrote it', async () => {
        const port = bridge.nginx.portOf(way.name);
        const host: Headers = [['Host', `example.com:${port}`]];
        const { text, status } = await get('/site/name/%C3%BCml%C3%A4ut%20%E2%82%AC?q=%C3%A4', host);
        expect(status).to.equal(200);
        expect(text).to.equal(
          `ümläut €|/site/name/ümläut €|http://example.com:${port}/site/name/%C3%BCml%C3%A4ut%20%E2%82%AC?q=%C3%A4`,
        );
      });

      it('shows the page of DEBUG where that is on, and nothing of the kind where it is off', async () => {
        const shown = await get('/debug/fail');
        expect(shown.status).to.equal(500);
        expect(shown.text).to.include('ZeroDivisionError').and.include('Traceback');
        const hidden = await get('/site/fail');
        expect(hidden.status).to.equal(500);
        expect(hidden.text).to.include('Server Error (500)').and.not.include('ZeroDivisionError');
        expect((await get('/site/nowhere')).status).to.equal(404);
      });
    });
  }

  for (const way of [FASTCGI_KEEP, UWSGI]) {
    it(`takes an upload of 100 MB over ${way.name}, as a form and raw`, async () => {
      const content = patternBytes(BIG);
      const raw = await bridge.request(way, { method: 'POST', path: '/site/upload', body: content });
      expect(JSON.parse(raw.text)).to.deep.equal({ size: BIG, sha256: hashOf(content), name: null });
      const head = `--b\r\nContent-Disposition: form-data; name="file"; filename="ü.bin"\r\n\r\n`;
      const body = Buffer.concat([Buffer.from(head), content, Buffer.from('\r\n--b--\r\n')]);
      const form = await bridge.request(way, {
        method: 'POST',
        path: '/site/upload',
        headers: [['Content-Type', 'multipart/form-data; boundary=b']],
        body,
      });
      expect(JSON.parse(form.text)).to.deep.equal({ size: BIG, sha256: hashOf(content), name: 'ü.bin' });
    });
  }
});
