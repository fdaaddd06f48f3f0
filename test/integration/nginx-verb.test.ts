// What `viaduct nginx` prints goes through a real nginx: it takes it (`nginx -t`), and requests arrive as meant.
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { type NginxInput, type NginxListener, renderNginx } from '../../src/cli/nginx/render.ts';
import { PARAMS_PROTOCOLS, renderParamsFile } from '../../src/cli/nginx/params.ts';

const run = promisify(execFile);
const MOUNT = { path: '/', timeouts: { request: 60_000 }, limits: { bodySize: 0 } } as const;

function input(listeners: readonly NginxListener[], hosts: readonly (string | null)[] = [null]): NginxInput {
  return {
    listeners,
    timeouts: { request: 60_000, idle: 75_000 },
    limits: { bodySize: 0 },
    mounts: hosts.map((host) => ({ ...MOUNT, host })),
  };
}

describe('viaduct nginx in a real nginx', () => {
  let folder = '';

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'viaduct-nginx-'));
    // Workers of an nginx started as root run as another user, and have to reach the sockets.
    mkdirSync(join(folder, 'sockets'), { mode: 0o755 });
  });

  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  /** Writes a main configuration with everything below the test's folder, and returns its path. */
  function writeMain(http: string): string {
    const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
      (name) => `${name}_temp_path ${folder}/temp-${name};`,
    );
    const main = `
      user ${process.getuid?.() === 0 ? 'root' : 'nobody'};
      daemon off; pid ${folder}/pid; error_log stderr; worker_processes 1;
      events { worker_connections 64; }
      http { access_log off; ${temp.join(' ')}
      ${http} }`;
    const path = join(folder, 'nginx.conf');
    writeFileSync(path, main);
    return path;
  }

  /** What `nginx -t` says; rejects where it does not take the file. */
  async function check(http: string): Promise<string> {
    const { stderr } = await run('nginx', ['-t', '-q', '-p', folder, '-c', writeMain(http)]);
    return stderr.replace(/^nginx: \[warn\] the "user" directive.*\n/gm, '');
  }

  it('is taken without a warning, for every protocol and address at once', async () => {
    const listeners: NginxListener[] = [
      { address: { kind: 'unix', path: `${folder}/f.sock` }, protocol: 'fastcgi' },
      { address: { kind: 'unix', path: `${folder}/a "b" $c;{}.sock` }, protocol: 'fastcgi' },
      { address: { kind: 'tcp', host: '127.0.0.1', port: 9001 }, protocol: 'uwsgi' },
      { address: { kind: 'tcp', host: '::', port: 9002 }, protocol: 'scgi' },
      { address: { kind: 'tcp', host: '0.0.0.0', port: 9003 }, protocol: 'http' },
      { address: { kind: 'tcp', host: '127.0.0.1', port: 0 }, protocol: 'auto' },
    ];
    const listen = listeners.map((_listener, index) => `unix:${folder}/sockets/${index}`);
    const hosts = ['example.com', '*.example.com', '[::1]', null];
    expect(await check(renderNginx(input(listeners, hosts), { listen }))).to.equal('');
  });

  for (const protocol of PARAMS_PROTOCOLS) {
    it(`takes the params file of ${protocol}`, async () => {
      const file = join(folder, 'params.conf');
      writeFileSync(file, renderParamsFile(protocol));
      const location = `${protocol}_pass unix:${folder}/s; include ${file};`;
      const http = `server { listen unix:${folder}/sockets/l; location / { ${location} } }`;
      expect(await check(http)).to.equal('');
      // Would the check see a mistake? A directive that does not exist must fail.
      const failure = await check(http.replace('include', 'includes')).catch((error: unknown) =>
        String(error),
      );
      expect(failure).to.match(/unknown directive "includes"/);
    });
  }

  describe('running', () => {
    let nginx: ChildProcess | null = null;
    let backend: Server | null = null;
    const seen: string[] = [];

    afterEach(async () => {
      if (nginx !== null) {
        nginx.kill('SIGTERM');
        if (nginx.exitCode === null) await once(nginx, 'exit');
      }
      backend?.close();
      nginx = null;
      seen.length = 0;
    });

    /** Starts nginx before an SCGI daemon that records each request and answers 204. */
    async function start(hosts: readonly (string | null)[]): Promise<string> {
      const path = join(folder, 'sockets/scgi');
      backend = createServer((socket) => {
        socket.once('data', (chunk) => {
          seen.push(chunk.toString('latin1'));
          socket.end('Status: 204 No Content\r\n\r\n');
        });
      });
      backend.listen(path);
      await once(backend, 'listening');
      const front = join(folder, 'sockets/front');
      const config = renderNginx(input([{ address: { kind: 'unix', path }, protocol: 'scgi' }], hosts), {
        listen: [`unix:${front}`],
      });
      const child = spawn('nginx', ['-p', folder, '-c', writeMain(config)], {
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      nginx = child;
      let said = '';
      child.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString()));
      for (;;) {
        if (child.exitCode !== null) throw new Error(`nginx ended: ${said}`);
        // oxlint-disable-next-line no-await-in-loop -- each turn is one attempt
        if (await connects(front)) return front;
      }
    }

    it('sends the host with its port, the path as PATH_INFO, and withholds what it should', async () => {
      const front = await start(['example.com', null]);
      const request =
        'POST /a%20b//c?q HTTP/1.1\r\nHost: Example.com:8080\r\nProxy: evil\r\nContent-Type: text/plain\r\n' +
        'Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n1\r\nx\r\n0\r\n\r\n';
      expect(await statusOf(front, request)).to.equal('204');
      const headers = seen[0]?.replace(/^\d+:/, '') ?? '';
      const params = new Map(Array.from(headers.matchAll(/([A-Z_]+)\0([^\0]*)\0/g), (m) => [m[1], m[2]]));
      expect(params.get('HTTP_HOST')).to.equal('Example.com:8080');
      expect(params.get('PATH_INFO')).to.equal('/a b/c');
      expect(params.get('SCRIPT_NAME')).to.equal('');
      expect(params.get('CONTENT_LENGTH')).to.equal('1');
      expect(params.get('CONTENT_TYPE')).to.equal('text/plain');
      for (const name of [
        'HTTP_PROXY',
        'HTTP_CONTENT_TYPE',
        'HTTP_TRANSFER_ENCODING',
        'HTTPS',
        'REMOTE_USER',
      ]) {
        expect(params.has(name), name).to.equal(false);
      }
      expect(headers.split('\0').filter((name) => name === 'CONTENT_LENGTH')).to.have.length(1);
    });

    it('refuses a Host that is not the host of the request line, and nothing else', async () => {
      const front = await start(['example.com', null]);
      const answers = {
        [get('http://example.com/', 'evil.com')]: '400',
        [get('http://example.com/', 'example.com.evil.com')]: '400',
        [get('http://example.com/', 'xexample.com:1')]: '400',
        [get('http://example.com:1/', 'EXAMPLE.com:1')]: '204',
        [get('/', 'example.com')]: '204',
        [get('/', 'example.com.')]: '204',
        [get('/', 'other.net:8080')]: '204',
        [get('/', '[::1]:8080')]: '204',
        'GET / HTTP/1.0\r\n\r\n': '204',
      };
      for (const [request, wanted] of Object.entries(answers)) {
        // oxlint-disable-next-line no-await-in-loop -- one after the other keeps a failure readable
        expect(await statusOf(front, request), request).to.equal(wanted);
      }
    });
  });
});

async function connects(path: string): Promise<boolean> {
  const socket = connect(path);
  const connected = await Promise.race([
    once(socket, 'connect').then(() => true),
    once(socket, 'close').then(() => false),
  ]).catch(() => false);
  socket.destroy();
  return connected;
}

/** Sends these bytes and returns all that comes back. */
async function ask(path: string, request: string): Promise<string> {
  const socket: Socket = connect(path);
  socket.write(request);
  let text = '';
  for await (const chunk of socket) text += String(chunk);
  return text;
}

/** The status nginx answers with. */
async function statusOf(path: string, request: string): Promise<string> {
  return (await ask(path, request)).split(' ')[1] ?? '';
}

function get(target: string, host: string): string {
  return `GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
}
