// `viaduct systemd`: the text it prints, and that the files of deploy/ are what it prints.
import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { renderNginx } from '../../../src/cli/nginx/render.ts';
import { runSystemd } from '../../../src/cli/systemd.ts';
import { renderUnits, type UnitInput } from '../../../src/cli/systemd/units.ts';
import { loadConfig } from '../../../src/config/load.ts';
import type { Config } from '../../../src/config/types.ts';
import { projectRoot } from '../../helpers/project.ts';
import { makeTempDir, removeTempDir } from '../../helpers/temp.ts';

const MOUNTS = "mounts: [{path: /, app: 'viaduct:hello'}]\n";
const PLAIN = `listeners: [{address: 'unix:/run/viaduct/v.sock', protocol: fastcgi}]\nrun_dir: /run/viaduct\n${MOUNTS}`;
const TWO_NAMES = `listeners: [{address: 'systemd:web', protocol: http}, {address: 'systemd:a b', protocol: uwsgi}]\n${MOUNTS}`;

describe('viaduct systemd', () => {
  let folder = '';
  before(async () => {
    folder = await makeTempDir();
  });
  after(() => removeTempDir(folder));

  async function load(yaml: string): Promise<Config> {
    const file = join(folder, 'viaduct.yaml');
    await writeFile(file, yaml);
    return loadConfig(file, {}).config;
  }

  async function units(yaml: string, more: Partial<UnitInput> = {}): Promise<Map<string, string>> {
    const rendered = renderUnits({
      config: await load(yaml),
      file: '/etc/viaduct/viaduct.yaml',
      command: ['/usr/bin/viaduct'],
      template: false,
      ...more,
    });
    return new Map(rendered.map(({ name, text }) => [name, text]));
  }

  async function service(yaml: string, more: Partial<UnitInput> = {}): Promise<string> {
    const name = more.template === true ? 'viaduct@.service' : 'viaduct.service';
    return (await units(yaml, more)).get(name) ?? '';
  }

  it('waits longer than the file does', async () => {
    const text = await service(
      `timeouts: {graceful: 90s, boot: 1500ms}\nlisteners: [{address: '127.0.0.1:1', protocol: http}]
mounts: [{path: /, app: 'viaduct:hello'}, {path: /a, app: 'viaduct:hello', timeouts: {boot: 2m}}]\n`,
    );
    expect(text).to.include('\nTimeoutStopSec=105\n');
    expect(text).to.include('\nTimeoutStartSec=137\n');
  });

  it('runs as a user of its own, who may be in the groups of the sockets', async () => {
    const text = await service(PLAIN.replace('fastcgi}', 'fastcgi, group: www-data}'));
    expect(text).to.include('\nUser=viaduct\n').and.include('\nSupplementaryGroups=www-data\n');
    expect(text).to.include('\nCapabilityBoundingSet=\n');
  });

  it('starts as root where the file has a user, with what it takes to give that up', async () => {
    const text = await service(`user: www-data\n${PLAIN}`);
    expect(text).to.not.match(/^User=/m);
    expect(text).to.match(/^CapabilityBoundingSet=.*CAP_SETUID.*CAP_KILL/m);
  });

  it('may bind a port below 1024 only where there is one', async () => {
    const text = await service(`listeners: [{address: '127.0.0.1:80', protocol: http}]\n${MOUNTS}`);
    expect(text).to.include('\nAmbientCapabilities=CAP_NET_BIND_SERVICE\n');
    expect(await service(PLAIN)).to.not.include('CAP_NET_BIND_SERVICE');
  });

  it('may write to the folders the file names, and to no others', async () => {
    const text = await service(
      `${PLAIN}log: {file: /var/log/viaduct/v.log, access: {file: '/data/my logs/a.log'}}\nadmin: {address: 'unix:/run/admin/a.sock'}\n`,
    );
    expect(text).to.include('\nRuntimeDirectory=viaduct admin\n');
    expect(text).to.include('\nLogsDirectory=viaduct\n');
    expect(text).to.include('\nReadWritePaths="/data/my logs"\n');
    expect(await service(PLAIN)).to.not.include('ReadWritePaths');
  });

  it('quotes what systemd would read otherwise', async () => {
    const text = await service(PLAIN, {
      file: '/etc/100% $me/v.yaml',
      command: ['/opt/a "b"/node', '/m.js'],
    });
    expect(text).to.include(
      String.raw`ExecStart="/opt/a \"b\"/node" /m.js serve -c "/etc/100%% $$me/v.yaml"` + '\n',
    );
  });

  it('has a socket unit for each name, which belongs to the service', async () => {
    const all = await units(TWO_NAMES);
    expect([...all.keys()]).to.deep.equal(['viaduct-web.socket', 'viaduct-a_b.socket', 'viaduct.service']);
    expect(all.get('viaduct-web.socket')).to.include('\nListenStream=/run/viaduct-web.sock\n');
    expect(all.get('viaduct-a_b.socket')).to.include('\nFileDescriptorName=a b\n');
    expect(all.get('viaduct.service')).to.include('\nSockets=viaduct-web.socket viaduct-a_b.socket\n');
  });

  it('keeps the instances of a template apart', async () => {
    const input = { template: true, file: '/etc/viaduct/shop.yaml' };
    const text = await service(PLAIN.replaceAll('/run/viaduct', '/run/viaduct/shop'), input);
    expect(text).to.include('\nExecStart=/usr/bin/viaduct serve -c /etc/viaduct/%i.yaml\n');
    expect(text).to.include('\nRuntimeDirectory=viaduct/%i\n');
    expect(await service(PLAIN, input)).to.include('\nRuntimeDirectory=viaduct/%i\n');
  });

  it('is taken by systemd', async () => {
    // The program has to be there for systemd-analyze.
    const command = [process.execPath];
    const place = join(folder, 'units');
    await mkdir(place);
    for (const template of [false, true]) {
      for (const [name, text] of await units(TWO_NAMES, { template, command }))
        await writeFile(join(place, name), text);
    }
    const names = ['viaduct.service', 'viaduct-web.socket', 'viaduct-a_b.socket', 'viaduct@shop.service'];
    const { stdout, stderr } = await promisify(execFile)(
      'systemd-analyze',
      ['verify', '--man=no', ...names.map((name) => join(place, name))],
      { timeout: 30_000 },
    );
    const about = `${stdout}${stderr}`.split('\n').filter((line) => line.includes('viaduct'));
    expect(about.join('\n')).to.equal('');
  }).timeout(40_000);

  describe('the verb', () => {
    async function run(yaml: string, ...args: string[]): Promise<{ code: number; out: string; err: string }> {
      await load(yaml);
      let [out, err] = ['', ''];
      const stdout = (text: string | Uint8Array): void => void (out += String(text));
      const stderr = (text: string): void => void (err += text);
      const code = await runSystemd(args, { stdout, stderr, cwd: folder, env: {} });
      return { code, out, err };
    }

    it('names each unit it prints, unless it prints one kind', async () => {
      const both = await run(TWO_NAMES);
      expect(both.code).to.equal(0);
      expect(both.out.match(/^# \/etc\/systemd\/system\/.*$/gm)).to.have.lengthOf(3);
      const one = await run(PLAIN, '--unit', 'service', '--exec', '/usr/bin/viaduct');
      expect(one.out).to.match(/^\[Unit\]\n/);
      expect(one.out).to.include(`ExecReload=/usr/bin/viaduct reload -c ${folder}/viaduct.yaml\n`);
    });

    const refused: [what: string, args: string[], message: RegExp][] = [
      ['a kind there is not', ['--unit', 'timer'], /--unit "timer": wanted service or socket/],
      ['a socket unit for a file without one', ['--unit', 'socket'], /no listener has systemd:NAME/],
      ['a program that systemd would not find', ['--exec', 'viaduct'], /wanted an absolute path/],
    ];
    for (const [what, args, message] of refused) {
      it(`refuses ${what}`, async () => {
        const { code, out, err } = await run(PLAIN, ...args);
        expect(err).to.match(message);
        expect([code, out]).to.deep.equal([64, '']);
      });
    }
  });

  describe('deploy/', () => {
    const read = (name: string): Promise<string> => readFile(join(projectRoot, 'deploy', name), 'utf8');

    it('has the units of deploy/viaduct.yaml', async () => {
      const config = await read('viaduct.yaml');
      const expected = [...(await units(config)), ...(await units(config, { template: true }))];
      expect(expected.map(([name]) => name).toSorted()).to.deep.equal([
        'viaduct.service',
        'viaduct.socket',
        'viaduct@.service',
        'viaduct@.socket',
      ]);
      for (const [name, text] of expected) expect(await read(name), name).to.equal(text);
    });

    it('has the nginx configuration that fits them', async () => {
      const config = await load(await read('viaduct.yaml'));
      const path = /^ListenStream=(.*)$/m.exec(await read('viaduct.socket'))?.[1] ?? '';
      const listeners = config.listeners.map(({ protocol }) => ({
        protocol,
        address: { kind: 'unix', path } as const,
      }));
      expect(await read('nginx.conf')).to.equal(renderNginx({ ...config, listeners }));
    });
  });
});
