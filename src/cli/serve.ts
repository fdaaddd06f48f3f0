// `viaduct serve`: runs in the foreground until it is stopped.
import { BootError, explainFailure } from '../runtime/boot.ts';
import { Daemon } from '../runtime/daemon.ts';
import { PrivilegeError } from '../runtime/privileges.ts';
import { keepRequestsYoung } from '../runtime/heap.ts';
import { handleSignals } from '../runtime/signals.ts';
import { SocketError } from '../transport/unix-socket.ts';
import { CONFIG_PLACES } from '../config/load.ts';
import { formatProblem } from '../config/problems.ts';
import { readArguments } from './arguments.ts';
import { checkSurroundings } from './check-surroundings.ts';
import { openConfig } from './check.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import type { Io } from './io.ts';

const USAGE = `Usage: viaduct serve [-c FILE]
Serves in the foreground. TERM, QUIT and INT stop it gracefully, a second one at once; USR1 reopens the log files.
  -c, --config FILE  default: ${CONFIG_PLACES.join(', then ')}
`;

const OPTIONS = { config: { type: 'string', short: 'c' } } as const;

/** Resolves when the daemon has stopped: 0, or why it could not start (3, 73, 77, 78). */
export async function runServe(argv: string[], io: Io): Promise<number> {
  const options = readArguments(argv, OPTIONS, USAGE, io);
  if (typeof options === 'number') return options;
  const loaded = openConfig(options.config, io);
  if (loaded === undefined) return EXIT.config;
  const { problems, warnings, exitCode: found } = checkSurroundings(loaded);
  for (const warning of [...loaded.warnings, ...warnings]) io.stderr(`warning: ${formatProblem(warning)}\n`);
  for (const problem of problems) io.stderr(`${formatProblem(problem)}\n`);
  if (problems.length > 0) return found;
  try {
    keepRequestsYoung();
    const daemon = new Daemon(loaded);
    handleSignals(daemon);
    await daemon.start();
    await daemon.stopped;
    return EXIT.ok;
  } catch (error) {
    io.stderr(`viaduct: ${explain(error)}\n`);
    return exitCode(error);
  }
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
  if (!(error instanceof BootError)) return error instanceof Error ? error.message : String(error);
  const what = error.failures.length === 1 ? 'an app' : `${error.failures.length} apps`;
  return `Cannot start, ${what} did not boot\n${error.failures.map(explainFailure).join('\n')}`;
}
