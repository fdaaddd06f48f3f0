import { expect } from 'chai';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bind, type Unbind } from '../../../src/transport/bind.ts';
import { SocketError } from '../../../src/transport/unix-socket.ts';

const OWN = { uid: -1, gid: -1 };

describe('transport/bind', () => {
  let folder = '';
  let path = '';
  const servers: Server[] = [];

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'viaduct-bind-'));
    path = join(folder, 'a.sock');
  });
  afterEach(() => {
    for (const server of servers.splice(0)) server.close();
    rmSync(folder, { recursive: true });
  });

  async function start(mode = 0o600): Promise<Unbind> {
    const server = createServer();
    servers.push(server);
    return bind(server, { address: { kind: 'unix', path }, backlog: 8, file: { mode, ...OWN } });
  }

  async function refusal(): Promise<SocketError> {
    try {
      await start();
    } catch (error) {
      if (error instanceof SocketError) return error;
      throw error;
    }
    throw new Error('it listens');
  }

  /** A socket file whose process was killed. */
  function leaveStale(): void {
    const script = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
    spawnSync(process.execPath, ['-e', script]);
    expect(statSync(path).isSocket()).to.equal(true);
  }

  for (const mode of [0o600, 0o660, 0o666]) {
    it(`makes the socket with mode ${mode.toString(8)}, and leaves the umask as it was`, async () => {
      const before = process.umask(0o022);
      await start(mode);
      expect(process.umask(before)).to.equal(0o022);
      expect(statSync(path).mode & 0o777).to.equal(mode);
    });
  }

  it('replaces a socket that a dead process left', async () => {
    leaveStale();
    await start();
    expect(statSync(path).isSocket()).to.equal(true);
  });

  it('leaves a socket that somebody serves alone', async () => {
    await start();
    const made = statSync(path).ino;
    expect((await refusal()).code).to.equal('ERR_SOCKET_IN_USE');
    expect(statSync(path).ino).to.equal(made);
  });

  it('leaves a file and a link alone', async () => {
    writeFileSync(path, 'precious');
    expect((await refusal()).code).to.equal('ERR_SOCKET_NOT_A_SOCKET');
    rmSync(path);
    symlinkSync('/nowhere', path);
    expect((await refusal()).code).to.equal('ERR_SOCKET_NOT_A_SOCKET');
  });

  it('says which path is too long for the kernel', async () => {
    path = join(folder, 'x'.repeat(108));
    expect((await refusal()).code).to.equal('ERR_SOCKET_PATH');
    expect(existsSync(path)).to.equal(false);
  });

  it('makes the folder of the socket, for everybody to pass through', async () => {
    path = join(folder, 'run/deep/a.sock');
    const before = process.umask(0o022);
    await start();
    process.umask(before);
    expect(statSync(path).isSocket()).to.equal(true);
    expect(statSync(join(folder, 'run')).mode & 0o777).to.equal(0o755);
  });

  it('goes on where the socket file cannot be taken away', async () => {
    const unbind = await start();
    rmSync(folder, { recursive: true });
    // Any look at a path through this fails with ELOOP, for root too.
    symlinkSync(folder, folder);
    expect(() => statSync(path, { throwIfNoEntry: false })).to.throw('ELOOP');
    expect(unbind).not.to.throw();
  });

  it('takes away its own socket file, but not a successor', async () => {
    const unbind = await start();
    rmSync(path);
    leaveStale();
    unbind();
    expect(existsSync(path)).to.equal(true);
    rmSync(path);
    const again = await start();
    again();
    expect(existsSync(path)).to.equal(false);
  });
});
