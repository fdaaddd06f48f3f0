// wsgi.errors with a watch on it: rules 39 and 40.
import type { ErrorStream } from '../contract.ts';
import { fail, shown } from './report.ts';

/** Hands text on to the server's stream and refuses everything else. */
export class LintErrors implements ErrorStream {
  readonly #inner: ErrorStream;

  constructor(inner: ErrorStream) {
    this.#inner = inner;
  }

  write(...args: [text: string]): void {
    const [text]: unknown[] = args;
    if (args.length !== 1) {
      fail(39, `wsgi.errors.write() must be called with 1 argument, found ${String(args.length)}`);
    }
    if (typeof text !== 'string') {
      fail(39, `wsgi.errors.write() must be given a string, found ${shown(text)}`);
    }
    this.#inner.write(text);
  }

  writelines(lines: Iterable<string>): void {
    for (const line of lines) {
      this.write(line);
    }
  }

  flush(): void {
    this.#inner.flush();
  }

  close(): never {
    fail(40, 'wsgi.errors.close() must not be called, the stream belongs to the server');
  }
}
