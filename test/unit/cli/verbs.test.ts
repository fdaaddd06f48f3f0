// The verbs that need only a configuration: check, schema, init.
import { expect } from 'chai';
import { chmodSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parse } from 'yaml';
import { runCheck } from '../../../src/cli/check.ts';
import { EXIT } from '../../../src/cli/exit-codes.ts';
import { runInit } from '../../../src/cli/init.ts';
import type { Io } from '../../../src/cli/io.ts';
import { runSchema } from '../../../src/cli/schema.ts';
import { loadConfig } from '../../../src/config/load.ts';
import type { Application, Environ, HeaderList } from '../../../src/gateway/contract.ts';
import { BASE, useFolder } from '../config/fixture.ts';

class Recorder implements Io {
  out = '';
  err = '';
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;

  constructor(cwd: string, env: NodeJS.ProcessEnv = {}) {
    this.cwd = cwd;
    this.env = env;
  }

  stdout = (text: string | Uint8Array): void => {
    this.out += Buffer.from(text).toString();
  };

  stderr = (text: string): void => {
    this.err += text;
  };
}

const noApps = async (): Promise<string[]> => {
  throw new Error('No app was to be booted');
};

describe('viaduct schema', () => {
  it('prints the checked-in schema', async () => {
    const io = new Recorder('/');
    expect(await runSchema([], io)).to.equal(EXIT.ok);
    const file = new URL('../../../../config/schema.json', import.meta.url);
    expect(io.out).to.equal(readFileSync(file, 'utf8'));
  });

  it('refuses arguments and explains itself', async () => {
    const io = new Recorder('/');
    expect(await runSchema(['--json'], io)).to.equal(EXIT.usage);
    expect(io.err)
      .to.match(/--json/)
      .and.to.match(/Usage: viaduct schema/);
    expect(await runSchema(['--help'], io)).to.equal(EXIT.ok);
    expect(io.out).to.match(/Usage: viaduct schema/);
  });
});

describe('viaduct init', () => {
  const folder = useFolder();

  it('writes a configuration and an app that work', async () => {
    const io = new Recorder(folder.path);
    folder.write('.gitignore', '');
    expect(await runInit([], io)).to.equal(EXIT.ok);
    expect(io.out).to.match(/viaduct serve/);
    const { config, warnings } = loadConfig(join(folder.path, 'viaduct.yaml'), {});
    expect(warnings).to.deep.equal([]);
    expect(config.mounts.map((mount) => mount.app)).to.deep.equal([
      { kind: 'file', file: join(folder.path, 'app.js'), exportName: null },
    ]);
    expect(await runCheck([], io, noApps)).to.equal(EXIT.ok);
    expect(JSON.parse(readFileSync(join(folder.path, 'package.json'), 'utf8'))).to.include({
      type: 'module',
    });
    const { application } = (await import(pathToFileURL(join(folder.path, 'app.js')).href)) as {
      application: Application;
    };
    let status = '';
    const headers: HeaderList = [];
    const start = (line: string, fields: HeaderList): (() => Promise<void>) => {
      status = line;
      headers.push(...fields);
      return async () => {};
    };
    const body = (await application({ PATH_INFO: '/x' } as Environ, start)) as Iterable<Uint8Array>;
    const text = Buffer.concat([...body]);
    expect(status).to.equal('200 OK');
    expect(text.toString()).to.match(/Hello .*\/x\n$/);
    expect(Object.fromEntries(headers)['Content-Length']).to.equal(String(text.length));
  });

  it('names no schema that is not there', async () => {
    await runInit([], new Recorder(folder.path));
    const yaml = readFileSync(join(folder.path, 'viaduct.yaml'), 'utf8');
    // What editors take for an order: a comment with nothing before it.
    expect(yaml).not.to.match(/^#\s+yaml-language-server\s*:/m);
    expect(yaml).to.include('viaduct schema > viaduct.schema.json');
  });

  it('shows what it comments out as it really is', async () => {
    const io = new Recorder(folder.path);
    await runInit([], io);
    const file = join(folder.path, 'viaduct.yaml');
    const bare = loadConfig(file, {}).config;
    const yaml = readFileSync(file, 'utf8');
    const optional = yaml.slice(yaml.indexOf('# limits:')).replaceAll(/^# ?/gm, '');
    folder.write('viaduct.yaml', yaml.slice(0, yaml.indexOf('# limits:')) + optional);
    expect(loadConfig(file, {}).config).to.deep.equal(bare);
    folder.write(
      'viaduct.yaml',
      yaml.replaceAll(/^( +)# (middleware|env|  GREETING|timeouts|group)/gm, '$1$2'),
    );
    expect(loadConfig(file, {}).config.mounts[0]).to.deep.include({ env: { GREETING: 'Hello' } });
  });

  it('leaves a folder alone that is not empty', async () => {
    folder.write('mine.txt', 'x');
    const io = new Recorder(folder.path);
    expect(await runInit([], io)).to.equal(EXIT.cannotCreate);
    expect(io.err).to.match(/expected an empty folder, found mine\.txt/);
    expect(readdirSync(folder.path)).to.deep.equal(['mine.txt']);
  });
});

describe('viaduct check', () => {
  const folder = useFolder();

  it('looks at what built-in middleware names', async () => {
    folder.write('plain', '');
    folder.write('users', `a:$apr1$x$S3CRET\n`);
    folder.write(
      'viaduct.yaml',
      `${BASE}    middleware:
      - {use: viaduct:static, options: {root: none}}
      - {use: viaduct:static, options: {root: plain}}
      - {use: viaduct:static, options: {root: .}}
      - {use: viaduct:basic-auth, options: {file: users}}
      - {use: viaduct:basic-auth, options: {file: nobody}}
`,
    );
    const io = new Recorder(folder.path);
    expect(await runCheck([], io, noApps)).to.equal(EXIT.config);
    const lines = io.err.replaceAll(`${folder.path}/viaduct.yaml:`, '').replaceAll(folder.path, 'DIR');
    const at = (place: number): string => `mounts[0].middleware[${place}].options`;
    expect(lines.trimEnd().split('\n')).to.deep.equal([
      `8:47: ${at(0)}.root: Expected a folder at DIR/none, found nothing`,
      `9:47: ${at(1)}.root: Expected a folder at DIR/plain, found file`,
      `11:51: ${at(3)}.file: Cannot use DIR/users: line 1: Expected a hash as {SHA256}BASE64, {SHA}BASE64 or $scrypt$ln=LN,r=R,p=P$SALT$HASH, found an apr1 hash (htpasswd's default)`,
      `12:51: ${at(4)}.file: Cannot read DIR/nobody: ENOENT: no such file or directory, open 'DIR/nobody'`,
    ]);
  });

  it('is content with a good file, in any of the usual places or where -c says', async () => {
    const io = new Recorder(folder.path);
    mkdirSync(join(folder.path, 'config'));
    folder.write('config/viaduct.yaml', BASE);
    expect(await runCheck([], io, noApps)).to.equal(EXIT.ok);
    folder.write('other.yaml', BASE);
    expect(await runCheck(['-c', 'other.yaml'], io, noApps)).to.equal(EXIT.ok);
    expect(io.out).to.equal(`${folder.path}/config/viaduct.yaml: ok\n${folder.path}/other.yaml: ok\n`);
    expect(io.err).to.equal('');
  });

  it('says so when there is no file', async () => {
    const io = new Recorder(folder.path);
    expect(await runCheck(['-c', 'none.yaml'], io, noApps)).to.equal(EXIT.config);
    expect(io.err).to.match(/none\.yaml:1:1: .*there is no such file/);
  });

  it('prints every mistake at its place', async () => {
    const io = new Recorder(folder.path);
    folder.write('viaduct.yaml', `${BASE}usr: x\nworkers: 0\n`);
    expect(await runCheck([], io, noApps)).to.equal(EXIT.config);
    expect(io.err.split('\n').map((line) => line.replace(`${folder.path}/viaduct.yaml:`, ''))).to.deep.equal([
      '7:1: usr: Unknown key; did you mean "user"?',
      '8:10: workers: Expected a whole number from 1 to 1024, found the number 0',
      '',
    ]);
    expect(io.out).to.equal('');
  });

  it('looks at what the file names', async () => {
    const io = new Recorder(folder.path);
    folder.write('plain', '');
    mkdirSync(join(folder.path, 'folder.js'));
    const yaml = `listeners:
  - {address: unix:plain/v.sock, protocol: http, owner: no-such-user-x}
  - {address: unix:plain, protocol: http, group: no-such-group-x}
mounts:
  - {path: /, app: ./none.js}
  - path: /a
    app: ./folder.js
    middleware: [viaduct:lint, {use: ./gone.js}]
user: no-such-user-y
group: no-such-group-y
log: {file: folder.js, access: {file: plain/x.log}}
`;
    folder.write('viaduct.yaml', yaml);
    expect(await runCheck([], io, noApps)).to.equal(EXIT.config);
    const lines = io.err
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('warning: '))
      .map((line) => line.replace(`${folder.path}/viaduct.yaml:`, '').replace(folder.path, 'DIR'));
    expect(lines).to.have.ordered.members([
      '2:15: listeners[0].address: Expected a folder, found a file at DIR/plain',
      '2:57: listeners[0].owner: There is no user "no-such-user-x" in /etc/passwd',
      '3:15: listeners[1].address: Expected a socket or nothing at DIR/plain, found a file',
      '3:50: listeners[1].group: There is no group "no-such-group-x" in /etc/group',
      '5:20: mounts[0].app: Cannot find the file DIR/none.js',
      '7:10: mounts[1].app: Expected a file, found a folder at DIR/folder.js',
      '8:32: mounts[1].middleware[1]: Cannot find the file DIR/gone.js',
      '9:7: user: There is no user "no-such-user-y" in /etc/passwd',
      '10:8: group: There is no group "no-such-group-y" in /etc/group',
      '11:13: log.file: Expected a file, found a folder at DIR/folder.js',
      '11:39: log.access.file: Expected a folder, found a file at DIR/plain',
    ]);
  });

  it('is content with a socket that is there', async () => {
    const io = new Recorder(folder.path);
    const server = createServer().listen(join(folder.path, 'v.sock'));
    await once(server, 'listening');
    folder.write('viaduct.yaml', BASE.replace('run/v.sock', 'v.sock'));
    expect(await runCheck([], io, noApps)).to.equal(EXIT.ok);
    server.close();
    await once(server, 'close');
  });

  it('says that serve would end with 77 where it could not become the user, and nothing where it is the user', () => {
    chmodSync(folder.path, 0o777);
    const root = folder.write('root.yaml', `${BASE}user: root\ngroup: "0"\n`);
    const own = folder.write(
      'own.yaml',
      `${BASE}user: ${process.getuid?.() === 0 ? 65534 : process.getuid?.()}\n`,
    );
    const script = `
      import { runCheck } from ${JSON.stringify(new URL('../../../src/cli/check.js', import.meta.url).href)};
      if (process.getuid() === 0) { process.setgid(65534); process.setuid(65534); }
      const io = { cwd: '/', env: {}, stdout() {}, stderr(text) { process.stderr.write(text); } };
      const run = (file) => runCheck(['-c', file], io, async () => []);
      process.exitCode = (await run(${JSON.stringify(root)})) || (await run(${JSON.stringify(own)}));`;
    const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      encoding: 'utf8',
    });
    expect(stderr).to.equal(
      `warning: ${root}:7:7: user: Cannot run as user "root" and group "0": only root can change user or group, and viaduct was not started as root; viaduct serve, started like this, ends with exit code 77\n`,
    );
    expect(status).to.equal(EXIT.ok);
  });

  it('sees what it may not read or write', () => {
    const yaml = folder.write(
      'viaduct.yaml',
      `${BASE.replace('viaduct:hello', './app.js')}log: {file: v.log}\n`,
    );
    for (const name of ['app.js', 'v.log']) chmodSync(folder.write(name, ''), 0);
    chmodSync(folder.path, 0o755);
    // access(2) asks for the real user, and root may do anything: a process of its own becomes nobody
    const script = `
      import { runCheck } from ${JSON.stringify(new URL('../../../src/cli/check.js', import.meta.url).href)};
      if (process.getuid() === 0) { process.setgid(65534); process.setuid(65534); }
      const io = { cwd: '/', env: {}, stdout() {}, stderr(text) { process.stderr.write(text); } };
      process.exitCode = await runCheck(['-c', ${JSON.stringify(yaml)}], io, async () => []);`;
    const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      encoding: 'utf8',
    });
    expect(stderr).to.match(/6:10: mounts\[0\]\.app: Cannot read the file .*app\.js: permission denied/);
    expect(stderr).to.match(/7:13: log\.file: Cannot write the file .*v\.log: permission denied/);
    expect(stderr).to.match(
      /2:14: listeners\[0\]\.address: Cannot create the folder .*run in .*: permission denied/,
    );
    expect(status).to.equal(EXIT.config);
  });

  it('warns, and is content', async () => {
    const io = new Recorder(folder.path);
    folder.write('viaduct.yaml', `${BASE}timeouts: {idle: 5s}\n`);
    expect(await runCheck([], io, noApps)).to.equal(EXIT.ok);
    expect(io.err).to.match(/^warning: .*:7:18: timeouts\.idle: /);
  });

  it('boots the apps only when asked, and only those of a good file', async () => {
    const io = new Recorder(folder.path);
    folder.write('viaduct.yaml', BASE);
    const seen: string[] = [];
    const boot = async (config: { mounts: { name: string }[] }): Promise<string[]> => {
      seen.push(...config.mounts.map((mount) => mount.name));
      return seen.length > 1 ? ['/: it broke'] : [];
    };
    expect(await runCheck(['--load-apps'], io, boot)).to.equal(EXIT.ok);
    expect(await runCheck(['--load-apps'], io, boot)).to.equal(EXIT.bootFailed);
    expect(io.err).to.equal('/: it broke\n');
    folder.write('viaduct.yaml', `${BASE}x: 1\n`);
    expect(await runCheck(['--load-apps'], io, noApps)).to.equal(EXIT.config);
  });

  it('prints the effective configuration without secrets', async () => {
    const io = new Recorder(folder.path, { WHO: 'hidden-1' });
    folder.write(
      'viaduct.yaml',
      `${BASE}    env:\n      WHO: \${WHO}\n      API_KEY: hidden-2\n      PLAIN: shown\n`,
    );
    expect(await runCheck(['--print'], io, noApps)).to.equal(EXIT.ok);
    expect(io.out).to.not.match(/hidden/);
    const shown = parse(io.out) as { mounts: { env: unknown }[]; timeouts: Record<string, string> };
    expect(shown.mounts[0]?.env).to.deep.equal({ WHO: '***', API_KEY: '***', PLAIN: 'shown' });
    expect(shown.timeouts['idle']).to.equal('75s');
  });
});
