// Runs a real viaduct for one test: its own folder, configuration, sockets and logs; stopped by pid.
// Knows the command line and the admin address only, nothing of what is inside the process.
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync } from 'node:fs';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Status } from '../../src/observe/status-data.ts';
import { type HttpResponse, request } from './http-client.ts';
import { findFreePort } from './nginx.ts';
import { descendantsOf, hasInEnvironment, listProcesses, residentMemory } from './processes.ts';
import { projectRoot } from './project.ts';
import { makeTempDir, removeTempDir } from './temp.ts';
import { waitFor } from './wait.ts';

export interface DaemonOptions {
  /**
   * viaduct.yaml as text, or as data (JSON is YAML). `{{dir}}` becomes the daemon's folder, `{{port}}` and `{{port:NAME}}`
   * free ports of 127.0.0.1. Without `admin` the admin page is on a Unix socket in the folder (with it on `{{port:admin}}`, or
   * nobody asks it); without `log` the access log
   * is `{{dir}}/access.log` and the daemon's own goes to stderr; without `run_dir` that is `{{dir}}/run`.
   */
  config: string | object;
  /** More files for the folder: path and text, the same placeholders. */
  files?: Readonly<Record<string, string>>;
  /** For the environment, beside what the tests have. */
  env?: Readonly<Record<string, string>>;
  /** Its folder for everybody to read: a daemon that gives root up loads its apps from there. */
  open?: boolean;
  /** Milliseconds until it must be ready; 10000 unless told. */
  timeout?: number;
  /** Some of its mounts do not boot: it counts as ready when it serves the others. */
  degraded?: boolean;
  /** A program and its arguments that become viaduct: `['prlimit', '--nofile=128']`. */
  under?: readonly string[];
  /** More for the command line of `viaduct serve`: `['--watch']`. */
  args?: readonly string[];
  /** A file for its stderr, /dev/full say; Daemon.stderr() is empty then. */
  stderrFile?: string;
}

export interface Metric {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export type LogLine = Readonly<Record<string, unknown>>;

/** In the environment of every daemon that the tests start: its folder. Children that got away still have it. */
export const MARK = 'VIADUCT_TEST_DIR';

const PROGRAM = join(projectRoot, 'dist/src/cli/main.js');
const STOP_TIMEOUT_MS = 10_000;
const PORT_CLASHES_TOLERATED = 5;
const PLACEHOLDER = /\{\{(dir|port(?::(\w+))?)\}\}/g;
const running = new Set<ChildProcess>();

// A hook that never ran must not leave a daemon behind.
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/**
 * Starts `viaduct serve` and resolves once all its sockets accept and, where it has an admin page, /readyz says 200.
 * @throws {Error} with its stderr where it does not come up
 */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  for (let clashes = 0; ; clashes += 1) {
    const daemon = await launch(options);
    try {
      await daemon.ready(options.timeout ?? 10_000, options.degraded);
      return daemon;
    } catch (error) {
      await daemon.remove();
      // Somebody took the port between our look and the daemon's bind().
      if (daemon.stderr().includes('EADDRINUSE') && clashes < PORT_CLASHES_TOLERATED) continue;
      throw new Error(`Cannot start viaduct, its stderr: ${daemon.stderr().trim() || '(empty)'}`, {
        cause: error,
      });
    }
  }
}

async function launch(options: DaemonOptions): Promise<Daemon> {
  const { config, files = {}, open = false } = options;
  const dir = await makeTempDir();
  if (open) await chmod(dir, 0o755);
  const text = withDefaults(asText(config));
  const ports = new Map<string, number>();
  for (const [name, content] of Object.entries({ ...files, 'viaduct.yaml': text })) {
    await mkdir(dirname(join(dir, name)), { recursive: true });
    await writeFile(join(dir, name), await fillIn(content, dir, ports));
  }
  return run(dir, ports, options);
}

/** Starts it once more, on what an earlier one has left in its folder; the earlier one's remove() ends both. */
export async function startAgain(earlier: Daemon): Promise<Daemon> {
  const daemon = run(earlier.dir, earlier.ports, {});
  await daemon.ready(10_000);
  return daemon;
}

function run(
  dir: string,
  ports: ReadonlyMap<string, number>,
  { env = {}, under = [], args: more = [], stderrFile }: Omit<DaemonOptions, 'config'>,
): Daemon {
  const [program, ...args] = [...under, process.execPath];
  args.push(PROGRAM, 'serve', '-c', join(dir, 'viaduct.yaml'), ...more);
  const stderr = stderrFile === undefined ? 'pipe' : openSync(stderrFile, 'w');
  const child = spawn(program, args, {
    cwd: dir,
    env: { ...process.env, ...env, [MARK]: dir },
    stdio: ['ignore', 'ignore', stderr],
  });
  if (stderr !== 'pipe') closeSync(stderr);
  return new Daemon(child, dir, ports);
}

/** A `viaduct serve` that runs, or has run. */
export class Daemon {
  /** Its own folder, removed by remove(). */
  readonly dir: string;
  readonly pid: number;
  /** Resolves with the exit code once it is gone; null where a signal ended it. */
  readonly exited: Promise<number | null>;
  readonly #child: ChildProcess;
  /** What `{{port:NAME}}` stood for, by name. */
  readonly ports: ReadonlyMap<string, number>;
  readonly #stderr: Buffer[] = [];
  #removal: Promise<void> | undefined;

  constructor(child: ChildProcess, dir: string, ports: ReadonlyMap<string, number>) {
    this.#child = child;
    this.dir = dir;
    this.pid = child.pid ?? 0;
    this.ports = ports;
    running.add(child);
    child.stderr?.on('data', (chunk: Buffer) => this.#stderr.push(chunk));
    // Not "exit": stderr may still hold the reason then.
    this.exited = new Promise((resolve) => child.once('close', resolve));
    child.once('close', () => running.delete(child));
  }

  /** The path of the Unix socket `{{dir}}/NAME.sock`. */
  socket(name: string): string {
    return join(this.dir, `${name}.sock`);
  }

  /** The number `{{port}}` or `{{port:NAME}}` stood for. */
  port(name = ''): number {
    const port = this.ports.get(name);
    if (port === undefined) throw new Error(`Cannot find port "${name}": the configuration has none`);
    return port;
  }

  /** One request to the admin page, /metrics say. */
  admin(path: string): Promise<HttpResponse> {
    const port = this.ports.get('admin');
    return request(port === undefined ? { socketPath: this.socket('admin'), path } : { port, path });
  }

  async ready(timeout: number, degraded = false): Promise<void> {
    const isReady = async (): Promise<boolean> => {
      if (this.#isGone()) return true;
      if (degraded || !existsSync(this.socket('admin')))
        return this.log().some(({ msg }) => msg === 'Serving');
      return (await this.admin('/readyz')).status === 200;
    };
    await waitFor(isReady, { what: 'viaduct to be ready', timeout });
    if (this.#isGone()) throw new Error(`Cannot use viaduct: it exited with code ${await this.exited}`);
  }

  /** Every sample of /metrics, by name and labels as the text has them: `viaduct_requests_total{mount="/",...}`. */
  async metrics(): Promise<Map<string, Metric>> {
    const { text } = await this.admin('/metrics');
    return parseMetrics(text);
  }

  /** The sum of all samples of that name that have these labels; 0 where there is none. */
  async metric(name: string, labels: Readonly<Record<string, string>> = {}): Promise<number> {
    let sum = 0;
    for (const sample of (await this.metrics()).values()) {
      const fits = Object.entries(labels).every(([label, value]) => sample.labels[label] === value);
      if (sample.name === name && fits) sum += sample.value;
    }
    return sum;
  }

  /** Writes viaduct.yaml anew, as startDaemon() did; nothing is reloaded by that. */
  async configure(config: string | object): Promise<void> {
    await this.write('viaduct.yaml', withDefaults(asText(config)));
  }

  /** Writes a file into its folder, the same placeholders as for startDaemon(). */
  async write(name: string, text: string): Promise<void> {
    await writeFile(join(this.dir, name), await fillIn(text, this.dir, new Map(this.ports)));
  }

  /** /status.json */
  async status(): Promise<Status> {
    return JSON.parse((await this.admin('/status.json')).text) as Status;
  }

  /** The pids of the workers that serve, in the order of their slots. */
  async workers(): Promise<number[]> {
    const { workers } = await this.status();
    return workers.flatMap(({ pid, state }) => (pid !== null && state === 'ready' ? [pid] : []));
  }

  /** All of its stderr so far. */
  stderr(): string {
    return Buffer.concat(this.#stderr).toString('utf8');
  }

  /** Its own log on stderr so far. */
  log(): LogLine[] {
    return jsonLines(this.stderr()).filter((line) => 'level' in line);
  }

  /** Resolves with the first line of its own log that fits. */
  waitForLog(fits: (line: LogLine) => boolean, what: string): Promise<LogLine> {
    return waitFor(() => this.log().find(fits), { what: `the log line: ${what}` });
  }

  /** The JSON lines of `{{dir}}/access.log` so far; a line comes a moment after the client has its response. */
  async accessLog(): Promise<LogLine[]> {
    return jsonLines(await readFile(join(this.dir, 'access.log'), 'utf8'));
  }

  /** Resolves with the first line of the access log that fits. */
  waitForAccess(fits: (line: LogLine) => boolean, what: string): Promise<LogLine> {
    return waitFor(async () => (await this.accessLog()).find(fits), { what: `the access log line: ${what}` });
  }

  /** Bytes of memory that are resident, of it and of all processes it has started. */
  rss(): number {
    return [this.pid, ...descendantsOf(this.pid).map(({ pid }) => pid)].reduce(
      (sum, pid) => sum + residentMemory(pid),
      0,
    );
  }

  /** Closes our end of its stderr, as a log reader that died. */
  closeStderr(): void {
    this.#child.stderr?.destroy();
  }

  /** Sends a signal without waiting. */
  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Ends it and resolves with its exit code, null where a signal ended it. The folder stays, for its logs. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    if (!this.#isGone()) this.#child.kill(signal);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      const message = `Cannot stop viaduct by ${signal} within ${STOP_TIMEOUT_MS} ms, its stderr: `;
      timer = setTimeout(() => reject(new Error(message + this.stderr())), STOP_TIMEOUT_MS);
    });
    try {
      return await Promise.race([this.exited, late]);
    } finally {
      clearTimeout(timer);
      if (!this.#isGone()) this.#child.kill('SIGKILL');
    }
  }

  /** Ends it and all it has started at once and removes its folder: for `after` hooks. Fine after a stop(), and twice. */
  remove(): Promise<void> {
    return (this.#removal ??= this.#remove());
  }

  async #remove(): Promise<void> {
    this.#child.kill('SIGKILL');
    // By their mark, not by their parent: that may be gone, and a process that is stopped ends by nothing else.
    for (const { pid } of listProcesses())
      if (hasInEnvironment(pid, MARK, this.dir)) process.kill(pid, 'SIGKILL');
    await this.stop('SIGKILL');
    await removeTempDir(this.dir);
  }

  #isGone(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }
}

const asText = (config: string | object): string =>
  typeof config === 'string' ? config : JSON.stringify(config, null, 2);

function withDefaults(text: string): string {
  const has = (key: string): boolean => new RegExp(`^(  ")?${key}"?:`, 'm').test(text);
  const defaults = {
    admin: { address: 'unix:{{dir}}/admin.sock' },
    log: { access: { file: '{{dir}}/access.log' } },
    run_dir: '{{dir}}/run',
  };
  const missing = Object.entries(defaults).filter(([key]) => !has(key));
  if (!text.startsWith('{')) {
    return [text, ...missing.map(([key, value]) => `${key}: ${JSON.stringify(value)}`)].join('\n');
  }
  return JSON.stringify({ ...(JSON.parse(text) as object), ...Object.fromEntries(missing) }, null, 2);
}

async function fillIn(text: string, dir: string, ports: Map<string, number>): Promise<string> {
  for (const [, kind, name = ''] of text.matchAll(PLACEHOLDER)) {
    if (kind === 'dir' || ports.has(name)) continue;
    let port: number;
    do port = await findFreePort();
    while ([...ports.values()].includes(port));
    ports.set(name, port);
  }
  return text.replaceAll(PLACEHOLDER, (_, kind: string, name: string | undefined) =>
    kind === 'dir' ? dir : String(ports.get(name ?? '')),
  );
}

function jsonLines(text: string): LogLine[] {
  // The last line may still be on its way; others may be no JSON, warnings of Node say.
  const lines = text.split('\n').slice(0, -1);
  return lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as LogLine);
}

function parseMetrics(text: string): Map<string, Metric> {
  const samples = new Map<string, Metric>();
  for (const line of text.split('\n')) {
    const match = /^(([a-z_:][\w:]*)(?:\{(.*)\})?) (\S+)$/i.exec(line);
    if (match === null) continue;
    const [, key = '', name = '', list = '', value] = match;
    const pairs = [...list.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)];
    const labels = Object.fromEntries(pairs.map(([, label = '', content = '']) => [label, content]));
    samples.set(key, { name, labels, value: Number(value) });
  }
  return samples;
}
