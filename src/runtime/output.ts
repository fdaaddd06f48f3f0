// What a child process prints, line by line into the log. Knows no more of it than its two pipes.
import type { ChildProcess } from 'node:child_process';
import type { Logger } from 'pino';
import { LineCapture } from './line-capture.ts';

export interface OutputOptions {
  readonly logger: Logger;
  /** Fields of each log line. */
  readonly about: Readonly<Record<string, unknown>>;
  /** Told each line, too. */
  readonly onLine: (line: string) => void;
  /** What it is, for people: "a worker". */
  readonly what: string;
}

export function captureOutput(child: ChildProcess, { logger, about, onLine, what }: OutputOptions): void {
  for (const stream of ['stdout', 'stderr'] as const) {
    const fields = { ...about, stream };
    const lines = new LineCapture({
      onLine: (line) => {
        onLine(line);
        logger.info(fields, line);
      },
      onLeftOut: (count) => logger.warn({ ...fields, count }, `${count} more lines of ${what} were left out`),
      now: () => performance.now(),
    });
    const source = child[stream];
    source?.on('data', (chunk: Buffer) => lines.push(chunk));
    source?.once('close', () => lines.end());
    source?.on('error', () => undefined);
  }
}
