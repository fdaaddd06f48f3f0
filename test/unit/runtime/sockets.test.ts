import { expect } from 'chai';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, readlinkSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import type { Address, ListenAddress } from '../../../src/config/address.ts';
import type { ListenerConfig } from '../../../src/config/types.ts';
import { Sockets, type SocketSet } from '../../../src/runtime/sockets.ts';
import { projectRoot } from '../../helpers/project.ts';
import { makeTempDir, removeTempDir } from '../../helpers/temp.ts';

function listener(address: ListenAddress, changes: Partial<ListenerConfig> = {}): ListenerConfig {
  return {
    address,
    protocol: 'fastcgi',
    mode: 0o600,
    owner: null,
    group: null,
    backlog: 16,
    allowedClients: null,
    ...changes,
  };
}

/** A worker as far as sockets go: answers each connection with its name, and closes its socket before it ends. */
const WORKER = `
  import { createServer } from 'node:net';
  import { listenOn } from ${JSON.stringify(join(projectRoot, 'dist/src/transport/bind.js'))};
  const server = createServer((socket) => socket.end(process.argv[1]));
  await listenOn(server, 3, 16);
  console.log('listening');
  process.on('SIGTERM', () => server.close(() => process.exit()));
`;

/** Connects; what the other side says until it ends. */
async function ask(address: ListenAddress): Promise<string> {
  if (address.kind === 'systemd') throw new Error(`Cannot connect to systemd:${address.name}`);
  const socket = connect(address.kind === 'unix' ? { path: address.path } : address);
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
  await once(socket, 'close');
  return text;
}

async function codeOf(work: Promise<unknown>): Promise<unknown> {
  const error: unknown = await work.then(
    () => new Error('it worked'),
    (reason: unknown) => reason,
  );
  return error instanceof Error && 'code' in error ? error.code : error;
}

describe('runtime/sockets', () => {
  let folder = '';
  let path = '';
  let unix: Address;
  let sockets: Sockets;
  const sets: SocketSet[] = [];
  const children: ChildProcess[] = [];
  const servers: Server[] = [];
  const TCP: Address = { kind: 'tcp', host: '127.0.0.1', port: 0 };

  beforeEach(async () => {
    folder = await makeTempDir();
    path = join(folder, 'a.sock');
    unix = { kind: 'unix', path };
    sockets = new Sockets();
  });
  afterEach(async () => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
    for (const server of servers.splice(0)) server.close();
    for (const set of sets.splice(0)) set.release();
    await removeTempDir(folder);
  });

  async function acquire(...listeners: ListenerConfig[]): Promise<SocketSet> {
    const set = await sockets.acquire(listeners);
    sets.push(set);
    return set;
  }

  async function startWorker(name: string, fd: number | undefined): Promise<ChildProcess> {
    const stdio = ['ignore', 'pipe', 'inherit', fd] as const;
    const child = spawn(process.execPath, ['--input-type=module', '-e', WORKER, name], {
      stdio: [...stdio],
      timeout: 20_000,
    });
    children.push(child);
    if (child.stdout !== null) await once(child.stdout, 'data');
    return child;
  }

  async function serve(address: Address): Promise<void> {
    // A peer that only asks whether somebody is there is gone before it can be answered.
    const server = createServer((socket) => socket.on('error', () => undefined).end('another'));
    servers.push(server);
    server.listen(
      address.kind === 'unix' ? { path: address.path } : { host: '127.0.0.1', port: address.port },
    );
    await once(server, 'listening');
  }

  it('lets connections wait until a worker accepts, and through a change of workers', async () => {
    const { descriptors, addresses } = await acquire(listener(unix), listener(TCP));
    const waiting = addresses.map(ask);
    const first = await Promise.all(descriptors.map((fd) => startWorker('first', fd)));
    expect(await Promise.all(waiting)).to.deep.equal(['first', 'first']);
    for (const worker of first) {
      worker.kill();
      await once(worker, 'exit');
    }
    expect(existsSync(path)).to.equal(true);
    const between = addresses.map(ask);
    await Promise.all(descriptors.map((fd) => startWorker('second', fd)));
    expect(await Promise.all(between)).to.deep.equal(['second', 'second']);
  });

  it('makes a Unix socket with its mode whatever the umask, and leaves that as it was', async () => {
    const before = process.umask(0o022);
    await acquire(listener(unix, { mode: 0o666 }));
    expect(process.umask(before)).to.equal(0o022);
    expect(statSync(path).mode & 0o777).to.equal(0o666);
  });

  it('tells the port that the kernel chose, for each port 0 another', async () => {
    const { addresses } = await acquire(listener(TCP), listener(TCP));
    const ports = addresses.map((address) => (address.kind === 'tcp' ? address.port : 0));
    expect(ports[0]).to.be.above(0);
    expect(ports[1]).to.be.above(0).and.not.equal(ports[0]);
    const again = await acquire(listener(TCP), listener(TCP));
    expect(again.addresses).to.deep.equal(addresses);
  });

  it('keeps what two sets have until the last one releases it', async () => {
    const old = await acquire(listener(unix), listener(TCP), listener(TCP));
    const both = await acquire(listener(unix), listener(TCP));
    expect(both.descriptors).to.deep.equal(old.descriptors.slice(0, 2));
    const [, shared = unix, own = unix] = old.addresses;
    old.release();
    old.release();
    expect(await codeOf(ask(own))).to.equal('ECONNREFUSED');
    expect(existsSync(path)).to.equal(true);
    await startWorker('both', both.descriptors[1]);
    expect(await ask(shared)).to.equal('both');
    both.release();
    expect(existsSync(path)).to.equal(false);
  });

  it('knows one socket by its address alone: other rights are given to it in place, and taken back', async () => {
    const old = await acquire(listener(unix, { mode: 0o600 }));
    const next = await acquire(listener(unix, { mode: 0o660 }));
    expect(next.descriptors).to.deep.equal(old.descriptors);
    expect(statSync(path).mode & 0o777).to.equal(0o660);
    next.release();
    expect(statSync(path).mode & 0o777).to.equal(0o600);
  });

  it('binds all or nothing', async () => {
    const kept = await acquire(listener(unix));
    const taken: Address = { kind: 'unix', path: join(folder, 'taken.sock') };
    await serve(taken);
    const fresh: Address = { kind: 'unix', path: join(folder, 'fresh.sock') };
    const error = await codeOf(acquire(listener(unix, { mode: 0o666 }), listener(fresh), listener(taken)));
    expect(error).to.equal('ERR_SOCKET_IN_USE');
    expect(existsSync(fresh.path)).to.equal(false);
    expect(statSync(path).mode & 0o777).to.equal(0o600);
    await startWorker('kept', kept.descriptors[0]);
    expect(await ask(unix)).to.equal('kept');
  });

  it('says which TCP address somebody else has', async () => {
    await serve({ ...TCP });
    const bound = servers[0]?.address();
    const port = bound !== null && typeof bound === 'object' ? bound.port : 0;
    const error = await acquire(listener({ ...TCP, port })).catch((reason: unknown) => reason);
    expect(error).to.be.an('error').with.property('code', 'EADDRINUSE');
    expect(String(error)).to.include(
      `Cannot listen on 127.0.0.1, port ${port}: address already in use (EADDRINUSE)`,
    );
  });

  it('is seen as alive by another process that wants the same Unix socket, before any worker is there', async () => {
    await acquire(listener(unix));
    expect(await codeOf(new Sockets().acquire([listener(unix)]))).to.equal('ERR_SOCKET_IN_USE');
  });

  it('gives a TCP address that is bound but not yet listened on to nobody else', async () => {
    const { addresses } = await acquire(listener(TCP));
    const [address = TCP] = addresses;
    expect(await codeOf(new Sockets().acquire([listener(address)]))).to.equal('EADDRINUSE');
  });

  it('notices that its file is deleted, and binds it anew', async () => {
    const old = await acquire(listener(unix));
    expect(sockets.lost()).to.deep.equal([]);
    rmSync(path);
    expect(sockets.lost()).to.deep.equal([unix]);
    const next = await acquire(listener(unix));
    expect(next.descriptors).to.not.deep.equal(old.descriptors);
    expect(sockets.lost()).to.deep.equal([]);
    old.release();
    expect(existsSync(path)).to.equal(true);
    await startWorker('next', next.descriptors[0]);
    expect(await ask(unix)).to.equal('next');
  });

  it('still knows that its file is gone when the set that was to replace it is given up', async () => {
    await acquire(listener(unix));
    rmSync(path);
    const next = await acquire(listener(unix));
    next.release();
    expect(sockets.lost()).to.deep.equal([unix]);
  });

  it('leaves the file of a successor alone', async () => {
    const set = await acquire(listener(unix));
    const other: Address = { kind: 'unix', path: join(folder, 'b.sock') };
    await serve(other);
    renameSync(other.path, path);
    expect(sockets.lost()).to.deep.equal([unix]);
    expect(await codeOf(acquire(listener(unix)))).to.equal('ERR_SOCKET_IN_USE');
    set.release();
    expect(await ask(unix)).to.equal('another');
  });

  it('refuses a path on which a file lies that is no socket', async () => {
    writeFileSync(path, 'precious');
    expect(await codeOf(acquire(listener(unix)))).to.equal('ERR_SOCKET_NOT_A_SOCKET');
    expect(readFileSync(path, 'utf8')).to.equal('precious');
  });

  it('goes on where the folder of its socket has gone', async () => {
    const deep: Address = { kind: 'unix', path: join(folder, 'run/a.sock') };
    const set = await acquire(listener(deep));
    rmSync(join(folder, 'run'), { recursive: true });
    expect(sockets.lost()).to.deep.equal([deep]);
    expect(() => set.release()).not.to.throw();
  });

  it('closes its descriptors for children that are not given them', async () => {
    const { descriptors } = await acquire(listener(unix), listener(TCP));
    const inodes = descriptors.map((fd) => readlinkSync(`/proc/self/fd/${fd}`));
    const child = spawn('sh', ['-c', 'ls -l /proc/self/fd'], { stdio: ['ignore', 'pipe', 'inherit'] });
    let listing = '';
    child.stdout.on('data', (chunk: Buffer) => (listing += chunk.toString()));
    await once(child, 'close');
    expect(listing).to.include('/proc/');
    for (const inode of inodes) expect(listing).to.not.include(inode);
  });
});
