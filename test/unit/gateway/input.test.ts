// wsgi.input against a model of a Python file: however the body is cut, the answers are those over the whole.
import { expect } from 'chai';
import * as fc from 'fast-check';
import { GatewayError } from '../../../src/gateway/errors.ts';
import { Input } from '../../../src/gateway/input.ts';
import { FakeBody } from '../../helpers/fake-exchange.ts';
import { waitFor } from '../../helpers/wait.ts';

/** io.BytesIO, as the Python documentation has it. */
class Model {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  read(size = -1): string {
    const end = size < 0 ? this.#bytes.length : Math.min(this.#bytes.length, this.#at + size);
    return this.#to(end);
  }

  readline(size = -1): string {
    const newline = this.#bytes.indexOf('\n', this.#at);
    const lineEnd = newline === -1 ? this.#bytes.length : newline + 1;
    return this.#to(size < 0 ? lineEnd : Math.min(lineEnd, this.#at + size));
  }

  readlines(hint = -1): string[] {
    const lines: string[] = [];
    const enough = hint <= 0 ? Infinity : hint;
    for (let total = 0; this.#at < this.#bytes.length && total < enough;) {
      const line = this.readline();
      lines.push(line);
      total += line.length;
    }
    return lines;
  }

  #to(end: number): string {
    const text = this.#bytes.toString('latin1', this.#at, end);
    this.#at = end;
    return text;
  }
}

type Operation =
  | { call: 'read' | 'readline' | 'readlines'; size: number | undefined }
  | { call: 'next'; size: number | undefined };

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');
const isBusy = (error: unknown): boolean => error instanceof GatewayError && error.code === 'ERR_INPUT_BUSY';

async function perform(input: Input, { call, size }: Operation): Promise<string[]> {
  if (call === 'read') return [text(await input.read(size))];
  if (call === 'readline') return [text(await input.readline(size))];
  if (call === 'readlines') return (await input.readlines(size)).map(text);
  const step = await input[Symbol.asyncIterator]().next();
  return step.done === true ? [] : [text(step.value)];
}

function expected(model: Model, { call, size }: Operation): string[] {
  if (call === 'read') return [model.read(size)];
  if (call === 'readline') return [model.readline(size)];
  if (call === 'readlines') return model.readlines(size);
  const line = model.readline();
  return line === '' ? [] : [line];
}

const operation: fc.Arbitrary<Operation> = fc.record({
  call: fc.constantFrom('read', 'readline', 'readlines', 'next'),
  size: fc.option(fc.integer({ min: -1, max: 9 }), { nil: undefined }),
});
/** Mostly newlines and a few letters, in pieces, empty ones too. */
const pieces = fc.array(
  fc
    .array(fc.constantFrom('\n', 'a', 'b', '\r', '\xff'), { maxLength: 6 })
    .map((letters) => letters.join('')),
  { maxLength: 8 },
);

describe('wsgi.input', () => {
  it('answers any calls as a file of the whole body would, however it is cut and whenever it comes', async () => {
    const property = fc.asyncProperty(
      pieces,
      fc.array(operation, { maxLength: 10 }),
      fc.nat({ max: 8 }),
      async (chunks, operations, early) => {
        const body = new FakeBody();
        body.push(...chunks.slice(0, early));
        const input = new Input(body);
        const model = new Model(Buffer.from(chunks.join(''), 'latin1'));
        // The others come one a turn, while the reads wait.
        const rest = chunks.slice(early);
        const feeding = (async () => {
          for (const chunk of rest) {
            await new Promise((resolve) => setImmediate(resolve));
            body.push(chunk);
          }
          body.end();
        })();
        for (const each of [...operations, { call: 'read', size: undefined } as const]) {
          expect(await perform(input, each)).to.deep.equal(expected(model, each));
        }
        await feeding;
        expect(text(await input.read())).to.equal('');
      },
    );
    await fc.assert(property, { numRuns: 300 });
  });

  it('iterates all lines, and can go on after a break', async () => {
    const input = new Input(new FakeBody(7).push('a\nb', '\nc\n', 'd').end());
    const lines: string[] = [];
    for await (const line of input) {
      lines.push(text(line));
      if (lines.length === 2) break;
    }
    for await (const line of input) lines.push(text(line));
    expect(lines).to.deep.equal(['a\n', 'b\n', 'c\n', 'd']);
  });

  it('takes a fractional size down to whole bytes', async () => {
    const input = new Input(new FakeBody(5).push('abc\nd').end());
    expect(text(await input.read(1.9))).to.equal('a');
    expect(text(await input.readline(1.9))).to.equal('b');
  });

  it('hands a chunk over without copying it', async () => {
    const chunk = Buffer.from('abc');
    const whole = await new Input(new FakeBody(3).push(chunk).end()).read(3);
    expect(whole.buffer).to.equal(chunk.buffer);
    expect(whole.byteOffset).to.equal(chunk.byteOffset);
  });

  it('refuses a second read while one is under way, and goes on after it', async () => {
    const body = new FakeBody(6);
    const input = new Input(body);
    const first = input.read(2);
    await waitFor(() => body.awaited, { what: 'the first read' });
    for (const second of [
      input.read(1),
      input.readline(),
      input.readlines(),
      input[Symbol.asyncIterator]().next(),
    ]) {
      const error = await second.then(
        () => null,
        (reason: unknown) => reason,
      );
      expect(isBusy(error)).to.equal(true);
      expect(String(error)).to.equal(
        'GatewayError: Cannot read wsgi.input: another read is still under way, await it first',
      );
    }
    expect((await input.read(0)).length).to.equal(0);
    body.push('abc');
    expect(text(await first)).to.equal('ab');
    body.push('def').end();
    expect(text(await input.read())).to.equal('cdef');
  });

  it('throws what the transport says, at every read, and can be asked again', async () => {
    const body = new FakeBody(6).push('ab');
    const input = new Input(body);
    expect(text(await input.read(2))).to.equal('ab');
    const waiting = input.read(2);
    await waitFor(() => body.awaited, { what: 'a read' });
    body.fail(new GatewayError('ERR_BODY_TRUNCATED', 'Cannot read body: it ended after 2 of 6 bytes'));
    for (const read of [() => waiting, () => input.read(), () => input.readline(), () => input.readlines()]) {
      const error = await read().then(
        () => null,
        (reason: unknown) => reason,
      );
      expect(error).to.have.property('code', 'ERR_BODY_TRUNCATED');
    }
  });

  it('asks the transport for nothing before the application does, nor after the end', async () => {
    const body = new FakeBody(1).push('a').end();
    const input = new Input(body);
    expect([body.reads, input.touched]).to.deep.equal([0, false]);
    await input.read(0);
    expect([body.reads, input.touched]).to.deep.equal([0, false]);
    await input.read();
    expect(input.touched).to.equal(true);
    const { reads } = body;
    await input.read();
    expect(body.reads).to.equal(reads);
  });
});
