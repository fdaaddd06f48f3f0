// What a start leaves in run_dir, and what a second start on the same configuration may not take away.
import { spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { type Daemon, startDaemon } from '../helpers/daemon.ts';
import { projectRoot } from '../helpers/project.ts';

describe('run_dir', () => {
  let daemon: Daemon;
  before(async () => {
    daemon = await startDaemon({
      config: {
        listeners: [{ address: 'unix:{{dir}}/a.sock', protocol: 'fastcgi' }],
        mounts: [{ path: '/', app: 'viaduct:hello' }],
      },
    });
  });
  after(() => daemon.remove());

  it('keeps the pid of the daemon that serves when a second one is refused', async () => {
    const program = join(projectRoot, 'dist/src/cli/main.js');
    const args = [program, 'serve', '-c', join(daemon.dir, 'viaduct.yaml')];
    const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    expect(stderr).to.include('another process serves it');
    expect(status).to.equal(73);
    expect(await readFile(join(daemon.dir, 'run/viaduct.pid'), 'utf8')).to.equal(`${daemon.pid}\n`);
  });

  it('is made for a log in it, as are the folders of other logs', async () => {
    const logging = await startDaemon({
      config: {
        listeners: [{ address: 'unix:{{dir}}/a.sock', protocol: 'fastcgi' }],
        mounts: [{ path: '/', app: 'viaduct:hello' }],
        run_dir: '{{dir}}/state/run',
        log: { file: '{{dir}}/state/run/log', access: { file: '{{dir}}/logs/deep/access' } },
      },
    });
    try {
      expect(await readFile(join(logging.dir, 'state/run/log'), 'utf8')).to.include('"Serving"');
      expect(statSync(join(logging.dir, 'state/run')).mode & 0o777).to.equal(0o700);
      expect(statSync(join(logging.dir, 'logs/deep/access')).isFile()).to.equal(true);
    } finally {
      await logging.remove();
    }
  });
});
