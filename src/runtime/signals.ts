// What a signal means to the master.
import type { Master } from './master.ts';

/** Installs the handlers for the life of the process. */
export function handleSignals(master: Master): void {
  for (const signal of ['SIGTERM', 'SIGQUIT', 'SIGINT'] as const)
    process.on(signal, () => void master.stop());
  process.on('SIGHUP', () => void master.reload());
  // Without a handler Node opens its inspector on SIGUSR1; a log rotation would put a debugger into production.
  process.on('SIGUSR1', () => master.reopenLogs());
  process.on('SIGTTIN', () => master.scale(1));
  process.on('SIGTTOU', () => master.scale(-1));
  // The workers must not lose their master to a mistake in an answer to somebody else.
  process.on('uncaughtException', (error) => master.report(error, 'A fault inside viaduct'));
  process.on('unhandledRejection', (error) => master.report(error, 'A fault inside viaduct'));
}
