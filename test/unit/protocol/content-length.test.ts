import { expect } from 'chai';
import { contentLengthOf, parseContentLength } from '../../../src/protocol/content-length.ts';
import { ProtocolError } from '../../../src/protocol/errors.ts';

describe('parseContentLength', () => {
  it('reads digits', () => {
    expect(parseContentLength('0')).to.equal(0);
    expect(parseContentLength('0012')).to.equal(12);
    expect(parseContentLength('9007199254740991')).to.equal(Number.MAX_SAFE_INTEGER);
  });

  it('takes an empty value for 0', () => {
    expect(parseContentLength('')).to.equal(0);
  });

  for (const value of [
    '-1',
    '+1',
    ' 1',
    '1 ',
    '1\n',
    '1.0',
    '1e3',
    '0x1',
    '1,1',
    'Infinity',
    '9007199254740992',
  ]) {
    it(`refuses ${JSON.stringify(value)}`, () => {
      const result = parseContentLength(value);
      expect(result).to.be.instanceOf(ProtocolError);
      expect(result).to.include({ code: 'ERR_CONTENT_LENGTH', status: 400 });
      expect(result).to.have.property('message').that.contains(JSON.stringify(value));
    });
  }

  it('quotes no more than the start of an endless value', () => {
    expect(parseContentLength('9'.repeat(65536)))
      .to.have.property('message')
      .with.length.below(200);
  });
});

describe('contentLengthOf', () => {
  it('takes the last CONTENT_LENGTH', () => {
    expect(contentLengthOf(['CONTENT_LENGTH', '1', 'A', 'b', 'CONTENT_LENGTH', '2'])).to.equal(2);
  });

  it('is 0 without one, whatever the values say', () => {
    expect(contentLengthOf([])).to.equal(0);
    expect(contentLengthOf(['X', 'CONTENT_LENGTH', 'Y', '5'])).to.equal(0);
  });
});
