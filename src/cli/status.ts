// `viaduct status`: what the running viaduct says of itself, for people or, with --json, for programs.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Status } from '../observe/status-data.ts';
import { readArguments } from './arguments.ts';
import { ask, CONFIG_OPTION } from './control-client.ts';
import { EXIT } from './exit-codes.ts';
import type { Io } from './io.ts';

const USAGE = `Usage: viaduct status [-c FILE] [--json] [--watch]
Shows workers, listeners and mounts.
${CONFIG_OPTION}
  --json             prints the JSON of /status.json
  --watch            again every second, until it is interrupted
`;

const OPTIONS = {
  config: { type: 'string', short: 'c' },
  json: { type: 'boolean' },
  watch: { type: 'boolean' },
} as const;

const REFRESH = 1000;
/** Milliseconds for the answer, which viaduct has ready within 100 whatever its workers do. */
const LIMIT = 5000;
/** Cursor home, and the screen cleared from there. */
const CLEAR = '\u001b[H\u001b[2J';

/** 0, or 69 when nobody is there. */
export async function runStatus(argv: string[], io: Io): Promise<number> {
  const options = readArguments(argv, OPTIONS, USAGE, io);
  if (typeof options === 'number') return options;
  for (;;) {
    const answer = await ask({ config: options.config, method: 'GET', path: '/status', limit: LIMIT }, io);
    if (typeof answer === 'number') return answer;
    const status = answer.body as Status;
    const text = options.json === true ? `${JSON.stringify(status, null, 2)}\n` : formatStatus(status);
    io.stdout(options.watch === true && options.json !== true ? CLEAR + text : text);
    if (options.watch !== true) return EXIT.ok;
    await sleep(REFRESH);
  }
}

export function formatStatus(status: Status): string {
  const { version, pid, uptime_seconds: up, generation, reloads, workers, listeners, mounts } = status;
  const head = [
    `viaduct ${version}, pid ${pid}, up ${duration(up)}, ${status.ready ? 'ready' : 'not ready'}`,
    ...status.reasons.map((reason) => `  ${reason}`),
    `${status.config}, generation ${generation}, reloads: ${reloads.ok} ok, ${reloads.rejected} rejected`,
    `${status.requests_in_flight} requests in flight, ${status.log_lines_dropped} log lines dropped`,
  ];
  const workerRows = workers.map((worker) => [
    String(worker.slot),
    worker.kind,
    worker.pid === null ? '-' : String(worker.pid),
    worker.state,
    duration(worker.uptime_seconds),
    String(worker.requests),
    String(worker.in_flight),
    `${Math.round(worker.rss_bytes / 1024 ** 2)}M`,
    String(worker.generation),
  ]);
  const tables = [
    table(
      ['WORKER', 'KIND', 'PID', 'STATE', 'UP', 'REQUESTS', 'IN FLIGHT', 'MEMORY', 'GENERATION'],
      workerRows,
    ),
    table(
      ['LISTENER', 'PROTOCOL'],
      listeners.map(({ address, protocol }) => [address, protocol]),
    ),
    table(
      ['MOUNT', 'HOST', 'PATH', 'INTERFACE'],
      mounts.map(({ name, host, path, interface: kind }) => [name, host ?? '-', path, kind]),
    ),
  ];
  return `${head.join('\n')}\n\n${tables.join('\n')}`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  const format = (line: readonly string[]): string =>
    line
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  return lines.map((line) => `${format(line)}\n`).join('');
}

/** "45s", "3m 2s", "5h 10m", "12d 3h" */
function duration(seconds: number): string {
  const whole = Math.floor(seconds);
  const [days, hours, minutes] = [
    Math.floor(whole / 86_400),
    Math.floor(whole / 3600) % 24,
    Math.floor(whole / 60) % 60,
  ];
  if (days > 0) return `${days}d ${hours}h`;
  if (hours > 0) return `${hours}h ${minutes}m`;
  return minutes > 0 ? `${minutes}m ${whole % 60}s` : `${whole}s`;
}
