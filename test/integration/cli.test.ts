// The program from outside: exit codes, and the verbs that talk to a running daemon.
import { expect } from 'chai';
import { spawn, spawnSync } from 'node:child_process';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { fixtureApp } from '../helpers/bridge.ts';
import { type CliResult, runViaduct, VIADUCT } from '../helpers/cli.ts';
import { type Daemon, startDaemon } from '../helpers/daemon.ts';
import { request } from '../helpers/http-client.ts';
import { makeTempDir, removeTempDir } from '../helpers/temp.ts';

interface Account {
  uid?: number;
  gid?: number;
}

/** How to run without root's rights, which permit everything; null where root is the only one who can read the program. */
function unprivileged(): Account | null {
  if (process.getuid?.() !== 0) return {};
  const nobody = { uid: 65_534, gid: 65_534 };
  return spawnSync(process.execPath, [VIADUCT, '--version'], nobody).status === 0 ? nobody : null;
}

const other = unprivileged();

/** A configuration of little, and more. */
const config = (more: object): string =>
  JSON.stringify({
    listeners: [{ address: 'unix:http.sock', protocol: 'http' }],
    mounts: [{ path: '/', app: 'viaduct:hello' }],
    admin: null,
    ...more,
  });

describe('viaduct serve, exit codes', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await makeTempDir();
  });
  afterEach(() => removeTempDir(dir));

  const serve = async (text: string, options: Account = {}): Promise<CliResult> => {
    await writeFile(join(dir, 'viaduct.yaml'), text);
    return runViaduct(['serve', '-c', join(dir, 'viaduct.yaml')], { cwd: dir, ...options });
  };

  for (const signal of ['SIGTERM', 'SIGQUIT', 'SIGINT'] as const) {
    it(`are 0 after ${signal}, and nothing is left`, async () => {
      const listeners = [{ address: 'unix:{{dir}}/http.sock', protocol: 'http' }];
      const daemon = await startDaemon({
        config: { listeners, mounts: [{ path: '/', app: 'viaduct:hello' }] },
      });
      try {
        expect(await readFile(join(daemon.dir, 'run/viaduct.pid'), 'utf8')).to.equal(`${daemon.pid}\n`);
        expect((await request({ socketPath: daemon.socket('http') })).status).to.equal(200);
        expect(await daemon.stop(signal)).to.equal(0);
        for (const file of ['http.sock', 'admin.sock', 'run/viaduct.pid']) {
          const found = await readFile(join(daemon.dir, file)).catch((error: unknown) => String(error));
          expect(found, file).to.include('ENOENT');
        }
      } finally {
        await daemon.remove();
      }
    });
  }

  it('are 3 where no app boots, with the stack of each', async () => {
    await writeFile(join(dir, 'throws.js'), '\nthrow new Error("no database");\n');
    await writeFile(join(dir, 'empty.mjs'), 'export const other = 1;\n');
    const mounts = [
      { path: '/one', app: './throws.js' },
      { path: '/two', app: './empty.mjs' },
    ];
    const { code, stderr } = await serve(config({ mounts }));
    expect(code).to.equal(3);
    expect(stderr).to.include('2 apps did not boot');
    expect(stderr).to.match(/mount \/one: .*no database\n(.*\n)?\s+at .*throws\.js:2:/);
    expect(stderr).to.match(/mount \/two: .*exports other, wanted an export named application or default/);
    const next = await serve(config({}).replace('viaduct:hello', './gone.js'));
    expect(next.code).to.equal(78);
  });

  it('are 73 where a file has the place of the socket, and it stays', async () => {
    await writeFile(join(dir, 'http.sock'), 'precious');
    const { code, stderr } = await serve(config({}));
    expect(code, stderr).to.equal(73);
    expect(stderr).to.match(/viaduct\.yaml:\d+:\d+: listeners\[0\]\.address: .*found a file/);
    expect(await readFile(join(dir, 'http.sock'), 'utf8')).to.equal('precious');
  });

  it('are 73 where another process serves the socket or the port, and it goes on', async () => {
    const app = [{ path: '/', app: 'viaduct:hello' }];
    const listeners = [
      { address: 'unix:{{dir}}/http.sock', protocol: 'http' },
      { address: '127.0.0.1:{{port}}', protocol: 'http' },
    ];
    const daemon = await startDaemon({ config: { listeners, mounts: app } });
    try {
      for (const [address, pattern] of [
        [`unix:${daemon.socket('http')}`, /another process serves it/],
        [`127.0.0.1:${daemon.port()}`, /EADDRINUSE/],
      ] as const) {
        const { code, stderr } = await serve(config({ listeners: [{ address, protocol: 'http' }] }));
        expect(code, stderr).to.equal(73);
        expect(stderr).to.match(pattern);
      }
      expect((await request({ socketPath: daemon.socket('http') })).status).to.equal(200);
      expect((await request({ port: daemon.port() })).status).to.equal(200);
    } finally {
      await daemon.remove();
    }
  });

  it('are not 73 for a socket that a dead process left', async () => {
    const listeners = [{ address: `unix:${dir}/http.sock`, protocol: 'http' }];
    const mounts = [{ path: '/', app: 'viaduct:hello' }];
    const first = await startDaemon({ config: { listeners, mounts } });
    expect(await first.stop('SIGKILL')).to.equal(null);
    const second = await startDaemon({ config: { listeners, mounts } });
    expect((await request({ socketPath: join(dir, 'http.sock') })).status).to.equal(200);
    await first.remove();
    await second.remove();
  });

  it('are 78 for mistakes in the file, each at its place', async () => {
    const { code, stderr } = await serve('listeners: []\nmounts:\n  - {pth: /, app: viaduct:hello}\n');
    expect(code).to.equal(78);
    expect(stderr).to.match(/viaduct\.yaml:1:\d+: listeners: /);
    expect(stderr).to.match(/viaduct\.yaml:3:\d+: mounts\[0\].*pth/);
    const missing = await runViaduct(['serve'], { cwd: dir });
    expect(missing.code).to.equal(78);
  });

  it('are 64 for a command line that cannot be read', async () => {
    for (const args of [[], ['serv'], ['serve', '--sideways'], ['serve', 'surplus'], ['serve', '-c']]) {
      const { code, stdout, stderr } = await runViaduct(args, { cwd: dir });
      expect(code, args.join(' ')).to.equal(64);
      expect(stdout).to.equal('');
      expect(stderr).to.match(/usage/i);
    }
  });

  if (other !== null) {
    it('are 77 in a folder that is not ours', async () => {
      const own = await makeTempDir();
      try {
        await chmod(dir, 0o755);
        await chmod(own, other.uid === undefined ? 0o555 : 0o755);
        const listeners = [{ address: `unix:${own}/http.sock`, protocol: 'http' }];
        const { code, stderr } = await serve(config({ listeners, run_dir: own }), other);
        expect(code, stderr).to.equal(77);
        expect(stderr).to.match(/listeners\[0\]\.address: .*permission denied/);
      } finally {
        await chmod(own, 0o700);
        await removeTempDir(own);
      }
    });

    it('are 77 for a user that only root can become', async () => {
      const run = await makeTempDir();
      try {
        await chmod(dir, 0o755);
        await chmod(run, 0o777);
        const listeners = [{ address: `unix:${run}/http.sock`, protocol: 'http' }];
        const { code, stderr } = await serve(config({ listeners, run_dir: run, user: 'root' }), other);
        expect(code, stderr).to.equal(77);
        expect(stderr).to.include('only root can change user or group');
      } finally {
        await removeTempDir(run);
      }
    });
  }
});

describe('viaduct, printing to a reader that leaves early', () => {
  it('ends with 0 and without a word', async () => {
    const child = spawn(process.execPath, [VIADUCT, 'schema'], { stdio: ['ignore', 'pipe', 'pipe'] });
    const errors: Buffer[] = [];
    child.stderr.on('data', (chunk: Buffer) => errors.push(chunk));
    child.stdout.destroy();
    const code = await new Promise((resolve) => child.once('close', resolve));
    expect(Buffer.concat(errors).toString()).to.equal('');
    expect(code).to.equal(0);
  });
});

describe('viaduct check, against files', () => {
  let dir: string;
  before(async () => {
    dir = await makeTempDir();
  });
  after(() => removeTempDir(dir));

  it('boots the apps with --load-apps, and binds nothing', async () => {
    const taken: Server = createServer();
    await new Promise<void>((resolve) => taken.listen(join(dir, 'http.sock'), resolve));
    const check = async (app: string): Promise<CliResult> => {
      await writeFile(join(dir, 'viaduct.yaml'), config({ mounts: [{ path: '/', app }] }));
      return runViaduct(['check', '--load-apps'], { cwd: dir });
    };
    await writeFile(
      join(dir, 'good.js'),
      'module.exports = (environ, start) => (start("200 OK", []), []);\n',
    );
    await writeFile(join(dir, 'bad.mjs'), 'export const application = missing();\n');
    try {
      const good = await check('./good.js');
      expect(good.code, good.stderr).to.equal(0);
      expect(good.stdout).to.equal(`${dir}/viaduct.yaml: ok\n`);
      const bad = await check('./bad.mjs');
      expect(bad.code).to.equal(3);
      expect(bad.stderr).to.match(/mount \/: .*missing is not defined[\s\S]*bad\.mjs:1:/);
      expect(bad.stdout).to.equal('');
    } finally {
      await new Promise<void>((resolve) => taken.close(() => resolve()));
    }
  });

  it('says which app ends or blocks its process while it loads, and tries the others', async () => {
    const apps = {
      'leaves.mjs': 'process.exit(0);\n',
      'fails.mjs': 'process.exit(3);\n',
      'blocks.mjs': 'for (;;);\n',
      'stray.mjs': `Promise.reject(new Error('nobody waits'));\nexport const application = () => [];\n`,
      'number.mjs': 'export const application = 5;\n',
    };
    for (const [name, text] of Object.entries(apps)) await writeFile(join(dir, name), text);
    const mounts = Object.keys(apps).map((app) => ({ path: `/${app}`, app: `./${app}` }));
    await writeFile(join(dir, 'viaduct.yaml'), config({ mounts, timeouts: { boot: '100ms' } }));
    const { code, stdout, stderr } = await runViaduct(['check', '--load-apps'], { cwd: dir });
    expect(code, stderr).to.equal(3);
    expect(stdout).to.equal('');
    expect(stderr).to.include('mount /leaves.mjs: its worker ended while loading it, by exit code 0\n');
    expect(stderr).to.include('mount /fails.mjs: its worker ended while loading it, by exit code 3\n');
    expect(stderr).to.include('mount /blocks.mjs: it did not finish within timeouts.boot');
    expect(stderr).to.match(/mount \/stray\.mjs: .*nobody waits[\s\S]*stray\.mjs:1:/);
    expect(stderr).to.match(/mount \/number\.mjs: .*found (number|5)/);
  });
});

describe('viaduct reload, stop and status', () => {
  it('say that the file -c names is not there', async () => {
    const dir = await makeTempDir();
    try {
      for (const verb of ['reload', 'stop', 'status']) {
        const { code, stderr } = await runViaduct([verb, '-c', join(dir, 'none.yaml')]);
        expect(stderr).to.include(`Cannot find the configuration ${dir}/none.yaml: there is no such file`);
        expect(code).to.equal(78);
      }
    } finally {
      await removeTempDir(dir);
    }
  });
});

describe('viaduct in a folder that has been deleted', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await makeTempDir();
    await writeFile(join(dir, 'viaduct.yaml'), config({}));
  });
  afterEach(() => removeTempDir(dir));

  function run(...args: string[]): { status: number | null; stdout: string; stderr: string } {
    const script = 'mkdir "$1" && cd "$1" && rmdir "$1" && shift && exec "$@"';
    const words = [join(dir, 'gone'), process.execPath, VIADUCT, ...args];
    return spawnSync('sh', ['-c', script, 'sh', ...words], { encoding: 'utf8', timeout: 20_000 });
  }

  it('does what needs no relative path', () => {
    const file = join(dir, 'viaduct.yaml');
    expect(run('check', '--load-apps', '-c', file)).to.include({
      status: 0,
      stdout: `${file}: ok\n`,
      stderr: '',
    });
    expect(run('nginx', '-c', file).status).to.equal(0);
    expect(run('--version').status).to.equal(0);
  });

  it('says so, with exit code 1, where it needs one', () => {
    for (const args of [['check'], ['status', '-c', 'viaduct.yaml'], ['init']]) {
      const { status, stderr } = run(...args);
      expect(stderr, args.join(' ')).to.match(
        /^viaduct: Cannot resolve a relative path: .*has been deleted.*\n$/,
      );
      expect(status, args.join(' ')).to.equal(1);
    }
  });
});

const send = (address: string, protocol: string, ...rest: string[]): Promise<CliResult> =>
  runViaduct(['request', '--socket', address, '--protocol', protocol, ...rest]);

describe('viaduct request, against viaduct', () => {
  const AUTO = { address: 'unix:{{dir}}/auto.sock', protocol: 'auto' };
  const PROTOCOLS = ['fastcgi', 'uwsgi', 'scgi', 'http'] as const;
  let daemon: Daemon;

  before(async () => {
    const listeners = PROTOCOLS.flatMap((protocol) => [
      { address: `unix:{{dir}}/${protocol}.sock`, protocol },
      { address: `127.0.0.1:{{port:${protocol}}}`, protocol },
    ]);
    const mounts = ['describe', 'answer', 'fail'].map((name) => ({
      path: `/${name}`,
      app: fixtureApp(name),
    }));
    daemon = await startDaemon({ config: { listeners: [...listeners, AUTO], mounts } });
  });
  after(() => daemon.remove());
  for (const protocol of PROTOCOLS) {
    it(`sends and prints over ${protocol}`, async () => {
      const addresses = [`unix:${daemon.socket(protocol)}`, `127.0.0.1:${daemon.port(protocol)}`];
      for (const address of [...addresses, `unix:${daemon.socket('auto')}`]) {
        const rest = ['POST', '/describe/x?a=1', '-H', 'X-One: uno', '-d', 'a body'];
        const { code, stdout, stderr } = await send(address, protocol, ...rest);
        expect(code, stderr).to.equal(0);
        const [head = '', body = ''] = stdout.split(/\r?\n\r?\n/);
        expect(head).to.match(/^HTTP\/1\.1 200 OK/);
        const described = JSON.parse(body) as { environ: object; body: object };
        expect(described.environ).to.include({ PATH_INFO: '/x', QUERY_STRING: 'a=1', HTTP_X_ONE: 'uno' });
        expect(described.body).to.include({ size: 6 });
      }
    });

    it(`exits with 1 on a response that breaks off over ${protocol}`, async () => {
      const path = '/fail?when=after&wait=1&length=10';
      const { code, stdout } = await send(`unix:${daemon.socket(protocol)}`, protocol, 'GET', path);
      expect(code).to.equal(1);
      expect(stdout).to.include('200 OK').and.include('abc');
    });
  }

  it('exits with 0 on an error that is a complete response', async () => {
    const { code, stdout } = await send(`unix:${daemon.socket('fastcgi')}`, 'fastcgi', 'GET', '/nowhere');
    expect(code).to.equal(0);
    expect(stdout).to.match(/404 Not Found/);
  });
});
