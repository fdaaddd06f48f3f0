// Runs a real Prometheus for one test, with deploy/prometheus.yml aimed at a daemon: its own folder and port, stopped by pid.
// Knows of viaduct only the address of its metrics.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { request } from './http-client.ts';
import { findFreePort } from './nginx.ts';
import { projectRoot } from './project.ts';
import { makeTempDir, removeTempDir } from './temp.ts';
import { waitFor } from './wait.ts';

export interface PrometheusOptions {
  /** HOST:PORT of the admin address. */
  readonly target: string;
  /** `200ms`; as short as a test needs it. */
  readonly interval: string;
}

export interface Target {
  readonly health: string;
  readonly lastError: string;
  readonly labels: Readonly<Record<string, string>>;
}

export interface Rule {
  readonly name: string;
  readonly health: string;
  /** `inactive`, `pending` or `firing`. */
  readonly state: string;
}

interface Config {
  global: Record<string, unknown>;
  rule_files: string[];
  scrape_configs: [{ scrape_timeout?: string; static_configs: [{ targets: string[] }] }];
}

const running = new Set<ChildProcess>();

// A hook that never ran must not leave one behind.
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** @throws {Error} with its stderr where it does not come up */
export async function startPrometheus({ target, interval }: PrometheusOptions): Promise<Prometheus> {
  const dir = await makeTempDir();
  const config = parse(await readFile(join(projectRoot, 'deploy/prometheus.yml'), 'utf8')) as Config;
  config.global = { scrape_interval: interval, scrape_timeout: interval, evaluation_interval: '1s' };
  config.rule_files = config.rule_files.map((file) => join(projectRoot, 'deploy', file));
  const [scrape] = config.scrape_configs;
  delete scrape.scrape_timeout;
  scrape.static_configs = [{ targets: [target] }];
  await writeFile(join(dir, 'prometheus.yml'), stringify(config));
  const port = await findFreePort();
  const child = spawn(
    'prometheus',
    [
      `--config.file=${join(dir, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(dir, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--log.level=warn',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const prometheus = new Prometheus(child, dir, port);
  try {
    await prometheus.ready();
    return prometheus;
  } catch (error) {
    await prometheus.stop();
    throw new Error(`Cannot start prometheus, its stderr: ${prometheus.stderr() || '(empty)'}`, {
      cause: error,
    });
  }
}

export class Prometheus {
  readonly #child: ChildProcess;
  readonly #dir: string;
  readonly #port: number;
  readonly #exited: Promise<void>;
  #stderr = '';

  constructor(child: ChildProcess, dir: string, port: number) {
    this.#child = child;
    this.#dir = dir;
    this.#port = port;
    running.add(child);
    child.stderr?.on('data', (chunk: Buffer) => (this.#stderr += chunk.toString()));
    this.#exited = new Promise((resolve) => {
      child.once('close', () => {
        running.delete(child);
        resolve();
      });
    });
  }

  /** All of it so far, warnings and errors only. */
  stderr(): string {
    return this.#stderr;
  }

  async ready(): Promise<void> {
    await waitFor(
      async () => {
        if (this.#child.exitCode !== null) return true;
        return (await request({ port: this.#port, path: '/-/ready' })).status === 200;
      },
      { what: 'prometheus to be ready', timeout: 15_000, interval: 50 },
    );
    if (this.#child.exitCode !== null) throw new Error(`It exited with code ${this.#child.exitCode}`);
  }

  async targets(): Promise<readonly Target[]> {
    return (await this.#ask<{ activeTargets: Target[] }>('targets')).activeTargets;
  }

  async rules(): Promise<readonly Rule[]> {
    const { groups } = await this.#ask<{ groups: { rules: Rule[] }[] }>('rules');
    return groups.flatMap(({ rules }) => rules);
  }

  /**
   * The value of an expression that gives one number; NaN where it gives nothing.
   * @param at Unix time in seconds; now unless told
   */
  async query(expression: string, at?: number): Promise<number> {
    const time = at === undefined ? '' : `&time=${at}`;
    const { result } = await this.#ask<{ result: { value: [number, string] }[] }>(
      `query?query=${encodeURIComponent(expression)}${time}`,
    );
    return Number(result[0]?.value[1] ?? NaN);
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exited;
    await removeTempDir(this.#dir);
  }

  async #ask<T>(path: string): Promise<T> {
    const { text } = await request({ port: this.#port, path: `/api/v1/${path}` });
    const answer = JSON.parse(text) as { status: string; error?: string; data: T };
    if (answer.status !== 'success') throw new Error(`Cannot ask prometheus for ${path}: ${answer.error}`);
    return answer.data;
  }
}

/** What promtool says of files or of its input, and its exit code. */
export function promtool(args: readonly string[], input = ''): { code: number | null; output: string } {
  const { status, stdout, stderr, error } = spawnSync('promtool', args, {
    cwd: projectRoot,
    input,
    encoding: 'utf8',
  });
  if (error !== undefined) throw error;
  return { code: status, output: `${stdout}${stderr}` };
}
