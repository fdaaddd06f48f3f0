// The master's log, and the log files of everybody: it makes them, since workers that have given up root may not, and
// gives them to the user who will write them. Does not know what is logged.
import { closeSync, constants, fchownSync, fstatSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Logger } from 'pino';
import type { Config } from '../config/types.ts';
import { reportOf } from '../observe/error-report.ts';
import { createLogger, type Log, type LoggerOptions } from '../observe/logger.ts';
import { RecentErrors } from '../observe/recent-errors.ts';
import { makeFolder } from '../transport/folder.ts';
import { targetIds } from './privileges.ts';

type LogConfig = Pick<Config, 'log' | 'user' | 'group'>;

export class Logs {
  /** The last errors of everybody, for the status page. */
  readonly errors: RecentErrors = new RecentErrors();
  #config: LogConfig;
  #log: Log;
  /** Lines that logs of earlier configurations have lost. */
  #droppedBefore = 0;

  /** @throws the system's error, where a file cannot be opened */
  constructor(config: LogConfig) {
    this.#config = config;
    this.#log = this.#open(config);
  }

  get logger(): Logger {
    return this.#log.logger;
  }

  /** Lines given up so far. */
  get dropped(): number {
    return this.#droppedBefore + this.#log.dropped();
  }

  /**
   * Opens what `config` wants, beside what is open.
   * @returns what changes over to it, or drops it
   * @throws the system's error, where a file cannot be opened
   */
  stage(config: LogConfig): { commit(): void; undo(): void } {
    const log = this.#open(config);
    return {
      commit: () => {
        const before = this.#log;
        this.#config = config;
        this.#log = log;
        this.#droppedBefore += before.dropped();
        void before.close();
      },
      undo: () => void log.close(),
    };
  }

  /** Opens the files anew, after their rotation. Where that fails the old ones stay in use. */
  reopen(): void {
    try {
      makeFiles(this.#config);
      this.#log.reopen();
    } catch (error) {
      this.logger.error({ err: error }, 'Cannot reopen a log file, the old one stays in use');
    }
  }

  /** Writes what is left, for up to a second, and closes. */
  close(): Promise<void> {
    return this.#log.close();
  }

  #open(config: LogConfig): Log {
    makeFiles(config);
    return createLogger({ level: config.log.level, file: config.log.file, onError: this.#onError });
  }

  readonly #onError: LoggerOptions['onError'] = (fields, message) =>
    this.errors.add(
      reportOf(fields, message, Date.now()),
      typeof fields['worker'] === 'number' ? fields['worker'] : null,
    );
}

function makeFiles(config: LogConfig): void {
  const { file, access } = config.log;
  const owner = targetIds(config);
  const files = { 'log.file': file, 'log.access.file': access.enabled ? access.file : null };
  for (const [key, path] of Object.entries(files)) {
    if (path === null) continue;
    try {
      makeFile(path, owner);
    } catch (error) {
      if (error instanceof Error) error.message = `Cannot open ${key} ${path}: ${error.message}`;
      throw error;
    }
  }
}

function makeFile(path: string, owner: { uid: number; gid: number } | null): void {
  const { O_WRONLY, O_APPEND, O_CREAT, O_NONBLOCK, O_NOCTTY } = constants;
  makeFolder(dirname(path), 0o755);
  // O_NONBLOCK: a named pipe that nobody reads would hold the process here.
  const fd = openSync(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY, 0o640);
  try {
    const stat = fstatSync(fd);
    if (owner === null || !stat.isFile()) return;
    if (stat.uid !== owner.uid || stat.gid !== owner.gid) fchownSync(fd, owner.uid, owner.gid);
  } finally {
    closeSync(fd);
  }
}
