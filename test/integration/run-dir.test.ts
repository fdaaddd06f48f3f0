// What a start leaves in run_dir, and what a second start on the same configuration may not take away.
import { spawnSync } from 'node:child_process';
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
});
