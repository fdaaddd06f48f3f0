// `npm start`: from a fresh clone to running example apps. Sets itself up, serves config/viaduct.yaml, puts a private
// nginx in front where there is one, and ends all of it together. Plain JavaScript without dependencies.
import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { constants } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findNginx, readErrorLog, startNginx } from './private-nginx.mjs';
import { buildIfStale, fail, installPackages, projectRoot, requireNode } from './setup.mjs';

// What config/viaduct.yaml listens on; the two must agree.
const SOCKETS = {
  fastcgi: join(projectRoot, 'run/fastcgi.sock'),
  uwsgi: join(projectRoot, 'run/uwsgi.sock'),
};
const DAEMON_PORTS = { http: 8080, admin: 9180 };
const NGINX_PORTS = { fastcgi: 8081, uwsgi: 8082 };

const START_TIMEOUT_MS = 30_000;
const NGINX_KILL_MS = 3000;
// Ctrl-C under npm arrives twice, from the terminal and from npm, and a second signal means "at once" to the daemon.
const SAME_SIGNAL_MS = 500;

requireNode();
installPackages();
buildIfStale();

const nginxProgram = findNginx();
await requireFreePorts([
  ...Object.values(DAEMON_PORTS),
  ...(nginxProgram === undefined ? [] : Object.values(NGINX_PORTS)),
]);
mkdirSync(join(projectRoot, 'run'), { recursive: true });

// Of its own process group: a signal from the terminal comes to this process alone, which passes it on once.
const main = ['dist/src/cli/main.js', 'serve', '-c', 'config/viaduct.yaml'];
const daemon = spawn(process.execPath, main, { cwd: projectRoot, stdio: 'inherit', detached: true });
let nginx;
let stopping = false;
const daemonEnded = new Promise((resolve) => {
  daemon.once('error', (error) => fail(`Cannot run the daemon: ${error.message}`));
  daemon.once('exit', (code, signal) => resolve({ code, signal }));
});
passOnSignals();

if (await accept([...Object.values(SOCKETS), ...Object.values(DAEMON_PORTS)], daemon, 'The daemon')) {
  const served = nginxProgram !== undefined && !stopping && (await serveWithNginx());
  if (!stopping && isRunning(daemon)) announce(served);
}
const { code, signal } = await daemonEnded;
await stopNginx();
if (code !== 0 && !stopping)
  console.error(`The daemon ended ${code === null ? `by ${signal}` : `with code ${code}`}`);
// An end by a signal has no code; this is what a shell makes of it.
process.exit(code ?? 128 + constants.signals[signal]);

async function serveWithNginx() {
  const folder = join(projectRoot, 'run/nginx');
  nginx = startNginx({
    program: nginxProgram,
    folder,
    fastcgi: { socket: SOCKETS.fastcgi, port: NGINX_PORTS.fastcgi },
    uwsgi: { socket: SOCKETS.uwsgi, port: NGINX_PORTS.uwsgi },
  });
  nginx.once('error', (error) => console.error(`Cannot run nginx: ${error.message}`));
  if (await accept(Object.values(NGINX_PORTS), nginx, 'nginx')) {
    nginx.once(
      'exit',
      () => stopping || console.error(`nginx ended by itself; it said:\n${readErrorLog(folder)}`),
    );
    return true;
  }
  if (!stopping)
    console.error(`viaduct goes on without nginx, which said:\n${readErrorLog(folder) || '(nothing)'}`);
  return false;
}

function announce(withNginx) {
  const lines = [
    'viaduct serves config/viaduct.yaml',
    `  http://127.0.0.1:${DAEMON_PORTS.http}/  viaduct itself, HTTP`,
  ];
  if (withNginx) {
    lines.push(`  http://127.0.0.1:${NGINX_PORTS.fastcgi}/  nginx, then FastCGI over run/fastcgi.sock`);
    lines.push(`  http://127.0.0.1:${NGINX_PORTS.uwsgi}/  nginx, then uwsgi over run/uwsgi.sock`);
  } else {
    lines.push('  run/fastcgi.sock and run/uwsgi.sock  for an nginx of yours');
  }
  lines.push(`  http://127.0.0.1:${DAEMON_PORTS.admin}/  status page, metrics`);
  if (nginxProgram === undefined) lines.push('No nginx on PATH, so none was started');
  lines.push('Ctrl-C stops it');
  console.log(lines.join('\n'));
}

function passOnSignals() {
  let last = { name: '', at: -Infinity };
  // SIGHUP is a closed terminal here, not a reload.
  for (const [name, passedOn] of Object.entries({
    SIGINT: 'SIGINT',
    SIGTERM: 'SIGTERM',
    SIGHUP: 'SIGTERM',
  })) {
    process.on(name, () => {
      const now = performance.now();
      const repeated = last.name === name && now - last.at < SAME_SIGNAL_MS;
      last = { name, at: now };
      if (repeated) return;
      stopping = true;
      // nginx takes no new requests and finishes those it has, which end with the daemon's at the latest.
      nginx?.kill('SIGQUIT');
      daemon.kill(passedOn);
    });
  }
}

async function stopNginx() {
  if (nginx === undefined || !isRunning(nginx)) return;
  const ended = new Promise((resolve) => nginx.once('exit', resolve));
  nginx.kill('SIGTERM');
  const waiting = sleep(NGINX_KILL_MS, 'late', { ref: false });
  // The whole group, or the workers of a killed master would live on.
  if ((await Promise.race([ended, waiting])) === 'late') process.kill(-nginx.pid, 'SIGKILL');
}

/** Waits until every address (a port or a socket's path) accepts connections; false where the process ended first. */
async function accept(addresses, child, name) {
  const deadline = performance.now() + START_TIMEOUT_MS;
  for (const address of addresses) {
    while (!(await canConnect(address))) {
      if (!isRunning(child)) return false;
      if (performance.now() > deadline) {
        console.error(`${name} does not listen on ${address} after ${START_TIMEOUT_MS / 1000} s`);
        return false;
      }
      await sleep(50);
    }
  }
  return isRunning(child);
}

async function requireFreePorts(ports) {
  for (const port of ports) {
    const server = createServer();
    const error = await new Promise((resolve) => {
      server.once('error', resolve).listen(port, '127.0.0.1', () => server.close(() => resolve(undefined)));
    });
    if (error === undefined) continue;
    const reason = error.code === 'EADDRINUSE' ? 'something listens there already' : error.message;
    fail(`Cannot start on 127.0.0.1:${port}: ${reason} ("ss -ltnp" shows what)`);
  }
}

function canConnect(address) {
  return new Promise((resolve) => {
    const socket = typeof address === 'number' ? connect(address, '127.0.0.1') : connect(address);
    socket.once('error', () => resolve(false));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}

function isRunning(child) {
  return child.pid !== undefined && child.exitCode === null && child.signalCode === null;
}
