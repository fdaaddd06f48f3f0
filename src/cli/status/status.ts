// `viaduct status`: what the running viaduct says of itself, for people or, with --json, for programs.
import { BadValue } from '../../config/problems.ts';
import { parseDuration } from '../../config/units.ts';
import type { Status } from '../../observe/status-data.ts';
import { readArguments } from '../arguments.ts';
import { ask, CONFIG_OPTION } from '../control-client.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import type { Terminal } from './text-table.ts';
import { statusText } from './view.ts';
import { type Frame, watch } from './watch.ts';

const USAGE = `Usage: viaduct status [-c FILE] [--json] [--watch] [--interval TIME]
Shows mounts, workers, listeners, running requests and the last errors.
${CONFIG_OPTION}
  --json             prints the JSON of /status.json
  --watch            again and again, until it is interrupted; with --json one line each
  --interval TIME    between two looks: 500ms, 5s; default: 1s
`;

const OPTIONS = {
  config: { type: 'string', short: 'c' },
  json: { type: 'boolean' },
  watch: { type: 'boolean' },
  interval: { type: 'string' },
} as const;

const DEFAULT_INTERVAL = '1s';
const SHORTEST_INTERVAL = 100;
/** Milliseconds for the answer, which viaduct has ready within 100 whatever its workers do. */
const LIMIT = 5000;

/** 0, or 69 when nobody is there. */
export async function runStatus(argv: string[], io: Io): Promise<number> {
  const options = readArguments(argv, OPTIONS, USAGE, io);
  if (typeof options === 'number') return options;
  const interval = readInterval(options.interval);
  if (typeof interval === 'string') {
    io.stderr(`viaduct: Cannot use --interval: ${interval}\n`);
    return EXIT.usage;
  }
  const { json = false, watch: isWatching = false } = options;
  const next = (): Promise<Frame> =>
    look(options.config, io, (status) => {
      if (json) return `${JSON.stringify(status, null, isWatching ? 0 : 2)}\n`;
      return statusText(status, terminalOf(io));
    });
  if (isWatching) return watchUntilInterrupted(next, interval, json, io);
  const frame = await next();
  if ('text' in frame) io.stdout(frame.text);
  else io.stderr(frame.problem);
  return 'text' in frame ? EXIT.ok : frame.exitCode;
}

async function look(config: string | undefined, io: Io, show: (status: Status) => string): Promise<Frame> {
  let problem = '';
  const hearing = { ...io, stderr: (text: string) => void (problem += text) };
  const answer = await ask({ config, method: 'GET', path: '/status', limit: LIMIT }, hearing);
  if (typeof answer === 'number') return { problem, exitCode: answer as ExitCode };
  return { text: show(answer.body as Status) };
}

async function watchUntilInterrupted(
  next: () => Promise<Frame>,
  interval: number,
  json: boolean,
  io: Io,
): Promise<number> {
  const ended = new AbortController();
  const end = (): void => ended.abort();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, end);
  // A reader such as head(1) that has enough.
  process.stdout.once('close', end);
  const { screen } = io;
  const lines = screen === undefined || json ? null : (): number => screen.rows();
  try {
    return await watch({ next, interval, lines, stdout: io.stdout, stderr: io.stderr, signal: ended.signal });
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, end);
    process.stdout.off('close', end);
  }
}

/** Milliseconds, or what is wrong with it. */
function readInterval(text = DEFAULT_INTERVAL): number | string {
  try {
    const found = parseDuration(text);
    return found >= SHORTEST_INTERVAL ? found : `Expected ${SHORTEST_INTERVAL}ms or more, found ${text}`;
  } catch (error) {
    if (error instanceof BadValue) return error.message;
    throw error;
  }
}

/** What the environment says of it: the locale as the C library reads it, NO_COLOR, COLUMNS. */
export function terminalOf({ screen, env }: Pick<Io, 'screen' | 'env'>): Terminal {
  const locale = env['LC_ALL'] || env['LC_CTYPE'] || env['LANG'] || '';
  const columns = screen?.columns() ?? Number(env['COLUMNS']);
  return {
    columns: columns > 0 ? Math.max(40, columns) : Infinity,
    isColoured: screen !== undefined && !env['NO_COLOR'] && env['TERM'] !== 'dumb',
    isUnicode: /utf-?8/i.test(locale),
  };
}
