// The text of an environ, and the lists of names that stand for themselves by a number.
import { expect } from 'chai';
import { MAX_LIST, MAX_LISTS, NameLists } from '../../../../src/apps/python/environ-text.ts';
import type { Environ } from '../../../../src/gateway/contract.ts';

describe('apps/python/environ-text', () => {
  let lists: NameLists;
  const textOf = (environ: Record<string, unknown>) => lists.textOf(environ as unknown as Environ);
  beforeEach(() => (lists = new NameLists()));

  it('has all strings in their order, and reads no signal', () => {
    const environ = {
      A: 'b',
      'wsgi.multithread': true,
      get 'viaduct.signal'(): AbortSignal {
        throw new Error('it was read');
      },
      C: '',
      D: '\xff',
    };
    const { names, values } = textOf(environ);
    expect([names.names, names.text, values]).to.deep.equal([['A', 'C', 'D'], 'A\0C\0D', 'b\0\0\xff']);
  });

  it('gives the same list the same number, whatever the values', () => {
    const numbers = [{ A: '1' }, { A: '2', B: '' }, { A: '3' }, { B: '', A: '' }, { A: '', B: '9' }].map(
      (environ) => textOf(environ).names.number,
    );
    expect(numbers).to.deep.equal([0, 1, 0, 2, 1]);
    // What is no string is not in the list.
    expect(textOf({ A: '4', B: 5 }).names.number).to.equal(0);
  });

  it('keeps the first lists, and gives no number to more, nor to one that is too long', () => {
    expect(textOf({ ['X'.repeat(MAX_LIST + 1)]: '' }).names.number).to.equal(-1);
    expect(textOf({ ['X'.repeat(MAX_LIST)]: '' }).names.number).to.equal(0);
    for (let at = 1; at < MAX_LISTS; at += 1) expect(textOf({ [`X${at}`]: '' }).names.number).to.equal(at);
    expect(textOf({ MORE: 'x' }).names).to.deep.equal({ number: -1, names: ['MORE'], text: 'MORE' });
    expect(textOf({ X1: 'x' }).names.number).to.equal(1);
    expect(textOf({ MORE: 'x' }).names.number).to.equal(-1);
  });

  it('refuses what would become something else on the way', () => {
    expect(() => textOf({ HTTP_X: 'a\0b' })).to.throw(TypeError, 'has a NUL');
    expect(() => textOf({ 'A\0': '' })).to.throw(TypeError, '"A\\u0000" has a NUL');
    expect(() => textOf({ A: '', HTTP_X: '\u20ac' })).to.throw(TypeError, '"€" has a character above U+00FF');
    expect(() => textOf({ '\u20ac': '' })).to.throw(TypeError, '"€" has a character above U+00FF');
  });
});
