import { expect } from 'chai';
import { assert, maxSafeNat, property } from 'fast-check';
import { LineBlock } from '../../../src/observe/line-block.ts';

const textOf = ({ bytes }: { bytes: Buffer }): string => bytes.toString('latin1');

describe('observe/line-block', () => {
  it('takes whole lines together up to its size, and a longer one alone', () => {
    const block = new LineBlock(10);
    const taken: { text: string; lines: number }[] = [];
    for (const line of ['abc\n', 'def\n', 'g\n', 'h\n', `${'x'.repeat(50)}\n`, 'i\n']) {
      block.ascii(line);
      if (block.endLine()) continue;
      const { bytes, lines } = block.take();
      taken.push({ text: bytes.toString('latin1'), lines });
    }
    expect(taken).to.deep.equal([
      { text: 'abc\ndef\ng\n', lines: 3 },
      { text: 'h\n', lines: 1 },
      { text: `${'x'.repeat(50)}\n`, lines: 1 },
    ]);
    expect(block.lines).to.equal(1);
    expect(textOf(block.take())).to.equal('i\n');
    expect(block.lines).to.equal(0);
  });

  it('gives bytes that later lines do not touch', () => {
    const block = new LineBlock(4);
    block.ascii('one\n');
    block.endLine();
    const first = block.take();
    block.ascii('two\n');
    expect(textOf(first)).to.equal('one\n');
  });

  it('writes whole numbers as String() does, and 0 for what is none', () => {
    const numbers = [
      0,
      7,
      10,
      99,
      100,
      999,
      1000,
      2 ** 31,
      2 ** 32,
      1e15,
      999_999_999_999_999,
      Number.MAX_SAFE_INTEGER,
    ];
    const write = (value: number, width?: number): string => {
      const block = new LineBlock(4);
      block.integer(value, width);
      block.endLine();
      return textOf(block.take());
    };
    expect(numbers.map((each) => write(each))).to.deep.equal(numbers.map(String));
    expect([-1, 0.5, NaN, Infinity, 2 ** 53].map((each) => write(each))).to.deep.equal([
      '0',
      '0',
      '0',
      '0',
      '0',
    ]);
    expect([0, 67, 1234].map((each) => write(each, 3))).to.deep.equal(['000', '067', '1234']);
    assert(property(maxSafeNat(), (value) => write(value) === String(value)));
  });

  it('has text escaped as a whole where any character of it is not plain', () => {
    const block = new LineBlock(4);
    block.escaped('plain ~', () => 'never');
    for (const text of ['a"b', '\\', 'a\n', '\u007f', '\u00e9', '\u20ac']) block.escaped(text, () => '<>');
    block.endLine();
    expect(textOf(block.take())).to.equal('plain ~<><><><><><>');
  });
});
