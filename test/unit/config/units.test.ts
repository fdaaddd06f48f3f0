// Durations and sizes.
import { expect } from 'chai';
import { assert, maxSafeNat, nat, property } from 'fast-check';
import { BadValue } from '../../../src/config/problems.ts';
import { formatDuration, formatSize, parseDuration, parseSize } from '../../../src/config/units.ts';

describe('durations', () => {
  const good: [string | number, number][] = [
    ['500ms', 500],
    ['30s', 30_000],
    ['5m', 300_000],
    ['1h', 3_600_000],
    ['596h', 2_145_600_000],
    ['0', 0],
    [0, 0],
    ['0s', 0],
  ];
  for (const [written, milliseconds] of good) {
    it(`reads ${written}`, () => {
      expect(parseDuration(written)).to.equal(milliseconds);
    });
  }
  for (const written of ['', '10', 10, '1.5s', '-1s', '1d', '1 s', '1S', '597h', 's', '1s1s', NaN]) {
    it(`refuses ${JSON.stringify(written)}`, () => {
      expect(() => parseDuration(written)).to.throw(BadValue, /^Expected a duration/);
    });
  }
  it('come back as they were', () => {
    assert(
      property(
        nat(2 ** 31 - 1),
        (milliseconds) => parseDuration(formatDuration(milliseconds)) === milliseconds,
      ),
    );
    expect(['1h', '90s', '1500ms', '0'].map((text) => formatDuration(parseDuration(text)))).to.deep.equal([
      '1h',
      '90s',
      '1500ms',
      '0',
    ]);
  });
});

describe('sizes', () => {
  const good: [string | number, number][] = [
    ['64K', 65_536],
    ['64k', 65_536],
    ['16M', 16_777_216],
    ['1G', 1_073_741_824],
    [123, 123],
    ['123', 123],
    [0, 0],
  ];
  for (const [written, bytes] of good) {
    it(`reads ${written}`, () => {
      expect(parseSize(written)).to.equal(bytes);
    });
  }
  for (const written of ['', '1.5K', -1, 1.5, '64KB', '1T', 'K', '99999999999G']) {
    it(`refuses ${JSON.stringify(written)}`, () => {
      expect(() => parseSize(written)).to.throw(BadValue, /^Expected a size/);
    });
  }
  it('come back as they were', () => {
    assert(property(maxSafeNat(), (bytes) => parseSize(formatSize(bytes)) === bytes));
  });
});
