// viaduct:lint rule by rule: each row of the case tables breaks exactly the rule it names.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect } from 'chai';
import type { Application } from '../../../src/gateway/contract.ts';
import { lint, LINT_RULES, LintError } from '../../../src/gateway/lint.ts';
import type { LintOptions } from '../../../src/gateway/lint.ts';
import { bytes, makeEnviron, MemoryErrors, serve, untyped } from '../../helpers/mini-gateway.ts';
import { BODY_CASES, reportForgottenBody } from './lint/body-cases.ts';
import { answer } from './lint/case.ts';
import type { LintCase } from './lint/case.ts';
import { ENVIRON_CASES } from './lint/environ-cases.ts';
import { RESPONSE_CASES, RIGHT_ANSWERS } from './lint/response-cases.ts';
import { RIGHT_USES, STREAM_CASES } from './lint/stream-cases.ts';
import { WAIT_CASES } from './lint/wait-cases.ts';

const TABLES: Record<string, LintCase[]> = {
  'the server and environ': ENVIRON_CASES,
  'startResponse and write': RESPONSE_CASES,
  'wsgi.input and wsgi.errors': STREAM_CASES,
  'the body': BODY_CASES,
  'middleware between two lints': WAIT_CASES,
};

interface Findings {
  thrown: LintError | null;
  warned: number[];
}

/** Runs a case and gives what lint found. Any other error is the test's own. */
async function findingsOf(run: LintCase['run']): Promise<Findings> {
  const warned: number[] = [];
  const onWarning: NonNullable<LintOptions['onWarning']> = (rule) => warned.push(rule);
  try {
    await run((app) => lint(app, { onWarning }));
  } catch (error) {
    if (error instanceof LintError) {
      return { thrown: error, warned };
    }
    throw error;
  }
  return { thrown: null, warned };
}

function throwAnError(): never {
  throw new Error('from onWarning');
}

describe('viaduct:lint', () => {
  for (const [title, cases] of Object.entries(TABLES)) {
    describe(title, () => {
      for (const { rule, what, outcome, run } of cases) {
        it(`rule ${rule} ${outcome}: ${what}`, async () => {
          const { thrown, warned } = await findingsOf(run);
          if (outcome === 'warns') {
            expect(thrown).to.equal(null);
            expect(warned).to.deep.equal([rule]);
          } else {
            expect(warned).to.deep.equal([]);
            expect(thrown).to.include({ rule, code: 'ERR_LINT', name: 'LintError' });
            expect(thrown?.message).to.match(new RegExp(`^lint rule ${rule}: .*[^.]$`));
          }
        });
      }
    });
  }

  it('has a case for every rule but 44, which follows, and each as hard as the catalogue says', () => {
    const cases = Object.values(TABLES).flat();
    const soft = { 35: 'warns', 47: 'warns' } as Record<number, string>;
    for (const { number, severity } of LINT_RULES.filter((rule) => rule.number !== 44)) {
      const outcomes = new Set<string>(
        cases.filter(({ rule }) => rule === number).map(({ outcome }) => outcome),
      );
      const expected = severity === 'warn' ? ['warns'] : ['throws'];
      expect([...outcomes], `rule ${number}`).to.have.members([
        ...expected,
        ...(soft[number] === undefined ? [] : ['warns']),
      ]);
    }
    expect(LINT_RULES.map(({ number }) => number)).to.deep.equal(
      Array.from({ length: 55 }, (_, index) => index + 1),
    );
  });
});

describe('viaduct:lint, rule 44', () => {
  it('rule 44 warns: the collector reports a body that was not closed', () => {
    const warned: number[] = [];
    const text = reportForgottenBody((rule) => warned.push(rule));
    expect(warned).to.deep.equal([44]);
    expect(text).to.match(/^viaduct:lint: rule 44: a body must be closed.*\n$/);
  });

  it('rule 44 keeps an error of onWarning to itself, a finalizer has no caller', () => {
    expect(() => reportForgottenBody(throwAnError)).to.not.throw();
  });

  it('rule 44 warns once for a body that is collected open, and not for a closed one', async function () {
    this.timeout(10_000);
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const warned: number[] = [];
    const forgotten = lint(answer([bytes('a')]), { onWarning: (rule) => warned.push(rule) });
    const closed = lint(answer([bytes('a')]), { onWarning: () => warned.push(-1) });
    void forgotten(makeEnviron(), () => async () => {});
    await serve(closed);
    while (warned.length === 0) {
      collect();
      await new Promise((resolve) => setImmediate(resolve));
    }
    collect();
    await new Promise((resolve) => setImmediate(resolve));
    expect(warned).to.deep.equal([44]);
  });
});

describe('viaduct:lint, warnings', () => {
  it('go to the wsgi.errors of the request, one line each, and to onWarning with rule and message', async () => {
    const told: [number, string][] = [];
    const linted = lint(
      answer(
        [],
        [
          ['Content-Type', 'text/plain'],
          ['ETag', 'abc'],
        ],
      ),
      {
        onWarning: (rule, message) => told.push([rule, message]),
      },
    );
    const errors = new MemoryErrors();
    await serve(linted, makeEnviron({ 'wsgi.errors': errors, QUERY_STRING: undefined }));
    expect(told.map(([rule]) => rule)).to.deep.equal([7, 55]);
    expect(errors.text).to.equal(
      told.map(([rule, text]) => `viaduct:lint: rule ${rule}: ${text}\n`).join(''),
    );
    expect(told[1]?.[1]).to.equal('ETag must be in double quotes, found "abc"');
  });

  it('need no options', async () => {
    const errors = new MemoryErrors();
    await serve(lint(answer([])), makeEnviron({ 'wsgi.errors': errors, QUERY_STRING: undefined }));
    expect(errors.text).to.include('rule 7');
  });
});

describe('viaduct:lint, messages', () => {
  it('say what is and what was wanted', async () => {
    const { thrown } = await findingsOf((wrap) => serve(wrap(answer([], untyped({ a: 1 })))));
    expect(thrown?.message).to.equal('lint rule 22: headers must be an Array, found Object');
  });

  it('leave the value of a header out, since it may be secret', async () => {
    const secret = answer(
      [],
      [
        ['Content-Type', 'text/plain'],
        ['Set-Cookie', 'key=s3cret\n'],
      ],
    );
    const { thrown } = await findingsOf((wrap) => serve(wrap(secret)));
    expect(thrown?.message).to.include('"Set-Cookie" has the control character U+000A at position 10');
    expect(thrown?.message).to.not.include('s3cret');
  });
});

describe('viaduct:lint finds nothing wrong with', () => {
  for (const { what, app, environ } of RIGHT_ANSWERS) {
    it(what, async () => {
      const { thrown, warned } = await findingsOf((wrap) => serve(wrap(app()), makeEnviron(environ)));
      expect(thrown?.message).to.equal(undefined);
      expect(warned).to.deep.equal([]);
    });
  }

  for (const { what, act } of RIGHT_USES) {
    it(what, async () => {
      let result: unknown;
      const app: Application = async (environ, startResponse) => {
        result = await act(environ);
        return answer([])(environ, startResponse);
      };
      const { thrown, warned } = await findingsOf((wrap) => serve(wrap(app), makeEnviron({}, 'one\ntwo')));
      expect(thrown?.message).to.equal(undefined);
      expect(warned).to.deep.equal([]);
      expect(result).to.equal(7);
    });
  }
});
