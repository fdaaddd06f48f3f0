// Unmodified Flask behind a real nginx: sessions, forms with files, streams, ranges, redirects, and what fails.
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
} from '../../helpers/bridge.ts';
import type { Headers, HttpResponse } from '../../helpers/http-client.ts';
import { hashOf, patternBytes } from '../../helpers/pattern.ts';
import { pythonMount } from '../../helpers/python.ts';
import { makeTempDir, removeTempDir } from '../../helpers/temp.ts';

const WAYS = [FASTCGI_KEEP, UWSGI, HTTP_KEEP];

describe('Flask behind nginx', function () {
  this.timeout(30_000);
  let folder = '';
  let bridge: Bridge;
  let expected: Expected;

  before(async () => {
    folder = await makeTempDir();
    const app = pythonMount('flask_site:create_app()', { env: { WORD: 'a mount of its own' } });
    const linted = pythonMount('flask_site:create_app()', { middleware: ['viaduct:lint'] });
    bridge = await startBridge({
      ways: WAYS,
      mounts: { '/': app, '/lint': linted },
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

      it('answers, and has the env of its mount in the environment of its process', async () => {
        const answer = await get('/');
        expect([answer.status, answer.text]).to.deep.equal([200, 'Hello from Flask']);
        expect(answer.header('content-length')).to.equal('16');
        expect(JSON.parse((await get('/who')).text)).to.include({ word: 'a mount of its own' });
        expect(JSON.parse((await get('/lint/who')).text)).to.include({ word: null });
      });

      it('answers HEAD without a body, and a method that is not there with 405', async () => {
        const head = await bridge.request(way, { method: 'HEAD', path: '/' });
        expect([head.status, head.header('content-length'), head.body.length]).to.deep.equal([200, '16', 0]);
        expect((await bridge.request(way, { method: 'DELETE', path: '/' })).status).to.equal(405);
      });

      it('keeps a session in a cookie', async () => {
        let cookie = '';
        for (const count of ['1', '2', '3']) {
          const answer = await get('/count', cookie === '' ? [] : [['Cookie', cookie]]);
          expect(answer.text).to.equal(count);
          cookie = answer.header('set-cookie')?.split(';', 1)[0] ?? '';
        }
      });

      it('takes a form with a file', async () => {
        const file = patternBytes(2_000_003);
        const part = (name: string, more = ''): string =>
          `--b\r\nContent-Disposition: form-data; name="${name}"${more}\r\n\r\n`;
        const body = Buffer.concat([
          Buffer.from(`${part('field')}wört\r\n${part('file', '; filename="a.bin"')}`),
          file,
          Buffer.from('\r\n--b--\r\n'),
        ]);
        const headers: Headers = [['Content-Type', 'multipart/form-data; boundary=b']];
        const answer = await bridge.request(way, { method: 'POST', path: '/upload', headers, body });
        expect(JSON.parse(answer.text)).to.deep.equal({ name: 'a.bin', sha256: hashOf(file), field: 'wört' });
      });

      it('takes a chunked body, and one that nobody reads', async () => {
        async function* pieces(): AsyncGenerator<Uint8Array> {
          for (let count = 0; count < 30; count += 1) yield await Promise.resolve(Buffer.alloc(10_000, 97));
        }
        const raw = await bridge.request(way, { method: 'POST', path: '/raw', body: pieces() });
        expect(JSON.parse(raw.text)).to.include({ size: 300_000 });
        const unread = { method: 'POST', path: '/', body: Buffer.alloc(1_000_000) };
        expect((await bridge.request(way, unread)).status).to.equal(405);
        expect((await get('/')).status).to.equal(200);
      });

      it('streams chunk by chunk, with the lint middleware around it as well', async () => {
        for (const path of ['/stream', '/lint/stream']) {
          const { chunks, complete } = await get(path);
          expect(complete).to.equal(true);
          expect(chunks, path).to.have.lengthOf(5);
          expect((chunks.at(-1)?.at ?? 0) - (chunks[0]?.at ?? 0)).to.be.within(600, 3000);
        }
      });

      it('sends a file, and a range of it', async () => {
        const content = patternBytes(700_001);
        const file = join(folder, 'range.bin');
        writeFileSync(file, content);
        const path = `/file?path=${encodeURIComponent(file)}`;
        expect(hashOf((await get(path)).body)).to.equal(hashOf(content));
        const part = await get(path, [['Range', 'bytes=1000-500999']]);
        expect([part.status, part.header('content-range')]).to.deep.equal([206, 'bytes 1000-500999/700001']);
        expect(hashOf(part.body)).to.equal(hashOf(content.subarray(1000, 501_000)));
      });

      it('redirects, and has paths in Unicode', async () => {
        const location = (await get('/old')).header('location') ?? '';
        expect(location).to.match(/\/name\/neu\/%C3%B6$/);
        const { text } = await get('/name/neu/%C3%B6');
        expect(text).to.match(/^neu\/ö\|\/name\/neu\/ö\|http:\/\/.*\/name\/neu\/ö$/);
      });

      it("answers 500 where a view fails, and has Flask's words on it in the log", async () => {
        const { status, text } = await get('/fail');
        expect(status).to.equal(500);
        expect(text).to.include('Internal Server Error').and.not.include('ValueError');
        await bridge.daemon.waitForLog(
          ({ msg, mount }) => mount === '/' && msg === 'ValueError: a Flask view failed: ü',
          "the last line of Flask's traceback",
        );
      });
    });
  }
});
