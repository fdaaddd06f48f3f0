// The path of a request, decoded and normalized, against what nginx makes of the same URIs.
import { expect } from 'chai';
import * as fc from 'fast-check';
import { decodeRequestUri, isBelow, normalize, unquote } from '../../../src/gateway/path.ts';
import { PATH_CASES } from './path-cases.ts';

describe('path', () => {
  for (const { uri, nginx, ours } of PATH_CASES) {
    it(`${JSON.stringify(uri)} is ${JSON.stringify(ours ?? nginx)}${nginx === null ? ', which nginx refuses' : ''}`, () => {
      expect(decodeRequestUri(uri)).to.equal(ours ?? nginx);
    });
  }

  it('an empty URI has no path', () => {
    expect(decodeRequestUri('')).to.equal('');
  });

  it('a normalized path has no dot segments and no double slash, and stays itself', () => {
    const segment = fc.constantFrom('', '.', '..', '...', 'a', 'b', '%2e', '%2F');
    fc.assert(
      fc.property(fc.array(segment, { maxLength: 12 }), (segments) => {
        const path = decodeRequestUri(`/${segments.join('/')}`);
        expect(path).to.match(/^\//);
        expect(`${path}/`).to.not.match(/\/\.{1,2}\//);
        expect(path).to.not.contain('//');
        expect(normalize(path)).to.equal(path);
      }),
    );
  });

  it('unquote decodes every byte and leaves what is no escape', () => {
    for (let code = 0; code < 256; code += 1) {
      const hex = code.toString(16).padStart(2, '0');
      const wanted = String.fromCharCode(code);
      expect(unquote(`%${hex}%${hex.toUpperCase()}`)).to.equal(wanted + wanted);
    }
    expect(unquote('%%41%4%g1%')).to.equal('%A%4%g1%');
  });

  it('isBelow holds the "/" boundary', () => {
    const cases: [string, string, boolean][] = [
      ['/app', '/app', true],
      ['/app/', '/app', true],
      ['/app/x', '/app', true],
      ['/appx', '/app', false],
      ['/ap', '/app', false],
      ['/x/app', '/app', false],
      ['/App', '/app', false],
    ];
    for (const [path, prefix, below] of cases) expect(isBelow(path, prefix), path).to.equal(below);
  });
});
