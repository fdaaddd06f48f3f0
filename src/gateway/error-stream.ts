// wsgi.errors: what an application writes goes to the log line by line, with its mount and request id.
import type { Environ, ErrorStream } from './contract.ts';

/** A line longer than this is cut into several, so that a missing newline cannot hold text back for ever. */
const MAX_LINE = 8 * 1024;

/** Takes one line, without its newline: the application's, or viaduct's own of the same request. */
export interface LineSink {
  appLine(line: string): void;
  warned(line: string): void;
}

/** What a bridge to an application has to say of a request: a warning of viaduct's own, where wsgi.errors is its own too. */
export function warn(environ: Environ, message: string): void {
  const errors = environ['wsgi.errors'];
  if (errors instanceof ErrorLines) errors.warn(message);
  else errors.write(`${message}\n`);
}

export class ErrorLines implements ErrorStream {
  readonly #sink: LineSink;
  #rest = '';

  constructor(sink: LineSink) {
    this.#sink = sink;
  }

  write(text: string): void {
    const lines = `${this.#rest}${text}`.split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#sink.appLine(line);
    while (this.#rest.length >= MAX_LINE) {
      this.#sink.appLine(this.#rest.slice(0, MAX_LINE));
      this.#rest = this.#rest.slice(MAX_LINE);
    }
  }

  writelines(lines: Iterable<string>): void {
    for (const line of lines) this.write(line);
  }

  warn(message: string): void {
    this.#sink.warned(message);
  }

  flush(): void {
    if (this.#rest === '') return;
    this.#sink.appLine(this.#rest);
    this.#rest = '';
  }
}
