// docs/middleware.md is true: its table is the catalogue, and its examples pass viaduct:lint from both sides.
import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import type { Application, Body, Middleware } from '../../../src/gateway/contract.ts';
import { lint, LINT_RULES } from '../../../src/gateway/lint.ts';
import { bytes, makeEnviron, serve, untyped } from '../../helpers/mini-gateway.ts';
import { answer, hello } from './lint/case.ts';

// from dist/test/unit/gateway
const page = readFileSync(new URL('../../../../docs/middleware.md', import.meta.url), 'utf8');

async function exampleNamed(name: string): Promise<Middleware> {
  const code = [...page.matchAll(/```js\n(.*?)```/gs)].map((match) => match[1] ?? '');
  const source = code.find((text) => text.includes(`export const ${name}`)) ?? '';
  const url = `data:text/javascript,${encodeURIComponent(source)}`;
  const exports = (await import(url)) as Record<string, Middleware>;
  return exports[name] ?? untyped(undefined);
}

function closing(body: object, closed: string[]): Body {
  return untyped(Object.assign(body, { close: () => closed.push('close') }));
}

function* words(): Generator<Uint8Array> {
  yield bytes('one ');
  yield bytes('two');
}

async function* wordsLater(): AsyncGenerator<Uint8Array> {
  yield* words();
}

const writes: Application = async (_environ, startResponse) => {
  await startResponse('200 OK', [['Content-Type', 'text/plain']])(bytes('written '));
  return [bytes('returned')];
};

describe('docs/middleware.md', () => {
  it('lists every rule with its number, kind and text', () => {
    const rows = page.split('\n').filter((line) => /^\| \d+ \|/.test(line));
    expect(rows).to.deep.equal(
      LINT_RULES.map(({ number, severity, text }) => `| ${number} | ${severity} | ${text} |`),
    );
  });

  const bodies: Record<string, () => object> = {
    array: () => [bytes('one '), bytes('two')],
    sync: () => ({ [Symbol.iterator]: words }),
    async: () => ({ [Symbol.asyncIterator]: wordsLater }),
  };
  for (const [kind, body] of Object.entries(bodies)) {
    for (const late of [false, true]) {
      it(`its first example keeps the rules with a body ${kind}${late ? ', promised' : ''}`, async () => {
        const shout = await exampleNamed('shout');
        const closed: string[] = [];
        const warned: number[] = [];
        const options = { onWarning: (rule: number) => warned.push(rule) };
        const direct = answer(closing(body(), closed));
        const app: Application = late ? async (environ, start) => direct(environ, start) : direct;
        const served = await serve(lint(shout(lint(app, options)), options));
        expect(served).to.include({ text: 'ONE TWO', kind });
        expect(closed).to.deep.equal(['close']);
        expect(warned).to.deep.equal([]);
      });
    }
  }

  it('its first example changes what goes through write()', async () => {
    const shout = await exampleNamed('shout');
    expect(await serve(lint(shout(lint(writes))))).to.include({ text: 'WRITTEN RETURNED' });
  });

  it('its second example adds a header', async () => {
    const frameOptions = await exampleNamed('frameOptions');
    const served = await serve(lint(frameOptions(lint(hello))), makeEnviron());
    expect(served.headers).to.deep.include(['X-Frame-Options', 'DENY']);
  });
});
