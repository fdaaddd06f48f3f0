// `viaduct serve`: runs in the foreground until it is stopped.
import { dirname } from 'node:path';
import { BootError } from '../runtime/first-boot.ts';
import { Master } from '../runtime/master.ts';
import { takePassedSockets } from '../runtime/passed-sockets.ts';
import { PrivilegeError } from '../runtime/privileges.ts';
import { handleSignals } from '../runtime/signals.ts';
import { AppWatch } from '../runtime/watch/app-watch.ts';
import { SocketError } from '../transport/unix-socket.ts';
import { CONFIG_PLACES, loadConfig, type LoadedConfig } from '../config/load.ts';
import { ConfigError, formatProblem } from '../config/problems.ts';
import { createLogger } from '../observe/logger.ts';
import { readArguments } from './arguments.ts';
import { checkSurroundings } from './check-surroundings.ts';
import { openConfig } from './check.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import type { Io } from './io.ts';

const USAGE = `Usage: viaduct serve [-c FILE] [--watch]
Serves in the foreground. TERM, QUIT and INT stop it gracefully, a second one at once; HUP reloads the configuration,
USR1 reopens the log files, TTIN and TTOU make it one worker more or fewer.
  -c, --config FILE  default: ${CONFIG_PLACES.join(', then ')}
  --watch            for development: reloads when files of the apps or the configuration change, and shows browsers
                     what went wrong
`;

const OPTIONS = { config: { type: 'string', short: 'c' }, watch: { type: 'boolean' } } as const;

/** Milliseconds for requests in flight at a reload: with --watch a stream must not hold the next one up. */
const WATCH_GRACE = 1000;

/** Resolves when viaduct has stopped: 0, or why it could not start (3, 73, 77, 78). */
export async function runServe(argv: string[], io: Io): Promise<number> {
  const options = readArguments(argv, OPTIONS, USAGE, io);
  if (typeof options === 'number') return options;
  const loaded = openConfig(options.config, io);
  if (loaded === undefined) return EXIT.config;
  const { problems, warnings, exitCode: found } = checkSurroundings(loaded);
  for (const warning of [...loaded.warnings, ...warnings]) io.stderr(`warning: ${formatProblem(warning)}\n`);
  for (const problem of problems) io.stderr(`${formatProblem(problem)}\n`);
  if (problems.length > 0) return found;
  // Node's threads, and so the watchdog, need a current folder that is there
  if (io.cwd === '') process.chdir(dirname(loaded.file));
  try {
    await serve(loaded, options.watch === true, io);
    return EXIT.ok;
  } catch (error) {
    io.stderr(`viaduct: ${explain(error)}\n`);
    return exitCode(error);
  }
}

async function serve(first: LoadedConfig, watches: boolean, io: Io): Promise<void> {
  const adapt = (loaded: LoadedConfig): LoadedConfig => (watches ? forDevelopment(loaded) : loaded);
  let loaded = adapt(first);
  const master = new Master({
    loaded,
    load: () => (loaded = adapt(loadAgain(first.file, io))),
    passed: takePassedSockets(io.env, process.pid),
  });
  handleSignals(master);
  await master.start();
  if (watches) {
    const { level, file } = loaded.config.log;
    const { logger } = createLogger({ level, file });
    const watch = new AppWatch({ loaded: () => loaded, reload: () => master.reload(), logger });
    await master.gone;
    watch.close();
  }
  await master.stopped;
}

function forDevelopment(loaded: LoadedConfig): LoadedConfig {
  const { timeouts } = loaded.config;
  const graceful = Math.min(timeouts.graceful, WATCH_GRACE);
  return { ...loaded, config: { ...loaded.config, development: true, timeouts: { ...timeouts, graceful } } };
}

/** @throws {ConfigError} */
function loadAgain(file: string, io: Io): LoadedConfig {
  const loaded = loadConfig(file, io.env);
  const { problems } = checkSurroundings(loaded);
  if (problems.length > 0) throw new ConfigError('ERR_CONFIG_INVALID', problems);
  return loaded;
}

function exitCode(error: unknown): ExitCode {
  if (error instanceof BootError) return EXIT.bootFailed;
  if (error instanceof PrivilegeError) return EXIT.permission;
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'EACCES' || code === 'EPERM') return EXIT.permission;
  if (error instanceof SocketError || typeof code === 'string') return EXIT.cannotCreate;
  return EXIT.internal;
}

function explain(error: unknown): string {
  if (error instanceof BootError) return `Cannot start, ${error.message}`;
  return error instanceof Error ? error.message : String(error);
}
