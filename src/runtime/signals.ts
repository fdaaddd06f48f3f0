// What a signal means to the daemon.
import type { Daemon } from './daemon.ts';

/** Installs the handlers for the life of the process. */
export function handleSignals(daemon: Daemon): void {
  for (const signal of ['SIGTERM', 'SIGQUIT', 'SIGINT'] as const)
    process.on(signal, () => void daemon.stop());
  // Without a handler Node opens its inspector on SIGUSR1; a log rotation would put a debugger into production.
  process.on('SIGUSR1', () => daemon.reopenLogs());
  // The default would end the process when a terminal closes.
  process.on('SIGHUP', () =>
    daemon.report(undefined, 'SIGHUP does nothing in this version: restart to take on a new configuration'),
  );
  // An application that fails in a timer or a forgotten promise costs a log line, not everybody's requests.
  process.on('uncaughtException', (error) =>
    daemon.report(error, 'An application failed outside of any request'),
  );
  process.on('unhandledRejection', (error) =>
    daemon.report(error, 'An application left a rejected promise unhandled'),
  );
}
