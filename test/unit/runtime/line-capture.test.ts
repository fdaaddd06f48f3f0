import { expect } from 'chai';
import { Buffer } from 'node:buffer';
import { LineCapture, MAX_LINE, MAX_LINES } from '../../../src/runtime/line-capture.ts';

describe('runtime/line-capture', () => {
  let lines: string[] = [];
  let leftOut: number[] = [];
  let now = 0;
  let capture: LineCapture;
  beforeEach(() => {
    lines = [];
    leftOut = [];
    now = 1_000_000;
    capture = new LineCapture({
      onLine: (line) => lines.push(line),
      onLeftOut: (count) => leftOut.push(count),
      now: () => now,
    });
  });
  const push = (text: string): void => capture.push(Buffer.from(text));

  it('cuts text into lines wherever its chunks end, characters included', () => {
    const text = Buffer.from('one\n\ntwö\nlast');
    for (let split = 0; split <= text.length; split += 1) {
      lines = [];
      const each = new LineCapture({
        onLine: (line) => lines.push(line),
        onLeftOut: () => undefined,
        now: () => 0,
      });
      each.push(text.subarray(0, split));
      each.push(text.subarray(split));
      each.end();
      expect(lines, `split at ${split}`).to.deep.equal(['one', 'twö', 'last']);
    }
  });

  it('cuts a line that is too long, and goes on with the next', () => {
    push('x'.repeat(MAX_LINE));
    push('\n');
    push('y'.repeat(MAX_LINE - 1));
    for (let count = 0; count < 100; count += 1) push('yy');
    push('\nz\n');
    expect(lines).to.deep.equal(['x'.repeat(MAX_LINE), `${'y'.repeat(MAX_LINE)}…`, 'z']);
  });

  it('counts the lines of a second that are too many', () => {
    push('line\n'.repeat(MAX_LINES + 7));
    expect(lines).to.have.lengthOf(MAX_LINES);
    expect(leftOut).to.deep.equal([]);
    now += 1000;
    push('next\n');
    expect(lines.at(-1)).to.equal('next');
    expect(leftOut).to.deep.equal([7]);
    push('line\n'.repeat(MAX_LINES));
    capture.end();
    expect(leftOut).to.deep.equal([7, 1]);
  });
});
