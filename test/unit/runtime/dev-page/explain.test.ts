import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { GatewayError } from '../../../../src/gateway/errors.ts';
import type { RequestRecord } from '../../../../src/gateway/events.ts';
import { explainBoot, explainFailure } from '../../../../src/runtime/dev-page/explain.ts';
import { excerptsOf } from '../../../../src/runtime/dev-page/excerpts.ts';
import { makeEnviron } from '../../../helpers/mini-gateway.ts';
import { projectRoot } from '../../../helpers/project.ts';
import { makeTempDir, removeTempDir } from '../../../helpers/temp.ts';

const SECRETS = {
  HTTP_COOKIE: 'a=hush',
  HTTP_AUTHORIZATION: 'Basic hush',
  HTTP_PROXY_AUTHORIZATION: 'hush',
  HTTP_X_API_KEY: 'hush',
  HTTP_X_CSRFTOKEN: 'hush',
  DATABASE_URL: 'postgres://me:hush@db/x',
  SESSION_ID: 'hush',
};

function failed(error: unknown, changes: Record<string, unknown> = {}, status = 500): string | null {
  const environ = makeEnviron({ HTTP_ACCEPT: 'text/html,*/*;q=0.8', ...changes });
  const page = explainFailure({ environ } as RequestRecord, status, error);
  return page === null ? null : Buffer.from(page.body).toString('utf8');
}

describe('runtime/dev-page', () => {
  it('shows error, stack, request and environ, all of it escaped', () => {
    const evil = `<script>"&'</script>`;
    const page =
      failed(new TypeError(evil), { HTTP_X: evil, REQUEST_URI: `/${evil}`, 'viaduct.mount': evil }) ?? '';
    expect(page).not.to.contain('<script');
    expect(page.match(/&lt;script&gt;&quot;&amp;&#39;&lt;\/script&gt;/g)?.length).to.be.above(4);
    expect(page).to.contain('TypeError: ').and.to.contain('explain.test').and.to.contain('Request id');
  });

  it('masks secrets, and shows bytes of UTF-8 as what they say', () => {
    const page =
      failed(new Error('x'), { ...SECRETS, PATH_INFO: '/caf\u00c3\u00a9', HTTP_LONG: 'y'.repeat(600) }) ?? '';
    // Further up is the code of this test.
    const [, environ = ''] = page.split('<h2>Environ</h2>');
    expect(environ).not.to.contain('hush');
    for (const name of Object.keys(SECRETS)) expect(page).to.contain(`>${name}</th><td>***</td>`);
    expect(page)
      .to.contain('/café')
      .and.to.contain(`${'y'.repeat(500)}…`)
      .and.not.to.contain('y'.repeat(501));
  });

  it('is for browsers, and for faults that are not theirs', () => {
    for (const accept of ['*/*', 'application/json', 'text/html;q=0', undefined])
      expect(failed(new Error('x'), { HTTP_ACCEPT: accept })).to.equal(null);
    for (const accept of ['text/html', 'application/xml, text/html;q=0.5', 'text/html;q=0,text/html'])
      expect(failed(new Error('x'), { HTTP_ACCEPT: accept })).to.be.a('string');
    expect(failed(new GatewayError('ERR_BODY_TRUNCATED', 'x'), {}, 400)).to.equal(null);
    expect(failed(new GatewayError('ERR_GATEWAY_TIMEOUT', 'too long'), {}, 504)).to.contain(
      '504 Gateway Timeout',
    );
  });

  it('shows what is no error', () => {
    expect(failed('a string')).to.contain('string &#39;a string&#39;');
    expect(failed(undefined)).to.contain('>undefined<');
  });

  it('loads nothing from elsewhere, and lets nothing run', () => {
    const environ = makeEnviron({ HTTP_ACCEPT: 'text/html' });
    const page = explainBoot(environ, { mount: 'shop', message: 'Cannot load it\n    at x (/y.js:1:1)' });
    const headers = Object.fromEntries(page?.headers ?? []);
    expect(headers).to.include({
      'Cache-Control': 'no-store',
      'Retry-After': '1',
      'X-Content-Type-Options': 'nosniff',
    });
    expect(headers['Content-Security-Policy']).to.match(
      /^default-src 'none'; style-src 'sha256-[\w+/]+={0,2}'; /,
    );
    const text = Buffer.from(page?.body ?? []).toString('utf8');
    expect(text)
      .to.contain('The app at shop did not load')
      .and.not.to.match(/https?:|src=|href=|url\(|@import|\son\w+=/);
    expect(explainBoot(makeEnviron(), { mount: 'shop', message: 'x' })).to.equal(null);
  });

  describe('excerpts', () => {
    let folder: string;
    before(async () => {
      folder = await makeTempDir();
      const lines = Array.from({ length: 20 }, (_, at) => `line ${at + 1}`).join('\n');
      for (const name of ['a.js', 'b.py', 'c.ts']) writeFileSync(join(folder, name), lines);
    });
    after(() => removeTempDir(folder));

    it('are of the app itself, the nearest to the error first', () => {
      const stack = `Error: x
    at Array.map (<anonymous>)
    at f (/nowhere/node_modules/x/index.js:1:1)
    at g (file://${folder}/a.js:10:3)
    at h (${folder}/c.ts:1:7)
    at g (file://${folder}/a.js:10:9)
    at i (${projectRoot}/src/gateway/call.ts:1:1)
    at j (file://${projectRoot}/dist/src/gateway/call.js:1:1)
    at node:internal/x.js:1:1`;
      expect(
        excerptsOf(stack).map(({ file, line, first, code }) => [file, line, first, code.length]),
      ).to.deep.equal([
        [join(folder, 'a.js'), 10, 5, 11],
        [join(folder, 'c.ts'), 1, 1, 6],
      ]);
    });

    it('of Python are of the last frame first', () => {
      const traceback = `Traceback (most recent call last):
  File "${folder}/b.py", line 3, in a
    b()
  File "${folder}/b.py", line 20, in b
    raise KeyError
  File "/usr/lib/python3/dist-packages/x.py", line 1, in c`;
      expect(excerptsOf(traceback).map(({ line }) => line)).to.deep.equal([20, 3]);
    });

    it('need a place that is there', () => {
      expect(
        excerptsOf(`at f (${folder}/a.js:21:1)\nat g (${folder}/none.js:1:1)\nat h (${folder}/a.js:0:1)`),
      ).to.deep.equal([]);
    });
  });
});
