// Each example behind a daemon, mounted as config/viaduct.yaml mounts it, and viaduct:lint around it: it does what it says.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { type Daemon, startDaemon } from '../helpers/daemon.ts';
import { type CallOptions, type HttpResponse, request, startCall } from '../helpers/http-client.ts';
import { readPage, tableRowsOf } from '../helpers/markdown.ts';
import { projectRoot } from '../helpers/project.ts';
import { waitFor } from '../helpers/wait.ts';

const folder = join(projectRoot, 'examples/gateway');
const rows = tableRowsOf(readPage('examples/README.md')).map(([file = '', path = '']) => ({
  file: /\[gateway\/(.+?)\]/.exec(file)?.[1] ?? '',
  path: path.replaceAll('`', ''),
}));

describe('the examples', () => {
  let daemon: Daemon;
  const ask = (path: string, options: CallOptions = {}): Promise<HttpResponse> =>
    request({ socketPath: daemon.socket('http'), path, ...options });

  /** How many of the daemon's descriptors are open on that file. */
  const openOn = (file: string): number => {
    const fds = `/proc/${daemon.pid}/fd`;
    return readdirSync(fds).filter((fd) => {
      try {
        return readlinkSync(join(fds, fd)) === file;
      } catch {
        // Closed since the folder was read.
        return false;
      }
    }).length;
  };

  before(async () => {
    daemon = await startDaemon({
      config: {
        listeners: [{ address: 'unix:{{dir}}/http.sock', protocol: 'http' }],
        mounts: rows.map(({ file, path }) => ({
          path,
          app: join(folder, file),
          middleware: ['viaduct:lint'],
        })),
      },
    });
  });
  after(() => daemon?.remove());
  afterEach(() => {
    expect(daemon.log().filter(({ level }) => level === 'error')).to.deep.equal([]);
    const lint = daemon.log().filter(({ msg }) => String(msg).startsWith('viaduct:lint: '));
    // Rule 47 warns of a body for HEAD, which PEP 3333 lets an app have: the server drops it.
    expect(lint.filter(({ msg }) => !String(msg).includes('rule 47:'))).to.deep.equal([]);
  });

  it('are all listed in their README, with the path they have in config/viaduct.yaml', () => {
    expect(rows.map(({ file }) => file)).to.have.members(readdirSync(folder));
    const config = readFileSync(join(projectRoot, 'config/viaduct.yaml'), 'utf8');
    for (const { file, path } of rows) {
      expect(config).to.include(`  - path: ${path}\n    app: ../examples/gateway/${file}\n`);
    }
  });

  it('hello greets, with the path split at its mount', async () => {
    expect((await ask('/hello')).text).to.equal('Hello, world! You asked for "" below "/hello".\n');
    const { text, framing } = await ask('/hello/there?name=you');
    expect(text).to.equal('Hello, you! You asked for "/there" below "/hello".\n');
    expect(framing).to.equal('length');
  });

  it('echo shows a form, and what was sent with it, escaped', async () => {
    const form = await ask('/echo');
    expect(form.header('content-type')).to.equal('text/html; charset=utf-8');
    expect(form.text).to.include('<form method="post">').and.include('<table></table>');
    const { text } = await ask('/echo', {
      method: 'POST',
      headers: [['Content-Type', 'application/x-www-form-urlencoded']],
      body: 'name=Zo%C3%AB&dish=%3Cb%3E%22',
    });
    expect(text).to.include(
      '<tr><th>name</th><td>Zoë</td></tr><tr><th>dish</th><td>&lt;b&gt;&quot;</td></tr>',
    );
  });

  it('echo gives any other body back, byte for byte', async () => {
    const body = Buffer.from(Array.from({ length: 70_000 }, (_, at) => at % 251));
    const response = await ask('/echo', { method: 'PUT', headers: [['Content-Type', 'image/x-none']], body });
    expect(response.status).to.equal(200);
    expect(response.header('content-type')).to.equal('image/x-none');
    expect(response.body.equals(body)).to.equal(true);
  });

  it('echo refuses a body that is too much for it', async () => {
    const response = await ask('/echo', { method: 'POST', body: Buffer.alloc(1024 * 1024 + 1) });
    expect(response.status).to.equal(413);
    expect(response.text).to.include('1048576');
  });

  it('clock ticks one event at a time, until the client leaves', async () => {
    const call = startCall({ socketPath: daemon.socket('http'), path: '/clock' });
    const first = (await call.waitForBytes(10)).toString();
    expect(first).to.match(/^id: 1\nevent: tick\ndata: \S+\n\n$/);
    expect((await call.waitForBytes(first.length + 1)).toString()).to.include('\nid: 2\n');
    call.abort();
    const line = await daemon.waitForAccess(({ uri }) => uri === '/clock', 'the clock that stopped');
    expect(line).to.include({ status: 200, aborted: 'sending' });
    expect(await daemon.metric('http_server_active_requests', { mount: '/clock' })).to.equal(0);
  });

  it('download sends itself, with its length and a name', async () => {
    const file = readFileSync(join(folder, 'download.js'));
    const response = await ask('/download');
    expect(response.body.equals(file)).to.equal(true);
    expect(response.header('content-length')).to.equal(String(file.length));
    expect(response.header('content-disposition')).to.equal('attachment; filename="download.js"');
    const head = await ask('/download', { method: 'HEAD' });
    expect(head).to.include({ status: 200, text: '' });
    expect(head.header('content-length')).to.equal(String(file.length));
  });

  it('download closes its file, however often it is asked', async () => {
    const file = join(folder, 'download.js');
    for (const method of ['GET', 'HEAD', 'GET', 'HEAD']) await ask('/download', { method });
    await waitFor(() => openOn(file) === 0, { what: 'the file to be closed' });
  });
});
