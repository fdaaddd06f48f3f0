// `viaduct serve --watch` as a developer has it: files change, and the next answer is the new one.
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { type Daemon, startDaemon } from '../helpers/daemon.ts';
import { type Headers, type HttpResponse, request } from '../helpers/http-client.ts';
import { waitFor } from '../helpers/wait.ts';

const HTML: Headers = [['Accept', 'text/html,application/xhtml+xml,*/*;q=0.8']];

const config = (more = ''): string => `
listeners: [{address: "unix:{{dir}}/http.sock", protocol: http}]
admin: {address: "unix:{{dir}}/admin.sock"}
run_dir: run
log: {access: {file: access.log}}
mounts:
  - {path: /js, app: ./js/app.js}
  - {path: /py, app: ./py/app.py, interface: python, python: {chdir: py, processes: 1, threads: 1}}
${more}`;

const js = (text: string): string => `import { text } from './lib/text.js';
export function application(environ, startResponse) {
  startResponse('200 OK', [['Content-Type', 'text/plain']]);
  return [Buffer.from(${text})];
}
`;
const lib = (text: string): string => `export const text = ${JSON.stringify(text)};\n`;
const python = (text: string): string => `def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"${text}"]
`;

describe('viaduct serve --watch', () => {
  let daemon: Daemon;

  before(async () => {
    daemon = await startDaemon({
      config: config(),
      files: { 'js/app.js': js('text'), 'js/lib/text.js': lib('one'), 'py/app.py': python('eins') },
      args: ['--watch'],
    });
    await daemon.waitForLog(({ msg }) => msg === 'Watching for changes', 'it watches');
  });
  after(() => daemon.remove());

  const get = (path: string, headers: Headers = []): Promise<HttpResponse> =>
    request({ socketPath: daemon.socket('http'), path, headers });
  const answers = (
    path: string,
    fits: (response: HttpResponse) => boolean,
    headers?: Headers,
  ): Promise<HttpResponse> =>
    waitFor(
      async () => {
        const response = await get(path, headers);
        return fits(response) && response;
      },
      { what: `another answer of ${path}` },
    );
  const reloads = (): number => daemon.log().filter(({ msg }) => String(msg).startsWith('Changed: ')).length;

  it('serves what a saved file says', async () => {
    expect((await get('/js')).text).to.equal('one');
    await daemon.write('js/lib/text.js', lib('two'));
    await answers('/js', ({ text }) => text === 'two');
    const line = daemon.log().findLast(({ msg }) => String(msg).startsWith('Changed: '));
    expect(line?.['msg']).to.equal('Changed: js/lib/text.js; reloading');
  });

  it('sees a file that an editor writes beside, and renames', async () => {
    await daemon.write('js/lib/.text.js.swp', lib('three'));
    await rename(join(daemon.dir, 'js/lib/.text.js.swp'), join(daemon.dir, 'js/lib/text.js'));
    await answers('/js', ({ text }) => text === 'three');
    await rename(join(daemon.dir, 'js/lib/text.js'), join(daemon.dir, 'js/lib/text.js~'));
    await daemon.write('js/lib/text.js', lib('four'));
    await answers('/js', ({ text }) => text === 'four');
  });

  it('serves a new Python app', async () => {
    expect((await get('/py')).text).to.equal('eins');
    await daemon.write('py/app.py', python('zwei'));
    await answers('/py', ({ text }) => text === 'zwei');
  });

  it('sees a folder that is replaced, and one that is new', async () => {
    await rm(join(daemon.dir, 'js/lib'), { recursive: true });
    await mkdir(join(daemon.dir, 'js/lib'));
    await daemon.write('js/lib/text.js', lib('five'));
    await answers('/js', ({ text }) => text === 'five');
    await mkdir(join(daemon.dir, 'js/new/deep'), { recursive: true });
    await daemon.write('js/new/deep/text.js', lib('six'));
    await daemon.write('js/app.js', js('text').replace('./lib/', './new/deep/'));
    await answers('/js', ({ text }) => text === 'six');
    await daemon.write('js/new/deep/text.js', lib('seven'));
    await answers('/js', ({ text }) => text === 'seven');
  });

  it('shows browsers why an app does not load, and serves it again once it is mended', async () => {
    await daemon.write('js/app.js', 'export function application() {\n  return [;\n}\n');
    const page = await answers('/js', ({ status }) => status === 503, HTML);
    expect(page.header('content-type')).to.equal('text/html; charset=utf-8');
    expect(page.text).to.contain('js/app.js').and.to.contain('return [;').and.to.contain('Unexpected token');
    expect((await get('/py')).text).to.equal('zwei');
    await daemon.write('js/app.js', 'throw new Error("no <database>");\n');
    const next = await answers('/js', ({ text }) => text.includes('no &lt;database&gt;'), HTML);
    expect(next.text).not.to.contain('<database>');
    const plain = await get('/js');
    expect([plain.status, plain.header('content-type')]).to.deep.equal([503, 'text/plain; charset=utf-8']);
    await daemon.write('js/app.js', js('"well"'));
    await answers('/js', ({ text }) => text === 'well');
  });

  it('shows the traceback of a Python app that does not load', async () => {
    await daemon.write('py/app.py', 'import nowhere\n');
    const page = await answers('/py', ({ status }) => status === 503, HTML);
    expect(page.text).to.contain('ModuleNotFoundError').and.to.contain('import nowhere');
    await daemon.write('py/app.py', python('drei'));
    await answers('/py', ({ text }) => text === 'drei');
  });

  it('shows browsers what an app throws, with its code and without secrets', async () => {
    await daemon.write(
      'js/app.js',
      js('broken()') + 'function broken() {\n  throw new TypeError("<b>broken</b>");\n}\n',
    );
    const headers: Headers = [...HTML, ['Cookie', 'session=topsecret'], ['Authorization', 'Basic topsecret']];
    const page = await answers('/js?a=1', ({ status }) => status === 500, headers);
    expect(page.text).to.contain('&lt;b&gt;broken&lt;/b&gt;').and.not.to.contain('<b>broken');
    expect(page.text).to.contain('throw new TypeError').and.to.contain('GET /js?a=1');
    expect(page.text).to.contain('HTTP_COOKIE').and.not.to.contain('topsecret');
    expect(page.header('content-security-policy')).to.match(/^default-src 'none'; style-src 'sha256-/);
    const line = await daemon.waitForLog(({ err }) => err !== undefined, 'the error');
    expect(page.text).to.contain(String(line['request_id']));
  });

  it('shows browsers what a Python app raises', async () => {
    await daemon.write(
      'py/app.py',
      'def application(environ, start_response):\n    raise KeyError("cheese")\n',
    );
    const page = await answers('/py', ({ status }) => status === 500, HTML);
    expect(page.text).to.contain('KeyError').and.to.contain('raise KeyError(');
  });

  it('keeps what serves while the configuration has a mistake, and takes it on once it is mended', async () => {
    const rejected = (): number =>
      daemon.log().filter(({ msg }) => String(msg).startsWith('Reload rejected')).length;
    await daemon.write('js/app.js', js('"steady"'));
    await answers('/js', ({ text }) => text === 'steady');
    const before = rejected();
    await daemon.write('viaduct.yaml', config('mouunts: []'));
    await waitFor(() => rejected() === before + 1, { what: 'the reload to be rejected' });
    expect((await get('/js')).text).to.equal('steady');
    await daemon.write('other/app.js', js('"other"').split('\n').slice(1).join('\n')).catch(async () => {
      await mkdir(join(daemon.dir, 'other'));
      await daemon.write('other/app.js', js('"other"').split('\n').slice(1).join('\n'));
    });
    await daemon.write('viaduct.yaml', config('  - {path: /other, app: ./other/app.js}'));
    await answers('/other', ({ text }) => text === 'other');
    await daemon.write('other/app.js', js('"another"').split('\n').slice(1).join('\n'));
    await answers('/other', ({ text }) => text === 'another');
  });

  it('makes one reload of many changes, and none of what is no change or no source', async () => {
    await daemon.write('js/app.js', js('text').replace('./lib/', './lib/'));
    await answers('/js', ({ text }) => text === 'five');
    const before = reloads();
    for (const [name, text] of [
      ['js/data.sqlite3', 'x'],
      ['js/notes.txt', 'x'],
      ['js/app.js', js('text')],
      ['js/.#app.js', 'x'],
      ['py/app.pyc', 'x'],
    ] as const)
      await writeFile(join(daemon.dir, name), text);
    for (const folder of ['js/node_modules', 'js/.git', 'py/__pycache__', 'js/logs']) {
      await mkdir(join(daemon.dir, folder), { recursive: true });
      await writeFile(join(daemon.dir, folder, 'x.js'), 'x');
    }
    for (let at = 0; at < 50; at += 1) await daemon.write(`js/lib/extra${at}.js`, 'export {};\n');
    await daemon.write('js/lib/text.js', lib('burst'));
    await answers('/js', ({ text }) => text === 'burst');
    const lines = daemon.log().filter(({ msg }) => String(msg).startsWith('Changed: '));
    // A slow machine may take 50 writes for two bursts.
    expect(reloads() - before).to.be.within(1, 2);
    expect(
      lines
        .slice(before)
        .map(({ msg }) => msg)
        .join(),
    ).not.to.match(/sqlite|notes|#app|pyc|node_modules|git|logs/);
  });
});

describe('viaduct serve without --watch', () => {
  it('shows nobody what went wrong', async () => {
    const daemon = await startDaemon({
      config: config().replace(/^ {2}- \{path: \/py.*$/m, ''),
      files: { 'js/app.js': 'export const application = () => { throw new Error("secret"); };\n' },
    });
    try {
      const page = await request({ socketPath: daemon.socket('http'), path: '/js', headers: HTML });
      const [, id = ''] = /^500 Internal Server Error\n\nRequest id: (\S+)\n$/.exec(page.text) ?? [];
      expect(id).not.to.equal('');
      const line = await daemon.waitForLog(({ request_id: named }) => named === id, 'the error');
      expect(JSON.stringify(line)).to.contain('Error: secret');
    } finally {
      await daemon.remove();
    }
  });
});
