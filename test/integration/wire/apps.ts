// Applications that the wire tests mount.
import { Buffer } from 'node:buffer';
import type { Application, Environ, HeaderList } from '../../../src/gateway/contract.ts';

const PLAIN: HeaderList[number] = ['Content-Type', 'text/plain'];

/** Answers at once, and reads nothing. */
export const hello: Application = (_environ, startResponse) => {
  startResponse('200 OK', [PLAIN]);
  return [Buffer.from('hello')];
};

/** Answers with the whole request body. */
export const echo: Application = async (environ, startResponse) => {
  const body = await environ['wsgi.input'].read();
  startResponse('200 OK', [PLAIN]);
  return [body];
};

/** Answers with the environ's strings as JSON. */
export const strings: Application = (environ, startResponse) => {
  startResponse('200 OK', [PLAIN]);
  const pairs = Object.entries(environ).filter(([, value]) => typeof value === 'string');
  return [Buffer.from(JSON.stringify(Object.fromEntries(pairs)))];
};

/** An application that has to be let go on, and tells what became of it. */
export class Gate {
  /** The environs of the calls so far. */
  readonly calls: Environ[] = [];
  /** Calls whose `viaduct.signal` fired. */
  aborted = 0;
  /** Milliseconds by performance.now() at which the last signal fired. */
  abortedAt = 0;
  #open: (() => void)[] = [];

  /** Answers `hello` once release() is called. */
  readonly app: Application = async (environ, startResponse) => {
    this.calls.push(environ);
    environ['viaduct.signal'].addEventListener('abort', () => {
      this.aborted += 1;
      this.abortedAt = performance.now();
    });
    await new Promise<void>((resolve) => this.#open.push(resolve));
    return hello(environ, startResponse);
  };

  /** Lets the calls that wait go on, or only the one at `index`. */
  release(index?: number): void {
    if (index !== undefined) {
      this.#open[index]?.();
      return;
    }
    for (const open of this.#open) open();
  }
}
