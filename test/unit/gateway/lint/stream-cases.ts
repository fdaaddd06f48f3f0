// What both sides can do wrong with wsgi.input and wsgi.errors: rules 35 to 40, and 45 for the request body.
import type { Environ, InputStream } from '../../../../src/gateway/contract.ts';
import { bytes, makeEnviron, MemoryInput, serve, untyped } from '../../../helpers/mini-gateway.ts';
import { answer } from './case.ts';
import type { LintCase } from './case.ts';

/** A stream whose methods may be called in ways their types forbid. */
type Loose = Record<string, (...args: unknown[]) => unknown>;

function reads(
  rule: number,
  what: string,
  act: (input: InputStream, loose: Loose) => unknown,
  outcome: LintCase['outcome'] = 'throws',
  input: InputStream = new MemoryInput(bytes('one\ntwo')),
): LintCase {
  const app = async (environ: Environ, startResponse: Parameters<typeof serveHello>[1]) => {
    await act(environ['wsgi.input'], untyped(environ['wsgi.input']));
    return serveHello(environ, startResponse);
  };
  return { rule, what, outcome, run: (wrap) => serve(wrap(app), makeEnviron({ 'wsgi.input': input })) };
}

const serveHello = answer([bytes('hello')]);

function logs(rule: number, what: string, act: (errors: Loose) => unknown): LintCase {
  const app: typeof serveHello = (environ, startResponse) => {
    act(untyped(environ['wsgi.errors']));
    return serveHello(environ, startResponse);
  };
  return { rule, what, outcome: 'throws', run: (wrap) => serve(wrap(app)) };
}

/** A server whose stream gives the wrong kind of thing. */
function gives(method: keyof MemoryInput, value: unknown): InputStream {
  return Object.defineProperty(new MemoryInput(bytes('')), method, { value: () => value });
}

async function* texts(): AsyncGenerator<string> {
  yield 'text';
}

async function drain(lines: AsyncIterable<unknown>): Promise<unknown[]> {
  const all: unknown[] = [];
  for await (const line of lines) {
    all.push(line);
  }
  return all;
}

export const STREAM_CASES: LintCase[] = [
  reads(
    45,
    'readlines() is called twice',
    (input) => input.readlines().then(() => input.readlines()),
    'warns',
  ),
  reads(
    45,
    'wsgi.input is read again and again, which is told once',
    async (input) => {
      for (let count = 0; count < 4; count++) {
        await input.read(-1);
      }
    },
    'warns',
  ),
  reads(35, 'read() has no size', (input) => input.read(), 'warns'),
  reads(35, 'read() has two arguments', (_input, loose) => loose['read']?.(1, 2)),
  reads(36, 'readline() has two arguments', (_input, loose) => loose['readline']?.(1, 2)),
  reads(36, 'readlines() has two arguments', (_input, loose) => loose['readlines']?.(1, 2)),
  reads(37, 'read() gives a string', (input) => input.read(1), 'throws', gives('read', 'text')),
  reads(37, 'readline() gives null', (input) => input.readline(), 'throws', gives('readline', null)),
  reads(37, 'readlines() gives no Array', (input) => input.readlines(), 'throws', gives('readlines', null)),
  reads(
    37,
    'readlines() gives strings',
    (input) => input.readlines(),
    'throws',
    gives('readlines', ['text']),
  ),
  reads(37, 'iteration gives strings', drain, 'throws', gives(Symbol.asyncIterator, texts())),
  reads(38, 'wsgi.input is closed', (_input, loose) => loose['close']?.()),

  logs(39, 'errors.write() gets bytes', (errors) => errors['write']?.(bytes('text'))),
  logs(39, 'errors.write() gets nothing', (errors) => errors['write']?.()),
  logs(39, 'errors.write() gets two arguments', (errors) => errors['write']?.('a', 'b')),
  logs(39, 'errors.writelines() gets a number among strings', (errors) => errors['writelines']?.(['a', 1])),
  logs(40, 'wsgi.errors is closed', (errors) => errors['close']?.()),

  reads(45, 'wsgi.input is read whole twice', (input) => input.read(-1).then(() => input.read(-1)), 'warns'),
  reads(45, 'wsgi.input is iterated twice', (input) => drain(input).then(() => drain(input)), 'warns'),
  reads(
    45,
    'readlines() comes after read()',
    (input) => input.read(-1).then(() => input.readlines()),
    'warns',
  ),
  reads(
    45,
    'read() comes after a loop of readline() to the end',
    async (input) => {
      while ((await input.readline()).length > 0) {
        // to the end
      }
      await input.read(10);
    },
    'warns',
  ),
];

/** Uses of the streams that break no rule. */
export const RIGHT_USES: { what: string; act: (environ: Environ) => unknown }[] = [
  {
    what: 'a loop of read(size) to the end',
    act: async (environ) => {
      let total = 0;
      for (let size = 1; size > 0; total += size) {
        size = (await environ['wsgi.input'].read(2)).length;
      }
      return total;
    },
  },
  { what: 'read(-1), once', act: async (environ) => (await environ['wsgi.input'].read(-1)).length },
  {
    what: 'read(0), then everything in pieces of every kind',
    act: async ({ 'wsgi.input': input }) => {
      const parts = [
        await input.read(0),
        await input.readline(0),
        await input.read(2),
        await input.readline(),
        ...(await input.readlines(1)),
      ];
      return parts.reduce((total, part) => total + part.length, 0);
    },
  },
  {
    what: 'lines by for await',
    act: async (environ) => (await drain(environ['wsgi.input'])).join('').length,
  },
  {
    what: 'all of wsgi.errors',
    act: ({ 'wsgi.errors': errors }) => {
      errors.write('one\n');
      errors.writelines(['two\n', 'three\n']);
      errors.flush();
      return 7;
    },
  },
];
