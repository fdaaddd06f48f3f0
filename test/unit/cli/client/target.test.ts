import { expect } from 'chai';
import { documentUri, encodeTarget, queryOf, TargetError } from '../../../../src/cli/client/target.ts';

describe('encodeTarget', () => {
  const cases = [
    ['/', '/'],
    ['*', '*'],
    ['/a%2Fb?x=%41&y', '/a%2Fb?x=%41&y'],
    ['/café ß', '/caf%C3%A9%20%C3%9F'],
    ['/😀?q=\u0001\u007f', '/%F0%9F%98%80?q=%01%7F'],
    ['/a#b?c', '/a'],
  ] as const;
  for (const [text, target] of cases) {
    it(`makes ${target} of ${JSON.stringify(text)}`, () => {
      expect(encodeTarget(text)).to.equal(target);
    });
  }

  it('refuses a path without a slash', () => {
    expect(() => encodeTarget('http://host/')).to.throw(TargetError, /'http:\/\/host\/' failed/);
  });
});

describe('queryOf', () => {
  it('is all after the first question mark', () => {
    expect(queryOf('/a?b=c?d')).to.equal('b=c?d');
    expect(queryOf('/a')).to.equal('');
  });
});

describe('documentUri', () => {
  const cases = [
    ['/', '/'],
    ['*', '*'],
    ['/a/b?c/../d', '/a/b'],
    ['//a///b/', '/a/b/'],
    ['/f/a%2Fb%20c/../x?q=%41', '/f/a/x'],
    ['/a/./b/%2e%2e/c', '/a/c'],
    ['/a/..', '/'],
    ['/a/b/..', '/a/'],
    ['/a/.', '/a/'],
    ['/...', '/...'],
    ['/%3F%25', '/?%'],
    ['/%E9%c3%a9', '/\xe9\xc3\xa9'],
  ] as const;
  for (const [target, uri] of cases) {
    it(`makes ${JSON.stringify(uri)} of ${target}`, () => {
      expect(documentUri(target)).to.equal(uri);
    });
  }

  for (const [target, message] of [
    ['/%zz', /'%zz' is no escape/],
    ['/%', /'%' is no escape/],
    ['/%4', /is no escape/],
    ['/a%00', /NUL/],
    ['/../a', /leaves the root/],
    ['/a/../..', /leaves the root/],
  ] as const) {
    it(`refuses ${target}`, () => {
      expect(() => documentUri(target)).to.throw(TargetError, message);
    });
  }
});
