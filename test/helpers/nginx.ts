// Runs a real nginx for one test: its own folder, configuration, logs and ports, in the foreground, stopped by pid.
// Knows nothing of viaduct; the configuration's text comes from the test (see nginx-locations.ts).
import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { makeTempDir, removeTempDir } from './temp.ts';
import { waitFor } from './wait.ts';

export * from './nginx-locations.ts';

export interface NginxOptions {
  /**
   * Server blocks. `{{port}}` and `{{port:NAME}}` become free ports of 127.0.0.1, the same name the same port;
   * `{{dir}}` becomes nginx's folder, for sockets and files.
   */
  servers: string;
  /** More for the http block, upstreams say; takes the same placeholders. */
  http?: string;
  /** What stands above the http block beside its user, in place of room for 4096 connections. */
  main?: string;
}

export interface Nginx {
  /** The port of `{{port}}`. Throws where the configuration has none. */
  readonly port: number;
  /** The port of `{{port:NAME}}`. */
  portOf(name: string): number;
  /** Its own folder, removed by stop(). */
  readonly dir: string;
  readonly pid: number;
  /** All of its error log so far, at level info. */
  errorLog(): Promise<string>;
  /** All of its access log so far; a line comes a moment after the client has its response, so wait for it. */
  accessLog(): Promise<string>;
  /** Ends it at once (SIGTERM), waits until it is gone and removes its folder. Twice is harmless. */
  stop(): Promise<void>;
}

const START_TIMEOUT_MS = 10_000;
const STOP_TIMEOUT_MS = 5000;
const PORT_CLASHES_TOLERATED = 5;
const PORT_PLACEHOLDER = /\{\{port(?::(\w+))?\}\}/g;
const MAIN = 'events { worker_connections 4096; }';
const running = new Set<ChildProcess>();

// A hook that never ran must not leave an nginx behind.
process.once('exit', () => {
  for (const child of running) signalGroup(child, 'SIGKILL');
});

/**
 * Starts nginx and resolves once each of its ports accepts connections.
 * @throws {Error} with nginx's own words where it refuses the configuration
 */
export async function startNginx(options: NginxOptions): Promise<Nginx> {
  const program = findNginx();
  const dir = await makeTempDir();
  await mkdir(join(dir, 'temp'));
  for (let clashes = 0; ; clashes += 1) {
    const ports = await findPorts(`${options.http ?? ''}${options.servers}`);
    await writeFile(join(dir, 'nginx.conf'), fillIn(configuration(options), dir, ports));
    await writeFile(join(dir, 'error.log'), '');
    const child = launch(program, dir);
    try {
      await waitUntilReady(child, dir, ports);
      return handle(child, dir, ports);
    } catch (error) {
      await end(child);
      const log = await readFile(join(dir, 'error.log'), 'utf8');
      // Somebody took the port between our look and nginx's bind().
      if (log.includes('Address already in use') && clashes < PORT_CLASHES_TOLERATED) continue;
      await removeTempDir(dir);
      throw new Error(`Cannot start nginx: ${log.trim() || 'its error log is empty'}`, { cause: error });
    }
  }
}

/** The path of the nginx program; Debian keeps it outside the PATH of ordinary users. */
export function findNginx(): string {
  for (const folder of [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/usr/local/sbin']) {
    const file = join(folder, 'nginx');
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // Not in this folder.
    }
  }
  throw new Error('Cannot find nginx: it is neither on PATH nor in /usr/sbin; run test/setup.sh as root');
}

function configuration({ servers, http = '', main = MAIN }: NginxOptions): string {
  const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return `
# Workers keep the user who runs the tests: the sockets lie in folders that only this user may enter.
${process.getuid?.() === 0 ? `user ${userInfo().username};` : ''}
${main}
daemon off;
worker_processes 1;
pid {{dir}}/nginx.pid;
error_log {{dir}}/error.log info;
http {
  log_format test '$connection $status $body_bytes_sent upstream=$upstream_status "$request"';
  access_log {{dir}}/access.log test;
${temp.map((kind) => `  ${kind}_temp_path {{dir}}/temp/${kind};`).join('\n')}
${http}
${servers}
}
`;
}

function launch(program: string, dir: string): ChildProcess {
  const args = ['-p', dir, '-c', join(dir, 'nginx.conf'), '-e', join(dir, 'error.log')];
  // A process group of its own: should the master have to be killed, its workers go with it.
  const child = spawn(program, args, { stdio: 'ignore', detached: true });
  child.on('error', () => running.delete(child));
  child.on('exit', () => running.delete(child));
  running.add(child);
  return child;
}

/** The pid file comes after bind(), so a stranger on our port is not taken for nginx. */
async function waitUntilReady(
  child: ChildProcess,
  dir: string,
  ports: ReadonlyMap<string, number>,
): Promise<void> {
  const hasPidFile = async (): Promise<boolean> => {
    if (hasExited(child)) return true;
    return (await readFile(join(dir, 'nginx.pid'), 'utf8')).trim() === String(child.pid);
  };
  await waitFor(hasPidFile, { what: "nginx's pid file", timeout: START_TIMEOUT_MS });
  for (const port of ports.values()) {
    const accepts = (): Promise<boolean> | true => hasExited(child) || canConnect(port);
    await waitFor(accepts, {
      what: `nginx to accept connections on port ${port}`,
      timeout: START_TIMEOUT_MS,
    });
  }
  if (hasExited(child)) throw new Error(`Cannot start nginx: it exited with code ${child.exitCode}`);
}

function handle(child: ChildProcess, dir: string, ports: ReadonlyMap<string, number>): Nginx {
  let stopping: Promise<void> | undefined;
  const portOf = (name: string): number => {
    const port = ports.get(name);
    if (port === undefined)
      throw new Error(`Cannot find port "${name}": the configuration has no such placeholder`);
    return port;
  };
  return {
    get port(): number {
      return portOf('');
    },
    portOf,
    dir,
    pid: child.pid ?? 0,
    errorLog: () => readFile(join(dir, 'error.log'), 'utf8'),
    accessLog: () => readFile(join(dir, 'access.log'), 'utf8'),
    stop: () => (stopping ??= end(child).then(() => removeTempDir(dir))),
  };
}

async function end(child: ChildProcess): Promise<void> {
  if (hasExited(child)) return;
  child.kill('SIGTERM');
  try {
    await waitFor(() => hasExited(child), { what: 'nginx to exit', timeout: STOP_TIMEOUT_MS });
  } catch {
    signalGroup(child, 'SIGKILL');
    await waitFor(() => hasExited(child), { what: 'nginx to be killed', timeout: STOP_TIMEOUT_MS });
  }
}

function hasExited(child: ChildProcess): boolean {
  return child.pid === undefined || child.exitCode !== null || child.signalCode !== null;
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // The group is gone already.
  }
}

function fillIn(text: string, dir: string, ports: ReadonlyMap<string, number>): string {
  return text
    .replaceAll('{{dir}}', dir)
    .replaceAll(PORT_PLACEHOLDER, (_, name: string | undefined) => String(ports.get(name ?? '')));
}

async function findPorts(text: string): Promise<Map<string, number>> {
  const ports = new Map<string, number>();
  const names = new Set([...text.matchAll(PORT_PLACEHOLDER)].map((match) => match[1] ?? ''));
  for (const name of names) {
    let port: number;
    do port = await findFreePort();
    while ([...ports.values()].includes(port));
    ports.set(name, port);
  }
  return ports;
}

/** A port of 127.0.0.1 that nobody listens on at this moment. */
export async function findFreePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve, reject) => probe.once('error', reject).listen(0, '127.0.0.1', resolve));
  const address = probe.address();
  await new Promise<void>((resolve) => probe.close(() => resolve()));
  if (address === null || typeof address === 'string') throw new Error('Cannot find a free port: no address');
  return address.port;
}

function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
