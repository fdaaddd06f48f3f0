// The daemon's own log: pino lines into a LineSink, JSON for machines, one readable line for a terminal. May not know
// who logs.
import { isatty } from 'node:tty';
import { pino } from 'pino';
import type { Level, Logger, LoggerOptions as PinoOptions } from 'pino';
import { describeThrown } from './describe-error.ts';
import { LineSink } from './line-sink.ts';
import { prettyLine } from './pretty.ts';

export interface LoggerOptions {
  readonly level: Level | 'silent';
  /** null: stderr. Made with mode 0640. */
  readonly file: string | null;
  /** The descriptor that is stderr. Default 2. */
  readonly stderr?: number | undefined;
  /** In every line, beside the pid. */
  readonly fields?: Readonly<Record<string, unknown>>;
  /** Told why the file cannot be opened: lines go to stderr then, until reopen(). Without it createLogger() throws. */
  readonly onUnopened?: (error: unknown) => void;
  /** Told what is logged at level error, and above: the fields of the line as they were given, and its text. */
  readonly onError?: ((fields: Readonly<Record<string, unknown>>, message: string) => void) | undefined;
  /** Default: where the log goes to a terminal. */
  readonly pretty?: boolean;
}

export interface Log {
  readonly logger: Logger;
  /**
   * Opens the file anew, after its rotation.
   * @throws {Error} of node:fs where that fails; the log goes on in the old file
   */
  reopen(): void;
  /** Writes what is left, for up to a second, and closes. */
  close(): Promise<void>;
  /** Lines given up so far. */
  dropped(): number;
}

/**
 * Makes the log. Lines are written at once, in the event loop where that cannot block: the last words before a crash are
 * the ones that matter, and log lines are few. A destination that fails never reaches who logs.
 * @throws {Error} of node:fs, where the file cannot be opened and nobody is to be told
 */
export function createLogger(options: LoggerOptions): Log {
  const { file, stderr, onUnopened } = options;
  const sink = new LineSink({ file, stderr, put: null, onUnopened });
  const pretty = options.pretty ?? (file === null && isatty(stderr ?? 2));
  const logger = pino(
    {
      level: options.level,
      base: { pid: process.pid, ...options.fields },
      timestamp: pino.stdTimeFunctions.isoTime,
      serializers: { err: describeThrown },
      formatters: { level: (label) => ({ level: label }) },
      ...(options.onError === undefined ? {} : { hooks: { logMethod: tellErrors(options.onError) } }),
    },
    // Only write(): pino calls flushSync() of a stream that has one, at each fatal line
    { write: (line) => sink.write(pretty ? prettyLine(line) : line) },
  );
  return {
    logger,
    reopen: () => sink.reopen(),
    close: () => sink.close(),
    dropped: () => sink.dropped,
  };
}

const ERROR_LEVEL = pino.levels.values['error'] ?? 50;

/** pino's hook, called for every line that its level lets through. */
function tellErrors(
  tell: NonNullable<LoggerOptions['onError']>,
): NonNullable<NonNullable<PinoOptions['hooks']>['logMethod']> {
  return function logMethod(args, method, level) {
    const [fields, message] = args as [unknown, unknown];
    if (level >= ERROR_LEVEL) {
      if (typeof fields === 'string') tell({}, fields);
      else if (typeof fields === 'object' && fields !== null)
        tell(fields as Readonly<Record<string, unknown>>, typeof message === 'string' ? message : '');
    }
    method.apply(this, args);
  };
}
