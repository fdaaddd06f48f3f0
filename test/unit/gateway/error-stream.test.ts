// wsgi.errors: text becomes log lines, none lost and none without end.
import { expect } from 'chai';
import { ErrorLines, warn } from '../../../src/gateway/error-stream.ts';
import { answering, run, texts } from '../../helpers/fake-gateway.ts';
import { makeEnviron } from '../../helpers/mini-gateway.ts';

function linesOf(use: (errors: ErrorLines) => void): string[] {
  const lines: string[] = [];
  use(
    new ErrorLines({
      appLine: (line) => void lines.push(line),
      warned: (line) => void lines.push(`warned: ${line}`),
    }),
  );
  return lines;
}

describe('wsgi.errors', () => {
  it("takes a bridge's own warning past what the application has begun to write", () => {
    const lines = linesOf((errors) => {
      errors.write('half');
      warn(makeEnviron({ 'wsgi.errors': errors }), 'refused');
      errors.write(' a line\n');
    });
    expect(lines).to.deep.equal(['warned: refused', 'half a line']);
  });

  it('gives a line for each newline, however the text is cut', () => {
    const text = 'one\n\ntwo\r\nthree\n';
    for (let size = 1; size <= text.length; size += 1) {
      const lines = linesOf((errors) => {
        for (let at = 0; at < text.length; at += size) errors.write(text.slice(at, at + size));
      });
      expect(lines).to.deep.equal(['one', '', 'two\r', 'three']);
    }
  });

  it('keeps what has no newline until flush(), which alone gives no empty line', () => {
    expect(linesOf((errors) => errors.write('a'))).to.deep.equal([]);
    const lines = linesOf((errors) => {
      errors.flush();
      errors.write('a');
      errors.flush();
      errors.flush();
      errors.write('b\n');
      errors.flush();
    });
    expect(lines).to.deep.equal(['a', 'b']);
  });

  it('cuts text without newline at 8192 characters', () => {
    expect(linesOf((errors) => errors.write('x'.repeat(8191)))).to.deep.equal([]);
    expect(linesOf((errors) => errors.write('x'.repeat(8192)))).to.have.lengthOf(1);
    const lines = linesOf((errors) => {
      errors.write('x'.repeat(5000));
      errors.write('x'.repeat(15_000));
      errors.write('y\n');
    });
    expect(lines.map(({ length }) => length)).to.deep.equal([8192, 8192, 3617]);
    expect(lines.join('')).to.equal(`${'x'.repeat(20_000)}y`);
  });

  it('writes any iterable of texts, and what is no text as text', () => {
    const lines = linesOf((errors) => {
      errors.writelines(new Set(['a\n', 'b']));
      errors.write(5 as never);
      errors.write('\n');
    });
    expect(lines).to.deep.equal(['a', 'b5']);
  });

  it('brings out at the end what the application and its close() left without newline', async () => {
    const { events } = await run((environ, start) => {
      const errors = environ['wsgi.errors'];
      errors.write('from the call');
      const body = Object.assign(texts('x'), { close: () => errors.write('from close()') });
      return answering(body)(environ, start);
    });
    expect(events.lines).to.deep.equal(['from the call', 'from close()']);
  });
});
