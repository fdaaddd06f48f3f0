// PEP 3333, "Input and Error Streams": Python's file semantics, asynchronous.
/* oxlint-disable unicorn/consistent-function-scoping -- an application stands beside what is expected of it */
import { expect } from 'chai';
import type { Application, Environ } from '../../../../src/gateway/contract.ts';
import { FakeBody } from '../../../helpers/fake-exchange.ts';
import { answering, environFor, run, stageFor, texts } from '../../../helpers/fake-gateway.ts';
import { waitFor } from '../../../helpers/wait.ts';

/** What `use` gives, asked inside an application with this request body. */
async function inApp<T>(body: string | FakeBody, use: (environ: Environ) => Promise<T>): Promise<T> {
  let result: T[] = [];
  const app: Application = async (environ, start) => {
    result = [await use(environ)];
    return answering([])(environ, start);
  };
  const { events } = await run(app, { body });
  const [value] = result;
  if (value === undefined) throw new Error(`Cannot give a result: ${events.codes.join()}`);
  return value;
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

describe('PEP 3333, wsgi.input and wsgi.errors', () => {
  it('rule 26: the input has read, readline, readlines and iteration by lines', async () => {
    const body = 'one\ntwo\nthree\nfour';
    const all = await inApp(body, async ({ 'wsgi.input': input }) => {
      const parts = [text(await input.read(2)), text(await input.readline())];
      parts.push((await input.readlines(1)).map(text).join('|'));
      for await (const line of input) parts.push(text(line));
      return parts;
    });
    expect(all).to.deep.equal(['on', 'e\n', 'two\n', 'three\n', 'four']);
  });

  it('rule 26: errors has write, writelines and flush', async () => {
    const app: Application = (environ, start) => {
      const errors = environ['wsgi.errors'];
      errors.write('a');
      errors.writelines(['b\n', 'c']);
      errors.flush();
      errors.write('d');
      return answering([])(environ, start);
    };
    expect((await run(app)).events.lines).to.deep.equal(['ab', 'c', 'd']);
  });

  it('rule 27: the input ends after Content-Length, and stays at its end', async () => {
    const reads = await inApp('abc', async ({ 'wsgi.input': input }) => [
      text(await input.read()),
      text(await input.read()),
      text(await input.read(5)),
      text(await input.readline()),
      (await input.readlines()).length,
    ]);
    expect(reads).to.deep.equal(['abc', '', '', '', 0]);
  });

  it('rule 27: read() and read(-1) give the rest, readline(size) at most size bytes', async () => {
    for (const size of [undefined, -1, -100]) {
      const rest = await inApp('abcdef', async ({ 'wsgi.input': input }) => {
        await input.read(1);
        return text(await input.read(size));
      });
      expect(rest).to.equal('bcdef');
    }
    const lines = await inApp('abc\nd\n', async ({ 'wsgi.input': input }) => [
      text(await input.readline(2)),
      text(await input.readline(9)),
      text(await input.readline(-1)),
    ]);
    expect(lines).to.deep.equal(['ab', 'c\n', 'd\n']);
  });

  it('rule 27: readlines(hint) stops once hint bytes are there; 0 and below mean all', async () => {
    const lines = (hint?: number): Promise<number> =>
      inApp('ab\nc\nde', async ({ 'wsgi.input': input }) => (await input.readlines(hint)).length);
    expect(await Promise.all([1, 3, 4, 5, 6, 0, -1, undefined].map((hint) => lines(hint)))).to.deep.equal([
      1, 1, 2, 2, 3, 3, 3, 3,
    ]);
  });

  it('rule 28: read(n) gives exactly n bytes, however they arrive', async () => {
    const body = new FakeBody(6);
    const seen: string[] = [];
    const stage = stageFor(async (environ, start) => {
      seen.push(text(await environ['wsgi.input'].read(5)));
      seen.push(text(await environ['wsgi.input'].read(5)));
      return answering([])(environ, start);
    });
    stage.handle({ body });
    for (const piece of ['a', 'bc', 'd', 'ef']) {
      await waitFor(() => body.awaited, { what: 'a read' });
      expect(seen).to.deep.equal([]);
      body.push(piece);
    }
    body.end();
    await stage.settled();
    expect(seen).to.deep.equal(['abcde', 'f']);
  });

  it('rule 28: read(0) gives nothing, takes nothing and does not wait', async () => {
    const body = new FakeBody(3);
    const read = await inApp(body, async ({ 'wsgi.input': input }) => {
      const none = [text(await input.read(0)), text(await input.readline(0))];
      expect(body.reads).to.equal(0);
      body.push('abc').end();
      return [...none, text(await input.read())];
    });
    expect(read).to.deep.equal(['', '', 'abc']);
  });

  it('rule 29: flush is harmless, and neither stream has a close for an application to call', async () => {
    const environ = await environFor();
    expect(environ['wsgi.input']).to.not.have.property('close');
    expect(environ['wsgi.errors']).to.not.have.property('close');
    const app: Application = (given, start) => {
      given['wsgi.errors'].flush();
      given['wsgi.errors'].flush();
      return answering(texts('x'))(given, start);
    };
    expect((await run(app)).events.lines).to.deep.equal([]);
  });
});
