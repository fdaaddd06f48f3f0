// FILE[:EXPORT] and built-ins.
import { expect } from 'chai';
import { formatReference, parseReference, resolveReference } from '../../../src/config/reference.ts';
import type { Reference, ReferenceRole } from '../../../src/config/reference.ts';

describe('references', () => {
  const good: [string, ReferenceRole, Reference][] = [
    ['./app.js', 'app', { kind: 'file', file: './app.js', exportName: null }],
    ['./app.mjs:main', 'app', { kind: 'file', file: './app.mjs', exportName: 'main' }],
    ['/srv/a:b/app.cjs', 'app', { kind: 'file', file: '/srv/a:b/app.cjs', exportName: null }],
    ['app.ts:$é_1', 'middleware', { kind: 'file', file: 'app.ts', exportName: '$é_1' }],
    ['viaduct:hello', 'app', { kind: 'builtin', builtin: 'viaduct:hello' }],
    ['viaduct:environ', 'app', { kind: 'builtin', builtin: 'viaduct:environ' }],
    ['my.site:app', 'app', { kind: 'python', module: 'my.site', isFile: false, callable: 'app' }],
    ['site:make("x: y")', 'app', { kind: 'python', module: 'site', isFile: false, callable: 'make("x: y")' }],
    ['./a:b/x.wsgi', 'app', { kind: 'python', module: './a:b/x.wsgi', isFile: true, callable: null }],
    ['my.wsgi:app', 'app', { kind: 'python', module: 'my.wsgi', isFile: false, callable: 'app' }],
    ['my.wsgi', 'app', { kind: 'python', module: 'my.wsgi', isFile: true, callable: null }],
    ['x.py:a.b', 'app', { kind: 'python', module: 'x.py', isFile: true, callable: 'a.b' }],
    ['viaduct:lint', 'middleware', { kind: 'builtin', builtin: 'viaduct:lint' }],
  ];
  for (const [text, role, reference] of good) {
    it(`reads ${text} and writes it back`, () => {
      expect(parseReference(text, role)).to.deep.equal(reference);
      expect(formatReference(reference)).to.equal(text);
    });
  }
  const bad: [string, ReferenceRole, RegExp][] = [
    [':main', 'app', /Expected FILE or FILE:EXPORT/],
    ['./app.js:', 'app', /Expected the name of an export .* found ""/],
    ['./app.js:a-b', 'app', /Expected the name of an export .* found "a-b"/],
    ['./app.rb', 'app', /Expected a file that ends in .js/],
    ['mysite:a-b', 'app', /Expected a file that ends in .js/],
    ['my-site:app', 'app', /Expected a file that ends in .js/],
    ['./app.py:', 'app', /Expected a file that ends in .js/],
    ['mysite.wsgi:application', 'middleware', /Expected a file that ends in .js/],
    [
      'viaduct:helo',
      'app',
      /Expected the built-in app viaduct:hello or viaduct:environ, found "viaduct:helo"/,
    ],
    ['viaduct:hello', 'middleware', /Expected the built-in middleware viaduct:lint/],
    ['viaduct:lint', 'app', /Expected the built-in app/],
  ];
  for (const [text, role, message] of bad) {
    it(`refuses ${text} as ${role}`, () => {
      expect(() => parseReference(text, role)).to.throw(message);
    });
  }
  it('makes Python files absolute and leaves modules', () => {
    const resolved = (text: string): string =>
      formatReference(resolveReference(parseReference(text, 'app'), '/srv'));
    expect(resolved('./a.wsgi')).to.equal('/srv/a.wsgi');
    expect(resolved('b.py:make()')).to.equal('/srv/b.py:make()');
    expect(resolved('my.site:app')).to.equal('my.site:app');
  });
  it('makes files absolute and leaves built-ins', () => {
    expect(resolveReference(parseReference('./a.js:x', 'app'), '/srv')).to.deep.equal({
      kind: 'file',
      file: '/srv/a.js',
      exportName: 'x',
    });
    expect(resolveReference(parseReference('viaduct:hello', 'app'), '/srv')).to.deep.equal({
      kind: 'builtin',
      builtin: 'viaduct:hello',
    });
  });
});
