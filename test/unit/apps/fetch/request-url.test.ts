// The URL of a request: what `new URL()` makes of it, without asking it for what is plain.
import { expect } from 'chai';
import * as fc from 'fast-check';
import { requestUrl } from '../../../../src/apps/fetch/request-url.ts';
import { makeEnviron } from '../../../helpers/mini-gateway.ts';

const urlOf = (target: string | undefined, changes: Record<string, unknown> = {}): string | null =>
  requestUrl(makeEnviron({ REQUEST_URI: target, ...changes }));

const TARGETS: readonly (readonly [target: string, url: string | null])[] = [
  ['/', '/'],
  ['/a/b?c=d&e', '/a/b?c=d&e'],
  ['//evil.com/x', '//evil.com/x'],
  ['/a//b/', '/a//b/'],
  ['/a/../b/./c', '/b/c'],
  ['/a/%2e%2E/b', '/b'],
  ['/.well-known/x', '/.well-known/x'],
  ['/%20%C3%B6?%zz', '/%20%C3%B6?%zz'],
  ['/a?b=../c', '/a?b=../c'],
  ["/it's?it's", "/it's?it%27s"],
  ['/a"<b>?"', '/a%22%3Cb%3E?%22'],
  ['/a\\b', '/a/b'],
  ['/a#b', '/a'],
  ['/a?b#c', '/a?b'],
  // Bytes that are UTF-8 already, and one that is not.
  ['/\xc3\xb6?\xff', '/%C3%B6?%FF'],
];

describe('requestUrl()', () => {
  for (const [target, path] of TARGETS) {
    it(`makes ${path} of ${JSON.stringify(target)}`, () => {
      expect(urlOf(target)).to.equal(`http://example.com${path}`);
    });
  }

  it('is what new URL() makes of any target', () => {
    const part = fc.constantFrom(
      '/',
      '/a',
      '/.',
      '/..',
      '%2e',
      '%2E.',
      "'",
      '?',
      '&',
      '=',
      '"',
      '<',
      '|',
      '^',
      '`',
      '{',
      '[',
      '~',
      '!',
      '$',
      '%',
      '+',
      ';',
      '@',
      ':',
      '\\',
      ' ',
      'Z',
      '_',
    );
    fc.assert(
      fc.property(fc.array(part), (parts) => {
        const target = `/${parts.join('')}`;
        expect(urlOf(target)).to.equal(new URL(`http://example.com${target}`).href);
      }),
      { numRuns: 2000 },
    );
  });

  const HOSTS: readonly (readonly [host: string, origin: string | null])[] = [
    ['example.com', 'http://example.com'],
    ['EXAMPLE.com:8080', 'http://example.com:8080'],
    ['example.com:80', 'http://example.com'],
    ['[::1]:81', 'http://[::1]:81'],
    ['127.1', 'http://127.0.0.1'],
    ['a_b.example', 'http://a_b.example'],
    ['a b', null],
    ['user@host', null],
    ['host/path', null],
    ['host?x', null],
    ['host#x', null],
    ['host\\x', null],
    ['host:port', null],
    ['host:99999', null],
    ['[::1', null],
    ['a\tb', null],
    ['h\xf6st', null],
    ['a<b', null],
  ];
  for (const [host, origin] of HOSTS) {
    it(`${origin === null ? 'refuses' : 'takes'} ${JSON.stringify(host)} for a host, every time`, () => {
      const url = origin === null ? null : `${origin}/x?y`;
      expect([urlOf('/x?y', { HTTP_HOST: host }), urlOf('/x?y', { HTTP_HOST: host })]).to.deep.equal([
        url,
        url,
      ]);
    });
  }

  it('has the scheme of the request, and the same host under both', () => {
    expect(urlOf('/', { 'wsgi.url_scheme': 'https', HTTP_HOST: 'two.example:80' })).to.equal(
      'https://two.example:80/',
    );
    expect(urlOf('/', { HTTP_HOST: 'two.example:80' })).to.equal('http://two.example/');
  });

  it('takes the name of the server where there is no host, if that can be one', () => {
    const without = { HTTP_HOST: undefined, SERVER_PORT: '8081' };
    expect(urlOf('/', without)).to.equal('http://example.com:8081/');
    expect(urlOf('/', { ...without, HTTP_HOST: '' })).to.equal('http://example.com:8081/');
    expect(urlOf('/', { ...without, SERVER_NAME: '~^(?<x>.+)$' })).to.equal('http://localhost/');
  });

  it('is put together from the path where there is no target', () => {
    const path = { SCRIPT_NAME: '/app', PATH_INFO: '/\xc3\xb6 %?#;a', QUERY_STRING: 'q=\xff' };
    expect(urlOf(undefined, path)).to.equal('http://example.com/app/%C3%B6%20%25%3F%23;a?q=%FF');
    expect(urlOf('', { SCRIPT_NAME: '', PATH_INFO: '' })).to.equal('http://example.com/');
  });

  it('takes an absolute target, and no other form', () => {
    expect(urlOf('https://other.example/x?y#z')).to.equal('https://other.example/x?y');
    for (const target of ['*', 'host:443', 'ftp://a/b', 'x', 'http://'])
      expect(urlOf(target), target).to.equal(null);
  });

  it('goes on as before after more hosts than it remembers', () => {
    for (let count = 0; count < 600; count += 1)
      expect(urlOf('/', { HTTP_HOST: `h${count}.example` })).to.equal(`http://h${count}.example/`);
  });
});
