// The environ from what nginx sends: its stock param files repaired, duplicates, fall-backs, and names a peer should not set.
/* oxlint-disable unicorn/consistent-function-scoping -- a helper stands beside the only test that calls it */
import { expect } from 'chai';
import { type Environ } from '../../../src/gateway/contract.ts';
import {
  completeEnviron,
  exposeSignal,
  makeEnviron,
  type RequestEnviron,
  type RequestPath,
} from '../../../src/gateway/environ.ts';
import { Cancellation } from '../../../src/gateway/cancellation.ts';
import { ErrorLines } from '../../../src/gateway/error-stream.ts';
import { Input } from '../../../src/gateway/input.ts';
import { FakeBody } from '../../helpers/fake-exchange.ts';
import { PATH_CASES } from './path-cases.ts';

const CONTROLLER = new Cancellation();

interface Filled {
  environ: Environ;
  place: RequestPath;
}

function fill(...params: string[]): Filled {
  const errors = new ErrorLines({ appLine: () => undefined, warned: () => undefined });
  const input = new Input(new FakeBody(0).end());
  const make = (): RequestEnviron => makeEnviron(params, input, errors, CONTROLLER);
  const environ = make();
  const before = Object.entries(environ);
  const place = completeEnviron(environ);
  // A list that comes often gets a constructor of its own: what that makes has to be the same.
  let often = make();
  for (let times = 0; times < 20; times++) often = make();
  expect(Object.entries(often)).to.have.deep.members(before);
  expect(completeEnviron(often)).to.deep.equal(place);
  expect(Object.entries(often)).to.have.deep.members(Object.entries(environ));
  return { place, environ: often };
}

const placeOf = (...params: string[]): [string, string] => {
  const { script, path } = fill(...params).place;
  return [script, path];
};

describe('environ, the path', () => {
  it("nginx's fastcgi_params: the whole path in SCRIPT_NAME, no PATH_INFO", () => {
    expect(
      placeOf('SCRIPT_NAME', '/app/x', 'REQUEST_URI', '/app/x?q', 'DOCUMENT_URI', '/app/x'),
    ).to.deep.equal(['', '/app/x']);
  });

  it("nginx's uwsgi_params: the whole path in PATH_INFO, no SCRIPT_NAME", () => {
    expect(placeOf('REQUEST_URI', '/app/x?q', 'PATH_INFO', '/app/x')).to.deep.equal(['', '/app/x']);
  });

  it("nginx's scgi_params: only DOCUMENT_URI", () => {
    expect(placeOf('REQUEST_URI', '/raw%20one', 'DOCUMENT_URI', '/app/x')).to.deep.equal(['', '/app/x']);
  });

  it('only REQUEST_URI: decoded and normalized as nginx does', () => {
    for (const { uri, nginx } of PATH_CASES) {
      if (nginx !== null) expect(placeOf('REQUEST_URI', uri), uri).to.deep.equal(['', nginx]);
    }
  });

  it('nothing at all: the root', () => {
    expect(placeOf()).to.deep.equal(['', '/']);
    expect(placeOf('SCRIPT_NAME', '', 'PATH_INFO', '', 'DOCUMENT_URI', '', 'REQUEST_URI', '')).to.deep.equal([
      '',
      '/',
    ]);
    expect(placeOf('REQUEST_URI', '*')).to.deep.equal(['', '/']);
  });

  it('both set, as fastcgi_split_path_info does: each keeps its part', () => {
    expect(placeOf('SCRIPT_NAME', '/app', 'PATH_INFO', '/x', 'DOCUMENT_URI', '/app/x')).to.deep.equal([
      '/app',
      '/x',
    ]);
    expect(placeOf('SCRIPT_NAME', '/app/', 'PATH_INFO', '/x')).to.deep.equal(['/app', '/x']);
  });

  it('fastcgi_split_path_info without a rest: PATH_INFO is empty and SCRIPT_NAME the whole', () => {
    expect(placeOf('SCRIPT_NAME', '/app', 'PATH_INFO', '', 'DOCUMENT_URI', '/app')).to.deep.equal([
      '',
      '/app',
    ]);
  });

  it("uwsgi's modifier1 30: PATH_INFO still begins with SCRIPT_NAME, which is cut off", () => {
    const uri = ['REQUEST_URI', '/app/x'];
    expect(placeOf('SCRIPT_NAME', '/app', 'PATH_INFO', '/app/x', ...uri)).to.deep.equal(['/app', '/x']);
    expect(placeOf('SCRIPT_NAME', '/app', 'PATH_INFO', '/app', 'REQUEST_URI', '/app')).to.deep.equal([
      '/app',
      '',
    ]);
    expect(placeOf('SCRIPT_NAME', '/app', 'PATH_INFO', '/appx', 'REQUEST_URI', '/app/appx')).to.deep.equal([
      '/app',
      '/appx',
    ]);
  });

  it('/app below /app: what the front server says of the whole path decides', () => {
    const both = ['SCRIPT_NAME', '/app', 'PATH_INFO', '/app/x'];
    expect(placeOf(...both, 'DOCUMENT_URI', '/app/app/x')).to.deep.equal(['/app', '/app/x']);
    expect(placeOf(...both, 'REQUEST_URI', '/app//app/%78?q')).to.deep.equal(['/app', '/app/x']);
    expect(placeOf(...both, 'DOCUMENT_URI', '/app/x')).to.deep.equal(['/app', '/x']);
    expect(placeOf(...both)).to.deep.equal(['/app', '/x']);
  });

  it('SCRIPT_NAME "/" is none', () => {
    expect(placeOf('SCRIPT_NAME', '/', 'PATH_INFO', '/x')).to.deep.equal(['', '/x']);
  });

  it('a path that does not begin with "/", or has a NUL, is refused', () => {
    for (const params of [
      ['SCRIPT_NAME', 'x'],
      ['PATH_INFO', 'x/y'],
      ['REQUEST_URI', 'x'],
      ['SCRIPT_NAME', 'app', 'PATH_INFO', '/x'],
      ['REQUEST_URI', '/a%00b'],
      ['PATH_INFO', '/a\0b'],
      ['SCRIPT_NAME', '/a\0b', 'PATH_INFO', '/x'],
    ]) {
      expect(() => fill(...params), params.join())
        .to.throw(/^Cannot take request: path is string "/)
        .with.property('code', 'ERR_REQUEST_PATH');
    }
  });

  it('the last PATH_INFO and SCRIPT_NAME count', () => {
    expect(
      placeOf('PATH_INFO', '/a', 'PATH_INFO', '/b', 'SCRIPT_NAME', '/x', 'SCRIPT_NAME', ''),
    ).to.deep.equal(['', '/b']);
  });
});

describe('environ, what else comes in', () => {
  it('repeated headers join: Cookie with "; ", Host and Authorization take the last, others join with ", "', () => {
    const repeat = (name: string): string[] => [name, 'a', name, 'b', name, 'c'];
    const names = ['HTTP_COOKIE', 'HTTP_ACCEPT', 'HTTP_X', 'HTTP_HOST', 'HTTP_AUTHORIZATION'];
    const { environ } = fill(...names.flatMap(repeat));
    expect(names.map((name) => environ[name])).to.deep.equal(['a; b; c', 'a, b, c', 'a, b, c', 'c', 'c']);
  });

  it('other repeated params take the last, as a param file overridden after its include', () => {
    const { environ } = fill(
      'X',
      'a',
      'X',
      'b',
      'SERVER_NAME',
      'a',
      'SERVER_NAME',
      'b',
      'CONTENT_TYPE',
      'a/b',
    );
    expect([environ['X'], environ.SERVER_NAME]).to.deep.equal(['b', 'b']);
    expect(fill('CONTENT_TYPE', 'a/b', 'CONTENT_TYPE', '').environ).to.not.have.any.keys('CONTENT_TYPE');
    expect(fill('REMOTE_USER', '', 'REMOTE_USER', 'me').environ['REMOTE_USER']).to.equal('me');
  });

  it('headers that lie or do harm are dropped, their neighbours stay', () => {
    const dropped = ['CONTENT_TYPE', 'CONTENT_LENGTH', 'TRANSFER_ENCODING', 'PROXY'].map(
      (name) => `HTTP_${name}`,
    );
    const kept = ['HTTP_CONTENT_ENCODING', 'HTTP_PROXY_X', 'HTTP_CONNECTION', 'HTTP_TE', 'HTTP_EXPECT'];
    const { environ } = fill(...[...dropped, ...kept].flatMap((name) => [name, 'x']));
    expect(environ).to.include.keys(...kept);
    expect(environ).to.not.have.any.keys(...dropped);
  });

  it('empty optional values are left out, other empty ones stay', () => {
    const optional = ['REMOTE_USER', 'CONTENT_TYPE', 'CONTENT_LENGTH', 'HTTPS', 'REMOTE_ADDR', 'REMOTE_PORT'];
    const more = ['REMOTE_IDENT', 'AUTH_TYPE', 'SERVER_ADDR', 'PATH_TRANSLATED'];
    const { environ } = fill(...[...optional, ...more, 'DOCUMENT_ROOT'].flatMap((name) => [name, '']));
    expect(environ).to.not.have.any.keys(...optional, ...more);
    expect(environ['DOCUMENT_ROOT']).to.equal('');
  });

  it('SERVER_NAME and SERVER_PORT fall back on Host, then on the address, then on localhost and the scheme', () => {
    const server = (...params: string[]): string => {
      const { environ } = fill(...params);
      return `${environ.SERVER_NAME} ${environ.SERVER_PORT}`;
    };
    const empty = ['SERVER_NAME', '', 'SERVER_PORT', ''];
    expect(server(...empty, 'HTTP_HOST', 'A.example:81')).to.equal('a.example 81');
    expect(server(...empty, 'HTTP_HOST', '[2001:db8::1]:81')).to.equal('[2001:db8::1] 81');
    expect(server(...empty, 'HTTP_HOST', '[::1]')).to.equal('[::1] 80');
    expect(server(...empty, 'HTTP_HOST', 'a', 'HTTPS', 'on')).to.equal('a 443');
    expect(server(...empty, 'HTTP_HOST', '', 'SERVER_ADDR', '10.0.0.1')).to.equal('10.0.0.1 80');
    expect(server(...empty, 'SERVER_ADDR', '2001:db8::1')).to.equal('[2001:db8::1] 80');
    expect(server(...empty, 'SERVER_ADDR', 'unix:/run/x.sock')).to.equal('localhost 80');
    expect(server()).to.equal('localhost 80');
    expect(server('REQUEST_SCHEME', 'https')).to.equal('localhost 443');
    expect(server('SERVER_NAME', 'n', 'SERVER_PORT', '1', 'HTTP_HOST', 'h:2')).to.equal('n 1');
    expect(server('SERVER_NAME', 'n', 'SERVER_PORT', '', 'HTTP_HOST', 'h:2')).to.equal('n 2');
    expect(server('SERVER_NAME', '', 'SERVER_PORT', '1', 'HTTP_HOST', 'h:2')).to.equal('h 1');
  });

  it('the scheme is https by HTTPS, or else by REQUEST_SCHEME', () => {
    const scheme = (...params: string[]): string => fill(...params).environ['wsgi.url_scheme'];
    expect(['on', '1', 'off', '0'].map((value) => scheme('HTTPS', value))).to.deep.equal([
      'https',
      'https',
      'http',
      'http',
    ]);
    expect(scheme('REQUEST_SCHEME', 'https', 'HTTPS', '')).to.equal('https');
    expect(scheme('REQUEST_SCHEME', 'https', 'HTTPS', 'off')).to.equal('http');
    expect(scheme('REQUEST_SCHEME', 'http')).to.equal('http');
    expect(scheme('REQUEST_SCHEME', 'ftp')).to.equal('http');
  });

  it('what is missing gets its default', () => {
    expect(fill('REQUEST_URI', '/').environ).to.include({
      REQUEST_METHOD: 'GET',
      QUERY_STRING: '',
      SERVER_PROTOCOL: 'HTTP/1.1',
      'wsgi.url_scheme': 'http',
    });
  });

  it("a peer cannot set the server's keys, nor reach a prototype", () => {
    const own = [
      'wsgi.input',
      'wsgi.errors',
      'wsgi.url_scheme',
      'wsgi.anything',
      'viaduct.signal',
      'viaduct.mount',
    ];
    const { environ } = fill(...[...own, '__proto__'].flatMap((name) => [name, 'evil']));
    expect(Object.values(environ)).to.not.include('evil');
    expect(environ['wsgi.input']).to.be.instanceOf(Input);
    expect(environ['viaduct.signal']).to.be.instanceOf(AbortSignal);
    expect(environ).to.not.have.any.keys('wsgi.anything', '__proto__');
    expect(Object.getPrototypeOf(Object.getPrototypeOf(environ))).to.equal(null);
  });

  it('names of Object.prototype are ordinary keys', () => {
    const names = [
      'constructor',
      'hasOwnProperty',
      'toString',
      'valueOf',
      '__defineGetter__',
      'HTTP_CONSTRUCTOR',
    ];
    const { environ } = fill(...names.flatMap((name) => [name, 'x', name, 'y']));
    for (const name of names) {
      expect(Object.hasOwn(environ, name), name).to.equal(true);
      expect(environ[name], name).to.equal(name.startsWith('HTTP_') ? 'x, y' : 'y');
    }
    expect({}.constructor).to.equal(Object);
  });

  it('the signal can be replaced, by a middleware for one', () => {
    const { environ } = fill();
    const { signal } = new Cancellation();
    environ['viaduct.signal'] = signal;
    expect(environ['viaduct.signal']).to.equal(signal);
    expect(Object.keys(environ).filter((key) => key === 'viaduct.signal')).to.have.lengthOf(1);
  });

  it('the signal is a key to list and to copy once it is exposed, and is there before', () => {
    const keys = (environ: Environ): string[] =>
      Object.keys(environ).filter((key) => key === 'viaduct.signal');
    const { environ } = fill();
    expect(keys(environ)).to.deep.equal([]);
    const signal = environ['viaduct.signal'];
    expect(signal).to.be.instanceOf(AbortSignal);
    exposeSignal(environ as RequestEnviron);
    expect(keys(environ)).to.have.lengthOf(1);
    expect({ ...environ }['viaduct.signal']).to.equal(signal);
  });
});
