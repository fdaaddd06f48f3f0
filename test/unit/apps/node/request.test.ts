// The IncomingMessage of an environ: its URL where nothing is as usual, its headers, and the facts of its socket.
import { Socket } from 'node:net';
import { expect } from 'chai';
import { makeRequest } from '../../../../src/apps/node/request.ts';
import { socketFacts } from '../../../../src/apps/node/socket-facts.ts';
import { makeEnviron } from '../../../helpers/node-environ.ts';

const requestOf = (params: Record<string, string>) => makeRequest(makeEnviron(params), new Socket());

describe('apps/node/request', () => {
  const URLS: readonly [what: string, params: Record<string, string>, url: string, original?: string][] = [
    ['is the raw one', { PATH_INFO: '/a/b', REQUEST_URI: '/%61%2Fb?c' }, '/%61%2Fb?c'],
    ['keeps a fragment out', { PATH_INFO: '/a', REQUEST_URI: '/a#b' }, '/a'],
    ['is made where there is none', { PATH_INFO: '/a b\xc3\xa9', QUERY_STRING: 'c' }, '/a%20b%C3%A9?c'],
    ['is the rewritten one', { PATH_INFO: '/new', REQUEST_URI: '/old?x', QUERY_STRING: 'y' }, '/new?y'],
    [
      'is rewritten below a mount',
      { SCRIPT_NAME: '/m', PATH_INFO: '/new', REQUEST_URI: '/old' },
      '/new',
      '/m/new',
    ],
    [
      'climbs into a mount',
      { SCRIPT_NAME: '/m', PATH_INFO: '/b', REQUEST_URI: '/x/../m/b' },
      '/b',
      '/x/../m/b',
    ],
    [
      'does not take /mount for /m',
      { SCRIPT_NAME: '/m', PATH_INFO: '', REQUEST_URI: '/m/../m' },
      '/',
      '/m/../m',
    ],
  ];
  for (const [what, params, url, original] of URLS) {
    it(`has a url that ${what}`, () => {
      const req = requestOf(params) as { url?: string; originalUrl?: string };
      expect([req.url, req.originalUrl]).to.deep.equal([url, original]);
    });
  }

  it('has the headers of the environ, and their length', () => {
    const req = requestOf({
      HTTP_X_FORWARDED_FOR: '1.2.3.4, 5.6.7.8',
      CONTENT_TYPE: 'text/plain',
      CONTENT_LENGTH: '3',
    });
    expect(req.headers).to.deep.equal({
      'x-forwarded-for': '1.2.3.4, 5.6.7.8',
      'content-type': 'text/plain',
      'content-length': '3',
    });
    expect(req.rawHeaders.slice(0, 2)).to.deep.equal(['x-forwarded-for', '1.2.3.4, 5.6.7.8']);
  });

  it('says that a body comes whose length is not known', () => {
    expect(requestOf({}).headers).to.deep.equal({ 'transfer-encoding': 'chunked' });
  });

  it('has the version that the client speaks', () => {
    const versions = ['HTTP/1.1', 'HTTP/1.0', 'HTTP/2.0', 'odd'].map((version) => {
      const { httpVersion, httpVersionMajor, httpVersionMinor } = requestOf({ SERVER_PROTOCOL: version });
      return `${httpVersion} ${httpVersionMajor}.${httpVersionMinor}`;
    });
    expect(versions).to.deep.equal(['1.1 1.1', '1.0 1.0', '2.0 2.0', '1.1 1.1']);
  });

  it('knows the ends of the connection', () => {
    const params = { REMOTE_ADDR: '::1', REMOTE_PORT: '5000', SERVER_ADDR: '127.0.0.1', SERVER_PORT: '443' };
    expect(socketFacts(makeEnviron(params))).to.deep.equal({
      encrypted: false,
      remoteAddress: '::1',
      remotePort: 5000,
      remoteFamily: 'IPv6',
      localAddress: '127.0.0.1',
      localPort: 443,
      localFamily: 'IPv4',
    });
    expect(socketFacts(makeEnviron({ REMOTE_ADDR: 'unix:' })).remoteAddress).to.equal(undefined);
  });
});
