// Sockets that systemd passes, from the launcher that binds them to a worker that accepts: with a real exec() and real
// descriptors, since that is where they get lost.
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { expect } from 'chai';
import { findFreePort } from '../helpers/nginx.ts';
import { projectRoot } from '../helpers/project.ts';
import { type ActivationOptions, launchActivated } from '../helpers/systemd.ts';
import { makeTempDir, removeTempDir } from '../helpers/temp.ts';
import { waitFor } from '../helpers/wait.ts';

const runtime = (file: string): string => JSON.stringify(join(projectRoot, 'dist/src', file));

/** A master as far as sockets go: has what the names stand for, and a worker that answers on all of it. */
const MASTER = `
  import { spawn } from 'node:child_process';
  import { Sockets } from ${runtime('runtime/sockets.js')};
  import { takePassedSockets } from ${runtime('runtime/passed-sockets.js')};
  const rest = { protocol: 'fastcgi', mode: 0o600, owner: null, group: null, backlog: 16, allowedClients: null };
  const names = process.argv[1].split(',');
  const sockets = new Sockets(takePassedSockets(process.env, process.pid));
  const wanted = names.map((name) => ({ ...rest, address: { kind: 'systemd', name } }));
  try {
    const gone = await sockets.acquire(wanted);
    const { listeners, descriptors } = await sockets.acquire(wanted);
    gone.release();
    const args = ['--input-type=module', '-e', process.argv[2], ...listeners.map(({ address }) => address.name)];
    const stdio = ['pipe', 'inherit', 'inherit', ...descriptors];
    const worker = spawn(process.execPath, args, { stdio, timeout: 20_000 });
    process.on('SIGTERM', () => worker.kill());
    worker.on('exit', () => process.exit(0));
  } catch (error) {
    console.log(error.message);
    process.exit(73);
  }
`;

const WORKER = `
  import { spawnSync } from 'node:child_process';
  import { readlinkSync } from 'node:fs';
  import { createServer } from 'node:net';
  import { listenOn } from ${runtime('transport/bind.js')};
  const names = process.argv.slice(1);
  for (const [at, name] of names.entries()) {
    await listenOn(createServer((socket) => socket.end(name + ' ' + at)), 3 + at, 16);
  }
  // The master is gone, however it ended.
  process.stdin.resume().on('end', () => process.exit());
  const { LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES } = process.env;
  const sockets = names.map((_, at) => readlinkSync('/proc/self/fd/' + (3 + at)));
  const grandchild = spawnSync('ls', ['-l', '/proc/self/fd'], { encoding: 'utf8' }).stdout;
  const leaked = sockets.filter((socket) => grandchild.includes(socket));
  console.log(JSON.stringify({ env: [LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES], sockets, leaked }));
`;

describe('socket activation', () => {
  let folder = '';
  const children: ChildProcess[] = [];
  before(async () => {
    folder = await makeTempDir();
  });
  after(async () => {
    for (const child of children) child.kill('SIGKILL');
    await removeTempDir(folder);
  });

  function start(names: string, options: ActivationOptions): { child: ChildProcess; output: () => string } {
    const command = [process.execPath, '--input-type=module', '-e', MASTER, names, WORKER];
    const child = launchActivated(command, options);
    children.push(child);
    let text = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk: Buffer) => (text += chunk.toString()));
    }
    return { child, output: () => text };
  }

  async function ask(to: { path: string } | { host: string; port: number }): Promise<string> {
    const socket = connect(to);
    let text = '';
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
    await once(socket, 'close');
    return text;
  }

  it('serves every socket of a name, and leaves nothing of it to children', async () => {
    const port = await findFreePort();
    const [one, two] = [join(folder, 'one.sock'), join(folder, 'two.sock')];
    const sockets = [
      { name: 'web', path: one },
      { name: 'unused', path: join(folder, 'unused.sock') },
      { name: 'api', port },
      { name: 'web', path: two },
    ];
    const { child, output } = start('api,web', { sockets });
    const line = await waitFor(() => /^\{.*\}$/m.exec(output())?.[0], {
      what: 'the worker',
      timeout: 10_000,
    });
    expect(await ask({ host: '127.0.0.1', port })).to.equal('api 0');
    expect(await ask({ path: one })).to.equal('web 1');
    expect(await ask({ path: two })).to.equal('web 2');
    const { env, sockets: served, leaked } = JSON.parse(line) as Record<string, unknown[]>;
    expect(env).to.deep.equal([null, null, null]);
    expect(served).to.have.lengthOf(3);
    expect(leaked).to.deep.equal([]);
    child.kill('SIGTERM');
    await once(child, 'close');
    expect(existsSync(one)).to.equal(true);
  });

  const refused: [what: string, names: string, env: Record<string, string>, message: string][] = [
    ['names the sockets there are', 'none', {}, 'it passed "web", "dgram"\n'],
    [
      'tells that they were passed to another process',
      'web',
      { LISTEN_PID: '1' },
      'passed to process 1 (LISTEN_PID)',
    ],
    ['tells that nothing was passed', 'web', { LISTEN_PID: '' }, 'systemd passed no sockets'],
    [
      'refuses what cannot listen',
      'dgram',
      {},
      'Cannot listen on systemd:dgram: EINVAL, wanted a ListenStream= socket with Accept=no',
    ],
  ];
  for (const [what, names, env, message] of refused) {
    it(what, async () => {
      const port = await findFreePort();
      const sockets = [
        { name: 'web', path: join(folder, `${what.length}.sock`) },
        { name: 'dgram', port, datagram: true },
      ];
      const { child, output } = start(names, { sockets, env });
      await once(child, 'close');
      expect(output()).to.include(message);
      expect(child.exitCode).to.equal(73);
    });
  }
});
