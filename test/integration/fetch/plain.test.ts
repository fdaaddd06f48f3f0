// A fetch app without a framework behind a real nginx: below a mount, with what goes wrong, and with work after the answer.
import { expect } from 'chai';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Bridge,
  type Expected,
  FASTCGI_KEEP,
  HTTP_KEEP,
  startBridge,
  UWSGI,
} from '../../helpers/bridge.ts';
import { startDaemon } from '../../helpers/daemon.ts';
import { request } from '../../helpers/http-client.ts';
import { projectRoot } from '../../helpers/project.ts';
import { waitFor } from '../../helpers/wait.ts';

const WAYS = [FASTCGI_KEEP, UWSGI, HTTP_KEEP];
const APP = join(projectRoot, 'test/fixtures/fetch/plain.js');
const mount = { app: APP, interface: 'fetch', env: { WORD: 'wörd', FILE: '{{dir}}/later.txt' } };

describe('a plain fetch app behind nginx', function () {
  this.timeout(20_000);
  let bridge: Bridge;
  let expected: Expected;

  before(async () => {
    bridge = await startBridge({
      ways: WAYS,
      mounts: { '/sub': mount, '/linted': { ...mount, middleware: ['viaduct:lint'] } },
      config: { workers: 1 },
    });
  });
  after(() => bridge?.stop());
  beforeEach(() => (expected = {}));
  afterEach(() => bridge.expectQuietLogs(expected));

  const failures = (text: string): number =>
    bridge.daemon.log().filter(({ msg }) => String(msg).includes(text)).length;

  for (const way of WAYS) {
    describe(`over ${way.name}`, () => {
      it('has the URL as the client wrote it, below its mount, and the values of the mount', async () => {
        const { text } = await bridge.request(way, {
          path: '/sub/a%20b//url?c=%C3%B6',
          headers: [['Host', 'Site.Example']],
        });
        expect(JSON.parse(text)).to.deep.equal({
          url: 'http://site.example/sub/a%20b//url?c=%C3%B6',
          word: 'wörd',
          script: '/sub',
          path: '/a b/url',
        });
      });

      it('keeps to the gateway contract', async () => {
        const answer = await bridge.request(way, { path: '/linted/url' });
        expect(answer.status).to.equal(200);
        const broken = bridge.daemon.log().filter(({ msg }) => String(msg).startsWith('viaduct:lint'));
        expect(broken).to.deep.equal([]);
      });

      const wrong: readonly (readonly [page: string, said: string])[] = [
        ['throw', 'thrown by a plain app'],
        ['reject', 'rejected by a plain app'],
        ['nothing', 'the app returned undefined, wanted a Response; does a handler forget to return it?'],
        ['error', 'it is an error (Response.error()), wanted a status of 200 to 599'],
      ];
      for (const [page, said] of wrong) {
        it(`answers 500 to what ends in "${page}", and logs it once`, async () => {
          expected = { viaduct: [/^Request failed: /] };
          const before = failures(said);
          const answer = await bridge.request(way, { path: `/sub/${page}` });
          expect([answer.status, answer.complete]).to.deep.equal([500, true]);
          expect(answer.text).to.not.include(said);
          await waitFor(() => failures(said) > before, { what: 'the line in the log' });
          expect(failures(said) - before).to.equal(1);
        });
      }

      it('answers 400 to a host that no URL can have', async () => {
        expected = { viaduct: [/^Refused request with 400: no URL can be made of Host "a%b"/] };
        const answer = await bridge.request(way, { path: '/sub/url', headers: [['Host', 'a%b']] });
        expect(answer.status).to.equal(400);
      });

      // Over uwsgi nothing can tell nginx, see docs/nginx.md.
      if (way !== UWSGI) {
        it('breaks a response off whose stream fails', async () => {
          expected = {
            viaduct: [/^Request failed: broken in the middle/],
            nginx: [/upstream sent|upstream prematurely closed/],
          };
          const answer = await bridge.request(way, { path: '/sub/broken' });
          expect([answer.status, answer.complete]).to.deep.equal([200, false]);
        });
      }
    });
  }
});

describe('waitUntil() of a fetch app', function () {
  this.timeout(20_000);

  it('goes on after the answer, is waited for at a stop, and its failure is logged', async () => {
    const daemon = await startDaemon({
      config: {
        listeners: [{ address: 'unix:{{dir}}/http.sock', protocol: 'http' }],
        mounts: [{ path: '/', ...mount }],
      },
    });
    try {
      const file = join(daemon.dir, 'later.txt');
      const answer = await request({ socketPath: daemon.socket('http'), path: '/later' });
      expect([answer.text, existsSync(file)]).to.deep.equal(['soon', false]);
      expect(await daemon.stop()).to.equal(0);
      expect(readFileSync(file, 'utf8')).to.equal('done\n');
      const line = await daemon.waitForLog(({ msg }) => String(msg).includes('failed later'), 'the failure');
      expect(line['msg']).to.equal('A promise given to waitUntil() failed: Error: failed later');
    } finally {
      await daemon.remove();
    }
  });
});
