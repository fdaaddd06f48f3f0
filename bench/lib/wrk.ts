// Runs wrk and reads what it prints.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

export interface WrkOptions {
  readonly url: string;
  readonly connections: number;
  readonly seconds: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
}

export interface WrkResult {
  readonly requests: number;
  /** Requests a second. */
  readonly rate: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** Answers that were not 2xx or 3xx, and connections that failed. */
  readonly errors: number;
}

const run = promisify(execFile);

export async function runWrk({ url, connections, seconds, headers }: WrkOptions): Promise<WrkResult> {
  const lines = headers.flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
  const args = ['-t1', `-c${connections}`, `-d${seconds}s`, '--latency', ...lines, url];
  const { stdout } = await run('wrk', args);
  return parseWrk(stdout);
}

function parseWrk(text: string): WrkResult {
  const rate = Number(/^Requests\/sec:\s+([\d.]+)$/m.exec(text)?.[1]);
  const requests = Number(/^\s+(\d+) requests in /m.exec(text)?.[1]);
  if (!(rate >= 0) || !(requests >= 0)) throw new Error(`Cannot read what wrk printed: ${text}`);
  const sockets = /connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text)?.slice(1) ?? [];
  const answers = Number(/Non-2xx or 3xx responses: (\d+)/.exec(text)?.[1] ?? 0);
  return {
    requests,
    rate,
    p50: latency(text, '50'),
    p99: latency(text, '99'),
    errors: sockets.reduce((sum, count) => sum + Number(count), answers),
  };
}

const UNIT_IN_MS: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1000, m: 60_000 };

function latency(text: string, percent: string): number {
  const [, value, unit = ''] = new RegExp(`^\\s+${percent}%\\s+([\\d.]+)(\\w+)$`, 'm').exec(text) ?? [];
  return Number(value) * (UNIT_IN_MS[unit] ?? Number.NaN);
}
