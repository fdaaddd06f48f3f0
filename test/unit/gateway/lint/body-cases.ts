// What both sides can do wrong with the result: rules 2, 3, 41 to 45 and 54.
import { inspect } from 'node:util';
import { reportUnclosed } from '../../../../src/gateway/lint/body.ts';
import { warnTo } from '../../../../src/gateway/lint/report.ts';
import type { Application } from '../../../../src/gateway/contract.ts';
import { bytes, makeEnviron, MemoryErrors, serve, untyped } from '../../../helpers/mini-gateway.ts';
import { answer, hello } from './case.ts';
import type { LintCase, Wrap } from './case.ts';

function* syncItems(...items: unknown[]): Generator<Uint8Array> {
  yield* items as Uint8Array[];
}

async function* asyncItems(...items: unknown[]): AsyncGenerator<Uint8Array> {
  yield* items as Uint8Array[];
}

function returns(rule: number, what: string, body: () => unknown): LintCase {
  return { rule, what, outcome: 'throws', run: (wrap) => serve(wrap(answer(untyped(body())))) };
}

type SyncBody = Iterable<Uint8Array> & { close(): unknown };
type AsyncBody = AsyncIterable<Uint8Array> & { close(): unknown };

/** Call a linted application by hand, to misuse its result as a server. */
function openSync(wrap: Wrap, app: Application): SyncBody {
  return wrap(app)(makeEnviron(), () => async () => {}) as SyncBody;
}

function openAsync(wrap: Wrap, app: Application): AsyncBody {
  return wrap(app)(makeEnviron(), () => async () => {}) as AsyncBody;
}

const forgets: Application = () => [bytes('hello')];

export const BODY_CASES: LintCase[] = [
  ...[null, undefined, false, 42, {}].map((value) =>
    returns(2, `the result is ${inspect(value)}`, () => value),
  ),
  returns(2, 'the result is a promise of null', () => Promise.resolve(null)),
  returns(3, 'the result is a string', () => 'hello'),
  returns(3, 'the result is a Buffer', () => Buffer.from('hello')),
  returns(3, 'the result is a promise of a Uint8Array', () => Promise.resolve(bytes('hello'))),

  {
    rule: 41,
    what: 'a sync body is advanced after close()',
    outcome: 'throws',
    run: (wrap) => {
      const body = openSync(wrap, answer(syncItems(bytes('a'), bytes('b'))));
      const iterator = body[Symbol.iterator]();
      iterator.next();
      body.close();
      iterator.next();
    },
  },
  {
    rule: 41,
    what: 'a sync body is advanced after return()',
    outcome: 'throws',
    run: (wrap) => {
      const body = openSync(wrap, answer(syncItems(bytes('a'), bytes('b'))));
      const iterator = body[Symbol.iterator]();
      iterator.return?.();
      body.close();
      iterator.next();
    },
  },
  {
    rule: 41,
    what: 'an async body is advanced after close()',
    outcome: 'throws',
    run: async (wrap) => {
      const body = openAsync(wrap, answer(asyncItems(bytes('a'), bytes('b'))));
      const iterator = body[Symbol.asyncIterator]();
      await iterator.next();
      await body.close();
      await iterator.next();
    },
  },

  returns(42, 'an Array holds a string', () => [bytes('a'), 'b']),
  returns(42, 'a generator yields a number', () => syncItems(bytes('a'), 1)),
  returns(42, 'a sync generator yields a promise', () => syncItems(Promise.resolve(bytes('a')))),
  returns(42, 'an async generator yields a string', () => asyncItems('a')),

  {
    rule: 43,
    what: 'an Array comes without startResponse',
    outcome: 'throws',
    run: (wrap) => serve(wrap(forgets)),
  },
  {
    rule: 43,
    what: 'an empty Array comes without startResponse',
    outcome: 'throws',
    run: (wrap) => serve(wrap(() => [])),
  },
  {
    rule: 43,
    what: 'a generator yields first',
    outcome: 'throws',
    run: (wrap) => serve(wrap(() => syncItems(bytes('a')))),
  },
  {
    rule: 43,
    what: 'an async generator yields first',
    outcome: 'throws',
    run: (wrap) => serve(wrap(() => asyncItems(bytes('a')))),
  },
  {
    rule: 43,
    what: 'startResponse was called and refused',
    outcome: 'throws',
    run: (wrap) =>
      serve(
        wrap((_environ, startResponse) => {
          try {
            startResponse('OK', []);
          } catch {
            // goes on as if nothing had happened
          }
          return syncItems(bytes('a'));
        }),
      ),
  },

  {
    rule: 45,
    what: 'a sync body is iterated twice',
    outcome: 'warns',
    run: (wrap) => {
      const body = openSync(wrap, answer(syncItems(bytes('a'))));
      const text = Buffer.concat([...body, ...body]);
      body.close();
      return text;
    },
  },
  {
    rule: 45,
    what: 'an async body is iterated twice',
    outcome: 'warns',
    run: async (wrap) => {
      const body = openAsync(wrap, answer(asyncItems(bytes('a'))));
      for (let pass = 0; pass < 2; pass++) {
        await body[Symbol.asyncIterator]().next();
      }
      await body.close();
    },
  },

  {
    rule: 54,
    what: 'an Array is closed twice',
    outcome: 'throws',
    run: (wrap) => {
      const body = openSync(wrap, hello);
      body.close();
      body.close();
    },
  },
  {
    rule: 54,
    what: 'a generator is closed twice',
    outcome: 'throws',
    run: (wrap) => {
      const body = openSync(wrap, answer(syncItems(bytes('a'))));
      body.close();
      body.close();
    },
  },
  {
    rule: 54,
    what: 'an async body is closed twice',
    outcome: 'throws',
    run: async (wrap) => {
      const body = openAsync(wrap, answer(asyncItems(bytes('a'))));
      await body.close();
      await body.close();
    },
  },
];

/** Rule 44's callback on its own; lint.test.ts also lets the real collector run. */
export function reportForgottenBody(onWarning: (rule: number, message: string) => void): string {
  const errors = new MemoryErrors();
  reportUnclosed(warnTo(errors, onWarning));
  return errors.text;
}
