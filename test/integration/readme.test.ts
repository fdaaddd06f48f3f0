// The README by copy and paste: its apps, its viaduct.yaml and its nginx configurations become files, and are asked.
import { createHash } from 'node:crypto';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { type Daemon, startDaemon } from '../helpers/daemon.ts';
import { request, startCall } from '../helpers/http-client.ts';
import { fencesOf, filesOf, readPage } from '../helpers/markdown.ts';
import { type Nginx, startNginx } from '../helpers/nginx.ts';
import { projectRoot } from '../helpers/project.ts';

const readme = readPage('README.md');
const FOLDER = '/run/viaduct/';
const program = join(projectRoot, 'dist/src/cli/main.js');
const MODULE = '{ "type": "module" }\n';

/** What the machine of a test decides otherwise: where sockets lie, and which groups there are. */
function forThisMachine(yaml: string): string {
  return yaml.replaceAll(FOLDER, '{{dir}}/').replaceAll(/^ +group: www-data.*\n/gm, '');
}

function nginxBlock(directive: string, port: string, folder: string): string {
  const found = fencesOf(readme).filter(
    ({ language, text }) => language === 'nginx' && text.includes(directive),
  );
  expect(found.length, directive).to.equal(1);
  const text = found[0]?.text ?? '';
  for (const part of [FOLDER, 'listen 80;', 'include ']) expect(text).to.include(part);
  return text
    .replaceAll(FOLDER, `${folder}/`)
    .replace('listen 80;', `listen 127.0.0.1:{{port:${port}}};`)
    .replace('include ', 'include /etc/nginx/');
}

describe('the README', () => {
  let daemon: Daemon;
  let nginx: Nginx;

  before(async () => {
    const { 'viaduct.yaml': config = '', 'apps.yaml': _, ...files } = filesOf(readme);
    expect(Object.keys(files)).to.have.members([
      'app.js',
      'digest.js',
      'events.js',
      'middleware/request-id.js',
    ]);
    daemon = await startDaemon({
      config: forThisMachine(config),
      files: { ...files, 'package.json': MODULE },
    });
    nginx = await startNginx({
      servers:
        nginxBlock('fastcgi_pass', 'fastcgi', daemon.dir) + nginxBlock('uwsgi_pass', 'uwsgi', daemon.dir),
    });
  });
  after(async () => {
    await nginx?.stop();
    await daemon?.remove();
  });

  for (const protocol of ['fastcgi', 'uwsgi']) {
    describe(`over ${protocol}`, () => {
      it('serves the first app, through the middleware', async () => {
        const response = await request({
          port: nginx.portOf(protocol),
          path: '/some/where',
          headers: [['X-Request-ID', `mine-${protocol}`]],
        });
        expect(response).to.include({ status: 200, text: 'Hello from /some/where\n', complete: true });
        expect(response.header('x-request-id')).to.equal(`mine-${protocol}`);
        const line = await daemon.waitForAccess(
          ({ request_id: id }) => id === `mine-${protocol}`,
          'the request',
        );
        expect(line).to.include({ upstream: protocol, mount: '/' });
      });

      it('reads a body', async () => {
        const body = Buffer.alloc(300_000, 'viaduct');
        const { status, text } = await request({
          port: nginx.portOf(protocol),
          method: 'POST',
          path: '/digest',
          body,
        });
        expect(status).to.equal(200);
        expect(text).to.equal(`${createHash('sha256').update(body).digest('hex')}\n`);
      });

      it('streams events one by one', async () => {
        const call = startCall({ port: nginx.portOf(protocol), path: '/events' });
        const first = (await call.waitForBytes(10)).toString();
        // A second later there would be two, had nginx held the first one back.
        expect(first).to.match(/^id: 1\ndata: [^\n]+\n\n$/);
        const whole = await call.waitForBytes(first.length + 10);
        expect(whole.toString()).to.match(/\nid: 2\ndata: /);
        call.abort();
        await daemon.waitForAccess(
          ({ uri, upstream, aborted }) => uri === '/events' && upstream === protocol && aborted === 'sending',
          'the stream whose client left',
        );
      });
    });
  }

  it('mounts one app of each interface', () => {
    const dir = mkdtempSync(join(daemon.dir, 'apps-'));
    const config = filesOf(readme)['apps.yaml'] ?? '';
    const files: Record<string, string> = {
      'apps.yaml': forThisMachine(config).replaceAll('{{dir}}', dir),
      'package.json': MODULE,
      'server.js': 'export default (req, res) => res.end();',
      'api.js': "export default { fetch: () => new Response('') };",
      'hooks.js':
        "export const application = (environ, start) => { start('204 No Content', []); return []; };",
      'blog/mysite/wsgi.py': "def application(environ, start): start('200 OK', []); return [b'']",
    };
    mkdirSync(join(dir, 'blog/mysite'), { recursive: true });
    for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text);
    const command = [program, 'check', '-c', 'apps.yaml', '--load-apps'];
    const { status, stdout, stderr } = spawnSync(process.execPath, command, { cwd: dir, encoding: 'utf8' });
    expect(stderr).to.equal('');
    expect(status).to.equal(0);
    expect(stdout).to.include(': ok');
  });

  it('shows what npm start prints', () => {
    const [printed] = fencesOf(readme).filter(({ language }) => language === 'text');
    const script = readFileSync(join(projectRoot, 'deploy/start.mjs'), 'utf8');
    const ports: Record<string, number> = {
      'DAEMON_PORTS.http': 8080,
      'DAEMON_PORTS.admin': 9180,
      'NGINX_PORTS.fastcgi': 8081,
      'NGINX_PORTS.uwsgi': 8082,
    };
    const lines = printed?.text.trim().split('\n') ?? [];
    const source = Object.entries(ports).reduce(
      (text, [name, port]) => text.replaceAll(`\${${name}}`, String(port)),
      script,
    );
    expect(lines.length).to.equal(6);
    for (const line of lines) expect(source).to.include(line);
  });

  // Suites run in their order, after the tests beside them.
  describe('after all of it', () => {
    it('leaves nothing to complain about', async () => {
      const complaints = (await nginx.errorLog())
        .split('\n')
        .filter((line) => /\[(warn|error|crit|alert)\]/.test(line))
        // What the upload of this test is, and the README's table explains.
        .filter((line) => !line.includes('a client request body is buffered to a temporary file'));
      expect(complaints).to.deep.equal([]);
      expect(daemon.log().filter(({ level }) => level === 'error')).to.deep.equal([]);
    });
  });
});

describe('viaduct init', () => {
  let daemon: Daemon | undefined;
  after(() => daemon?.remove());

  it('writes what checks and serves, by the steps it prints', async () => {
    // Inside the folder of a daemon, which is removed with it.
    daemon = await startDaemon({
      config: {
        listeners: [{ address: 'unix:{{dir}}/unused.sock', protocol: 'http' }],
        mounts: [{ path: '/', app: 'viaduct:hello' }],
      },
    });
    const cwd = mkdtempSync(join(daemon.dir, 'init-'));
    const run = (...args: string[]): string => {
      const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], {
        cwd,
        encoding: 'utf8',
      });
      expect(status, stderr).to.equal(0);
      return stdout;
    };
    const steps = run('init');
    for (const step of ['viaduct check', 'viaduct serve', 'viaduct nginx', 'curl http://127.0.0.1:8080/']) {
      expect(steps).to.include(`\n  ${step} `);
    }
    expect(run('check', '--load-apps')).to.include(': ok');
    expect(run('nginx')).to.include(`server unix:${cwd}/run/viaduct.sock;`);
    const files = Object.fromEntries(
      readdirSync(cwd).map((name) => [name, readFileSync(join(cwd, name), 'utf8')]),
    );
    const { 'viaduct.yaml': config = '', ...rest } = files;
    await daemon.remove();
    daemon = await startDaemon({
      config: config
        .replace('address: 127.0.0.1:8080', 'address: 127.0.0.1:{{port}}')
        .replace('address: 127.0.0.1:9180', 'address: unix:{{dir}}/admin.sock'),
      files: rest,
    });
    const { text } = await request({ port: daemon.port(), path: '/there' });
    expect(text).to.equal('Hello from viaduct, you asked for /there\n');
  });
});
