// wsgi.input with a watch on it: rules 35 to 38, and 45 for reads after the end.
import type { InputStream } from '../contract.ts';
import { fail, shown } from './report.ts';
import type { Warn } from './report.ts';

/** Hands every call on to the server's stream and checks what goes in and what comes out. */
export class LintInput implements InputStream {
  readonly #inner: InputStream;
  readonly #warn: Warn;
  #ended = false;
  #warnedOfReread = false;

  constructor(inner: InputStream, warn: Warn) {
    this.#inner = inner;
    this.#warn = warn;
  }

  async read(...args: [size?: number]): Promise<Uint8Array> {
    checkCount(35, 'read', args);
    if (args.length === 0) {
      this.#warn(35, 'wsgi.input.read() should be given a size, found no argument');
    }
    this.#noteReread('read');
    const chunk = bytesFrom('read', await this.#inner.read(...args));
    const [size] = args;
    const wantsAll = size === undefined || size < 0;
    this.#ended ||= wantsAll || (chunk.length === 0 && size !== 0);
    return chunk;
  }

  async readline(...args: [size?: number]): Promise<Uint8Array> {
    checkCount(36, 'readline', args);
    this.#noteReread('readline');
    const line = bytesFrom('readline', await this.#inner.readline(...args));
    this.#ended ||= line.length === 0 && args[0] !== 0;
    return line;
  }

  async readlines(...args: [hint?: number]): Promise<Uint8Array[]> {
    checkCount(36, 'readlines', args);
    this.#noteReread('readlines');
    const lines: unknown = await this.#inner.readlines(...args);
    if (!Array.isArray(lines)) {
      fail(37, `wsgi.input.readlines() must give an Array, found ${shown(lines)}`);
    }
    this.#ended ||= args[0] === undefined || lines.length === 0;
    return lines.map((line) => bytesFrom('readlines', line));
  }

  async *[Symbol.asyncIterator](): AsyncIterableIterator<Uint8Array> {
    this.#noteReread('Symbol.asyncIterator');
    for await (const line of this.#inner) {
      yield bytesFrom('Symbol.asyncIterator', line);
    }
    this.#ended = true;
  }

  close(): never {
    fail(38, 'wsgi.input.close() must not be called, the stream belongs to the server');
  }

  /** Once a request is enough: whoever reads in a loop would fill the log. */
  #noteReread(method: string): void {
    if (this.#ended && !this.#warnedOfReread) {
      this.#warnedOfReread = true;
      this.#warn(45, `wsgi.input must be consumed once, ${method} was called after the end was reached`);
    }
  }
}

function checkCount(rule: number, method: string, args: readonly unknown[]): void {
  if (args.length > 1) {
    fail(rule, `wsgi.input.${method}() must be called with at most 1 argument, found ${args.length}`);
  }
}

function bytesFrom(method: string, value: unknown): Uint8Array {
  if (!(value instanceof Uint8Array)) {
    fail(37, `wsgi.input.${method}() must give Uint8Arrays, found ${shown(value)}`);
  }
  return value;
}
