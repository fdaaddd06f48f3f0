// PEP 3333, "environ Variables": what an application finds in its environ, and how URLs are put together from it.
/* oxlint-disable unicorn/consistent-function-scoping -- an application stands beside what is expected of it */
import { expect } from 'chai';
import type { Application, Environ } from '../../../../src/gateway/contract.ts';
import { answering, environFor, PLAIN, run, stageFor, texts } from '../../../helpers/fake-gateway.ts';

const strings = (environ: Environ): [string, unknown][] =>
  Object.entries(environ).filter(([key]) => !key.includes('.'));

describe('PEP 3333, environ', () => {
  it('rule 9: REQUEST_METHOD is what the client sent, any token, and never empty', async () => {
    for (const method of ['GET', 'get', 'M-SEARCH', "x!#$%&'*+.^_`|~"]) {
      expect((await environFor({ method })).REQUEST_METHOD).to.equal(method);
    }
    expect((await environFor({ method: '' })).REQUEST_METHOD).to.equal('GET');
  });

  it('rule 9: a method that is no token is refused with 400', async () => {
    for (const method of ['GE T', 'GET\r\nX: y', '(', 'GÉT']) {
      const { exchange, events } = await run(answering([]), { method });
      expect(exchange.status).to.equal('400 Bad Request');
      expect(events.warnings[0]).to.match(
        /^Refused request with 400: Cannot take request: method is string /,
      );
    }
  });

  it('rule 10: SCRIPT_NAME is "" at the root mount', async () => {
    expect((await environFor({ path: '/x' })).SCRIPT_NAME).to.equal('');
  });

  it('rule 11: PATH_INFO is "" at a mount without trailing slash', async () => {
    const environ = await environFor({ path: '/app' }, { path: '/app' });
    expect([environ.SCRIPT_NAME, environ.PATH_INFO]).to.deep.equal(['/app', '']);
  });

  it('rule 12: QUERY_STRING is "" without a query, CONTENT_TYPE and CONTENT_LENGTH are absent when empty', async () => {
    const environ = await environFor();
    expect(environ.QUERY_STRING).to.equal('');
    expect(environ).to.not.have.any.keys('CONTENT_TYPE', 'CONTENT_LENGTH');
    const post = await environFor({ params: ['CONTENT_TYPE', 'a/b', 'CONTENT_LENGTH', '3'], body: 'abc' });
    expect([post.CONTENT_TYPE, post.CONTENT_LENGTH]).to.deep.equal(['a/b', '3']);
    expect((await environFor({ params: ['QUERY_STRING', 'a=1&b'] })).QUERY_STRING).to.equal('a=1&b');
  });

  it('rule 13: SERVER_NAME and SERVER_PORT are strings and never empty', async () => {
    const params = ['SERVER_NAME', '', 'SERVER_PORT', '', 'HTTP_HOST', ''];
    const environ = await environFor({ params });
    expect([environ.SERVER_NAME, environ.SERVER_PORT]).to.deep.equal(['localhost', '80']);
    const given = await environFor({ params: ['SERVER_NAME', 'a.b', 'SERVER_PORT', '81'] });
    expect([given.SERVER_NAME, given.SERVER_PORT]).to.deep.equal(['a.b', '81']);
  });

  it("rule 14: SERVER_PROTOCOL is the client's", async () => {
    for (const protocol of ['HTTP/1.0', 'HTTP/1.1', 'HTTP/2.0', 'HTTP/3.0']) {
      const environ = await environFor({ params: ['SERVER_PROTOCOL', protocol] });
      expect(environ.SERVER_PROTOCOL).to.equal(protocol);
    }
    expect((await environFor({ params: ['SERVER_PROTOCOL', ''] })).SERVER_PROTOCOL).to.equal('HTTP/1.1');
  });

  it('rule 15: HTTP_* keys are there exactly where the header was, even with an empty value', async () => {
    const environ = await environFor({ params: ['HTTP_X_A', 'a', 'HTTP_X_EMPTY', ''] });
    expect(environ['HTTP_X_A']).to.equal('a');
    expect(environ['HTTP_X_EMPTY']).to.equal('');
    expect(environ).to.not.have.any.keys('HTTP_ACCEPT', 'HTTP_COOKIE');
  });

  it('rule 15: Content-Type and Content-Length have their own keys only', async () => {
    const params = ['HTTP_CONTENT_TYPE', 'a/b', 'HTTP_CONTENT_LENGTH', '3', 'CONTENT_TYPE', 'a/b'];
    const environ = await environFor({ params });
    expect(environ).to.not.have.any.keys('HTTP_CONTENT_TYPE', 'HTTP_CONTENT_LENGTH');
    expect(environ.CONTENT_TYPE).to.equal('a/b');
  });

  it('rule 16: whatever else the web server tells comes through, TLS variables too', async () => {
    const params = ['HTTPS', 'on', 'SSL_PROTOCOL', 'TLSv1.3', 'DOCUMENT_ROOT', '/srv', 'X_MINE', ''];
    const environ = await environFor({ params });
    expect(environ).to.include({
      HTTPS: 'on',
      SSL_PROTOCOL: 'TLSv1.3',
      DOCUMENT_ROOT: '/srv',
      X_MINE: '',
      REMOTE_ADDR: '127.0.0.1',
    });
  });

  it('rule 17: a value that is missing is left out, not ""', async () => {
    const names = ['REMOTE_USER', 'HTTPS', 'AUTH_TYPE', 'REMOTE_IDENT', 'PATH_TRANSLATED', 'REMOTE_PORT'];
    const environ = await environFor({ params: names.flatMap((name) => [name, '']) });
    expect(environ).to.not.have.any.keys(...names);
    expect(environ).to.have.property('REMOTE_ADDR');
    expect((await environFor({ params: ['REMOTE_ADDR', ''] }))['REMOTE_ADDR']).to.equal(undefined);
  });

  it("rule 18: the deployer's own keys are there, the process's environment is not", async () => {
    const environ = await environFor({}, { env: [['API_KEY', 'secret']] });
    expect(environ['API_KEY']).to.equal('secret');
    expect(process.env).to.include.keys('PATH');
    expect(environ).to.not.have.any.keys('PATH', 'HOME');
  });

  it('rule 19: keys of the server are lower-case with its own prefix', async () => {
    const environ = await environFor();
    const own = Object.keys(environ).filter((key) => key.includes('.') && !key.startsWith('wsgi.'));
    expect(own).to.have.members(['viaduct.signal', 'viaduct.mount', 'viaduct.request_id']);
    for (const key of own) expect(key).to.match(/^viaduct\.[a-z0-9_]+$/);
  });

  it('rule 20: wsgi.version is [1, 0], and cannot be changed for the next request', async () => {
    const environ = await environFor();
    expect(environ['wsgi.version']).to.deep.equal([1, 0]);
    expect(Object.isFrozen(environ['wsgi.version'])).to.equal(true);
  });

  it('rule 21: wsgi.url_scheme is http or https', async () => {
    const scheme = async (...params: string[]): Promise<string> =>
      (await environFor({ params }))['wsgi.url_scheme'];
    expect(await scheme()).to.equal('http');
    expect(await scheme('HTTPS', 'on')).to.equal('https');
    expect(await scheme('REQUEST_SCHEME', 'https')).to.equal('https');
  });

  it('rule 22: wsgi.input gives the body', async () => {
    const app: Application = async (environ, start) =>
      answering([await environ['wsgi.input'].read()])(environ, start);
    expect((await run(app, { body: 'abc' })).exchange.sent).to.equal('abc');
  });

  it('rule 23: wsgi.errors takes any text, line by line to the log', async () => {
    const app: Application = (environ, start) => {
      environ['wsgi.errors'].write('one\ntwo €𝄞\n');
      return answering([])(environ, start);
    };
    expect((await run(app)).events.lines).to.deep.equal(['one', 'two €𝄞']);
  });

  it('rule 24: multithread, multiprocess and run_once are false in one process with one event loop', async () => {
    const environ = await environFor();
    expect(environ).to.include({
      'wsgi.multithread': false,
      'wsgi.multiprocess': false,
      'wsgi.run_once': false,
    });
  });

  it('rule 25: offers wsgi.file_wrapper, and says that the input ends', async () => {
    const environ = await environFor();
    expect(environ['wsgi.file_wrapper']).to.be.a('function');
    expect(environ['wsgi.input_terminated']).to.equal(true);
  });

  it('rules 9 to 17: every CGI value is a string of latin-1 bytes, never another type', async () => {
    const path = Buffer.from('/é€', 'utf8').toString('latin1');
    const environ = await environFor({ path, params: ['HTTP_X', '\xff', 'CONTENT_LENGTH', '0'] });
    for (const [key, value] of strings(environ)) {
      expect(value, key).to.be.a('string');
      // oxlint-disable-next-line no-control-regex
      expect(value, key).to.match(/^[\x00-\xff]*$/);
    }
    expect(environ.PATH_INFO).to.equal('/\xc3\xa9\xe2\x82\xac');
  });
});

/** PEP 3333, "URL Reconstruction", word for word. */
function urlOf(environ: Environ): string {
  const scheme = environ['wsgi.url_scheme'];
  const quote = (text: string): string =>
    text.replace(/[^\w/.~-]/g, (char) => `%${Buffer.from(char, 'latin1').toString('hex').toUpperCase()}`);
  let url = `${scheme}://`;
  if (typeof environ['HTTP_HOST'] === 'string') url += environ['HTTP_HOST'];
  else {
    url += environ.SERVER_NAME;
    if (environ.SERVER_PORT !== (scheme === 'https' ? '443' : '80')) url += `:${environ.SERVER_PORT}`;
  }
  url += quote(environ.SCRIPT_NAME) + quote(environ.PATH_INFO);
  return environ.QUERY_STRING === '' ? url : `${url}?${environ.QUERY_STRING}`;
}

describe('PEP 3333, URL reconstruction', () => {
  it('rule 58: gives back the URL, at the root, below a mount, at the mount itself', async () => {
    const cases = [
      ['', '/', '', '/'],
      ['/app', '/app', '/app', ''],
      ['/app', '/app/', '/app', '/'],
      ['/app', '/app/x y', '/app', '/x y'],
    ] as const;
    for (const [mount, path, script, rest] of cases) {
      const environ = await environFor({ path, params: ['QUERY_STRING', 'q=1'] }, { path: mount });
      expect([environ.SCRIPT_NAME, environ.PATH_INFO]).to.deep.equal([script, rest]);
      expect(urlOf(environ)).to.equal(`http://example.com${path.replace(' ', '%20')}?q=1`);
    }
  });

  it('rule 58: without a Host header SERVER_NAME and a port that is not the default stand in', async () => {
    const base = ['REQUEST_METHOD', 'GET', 'SCRIPT_NAME', '/a', 'SERVER_NAME', 'h', 'HTTPS', 'on'];
    for (const [port, url] of [
      ['443', 'https://h/a'],
      ['8443', 'https://h:8443/a'],
    ] as const) {
      let seen = '';
      const stage = stageFor((environ, start) => {
        seen = urlOf(environ);
        return answering(texts('x'), PLAIN)(environ, start);
      });
      stage.handleRaw({ params: [...base, 'SERVER_PORT', port] });
      await stage.settled();
      expect(seen).to.equal(url);
    }
  });

  it('rule 58: SCRIPT_NAME is never "/" and has no trailing slash', async () => {
    for (const params of [
      ['SCRIPT_NAME', '/', 'PATH_INFO', '/x'],
      ['SCRIPT_NAME', '/front/', 'PATH_INFO', '/x'],
      ['SCRIPT_NAME', '', 'PATH_INFO', '', 'DOCUMENT_URI', ''],
    ]) {
      const environ = await environFor({ params });
      expect(environ.SCRIPT_NAME).to.match(/^(\/.*[^/])?$/);
      expect(environ.PATH_INFO).to.match(/^\//);
    }
  });
});
