// One application behind one nginx gets the same environ over FastCGI, uwsgi, SCGI and HTTP, but for what is listed here,
// and docs/environ.md has the same list.
import { expect } from 'chai';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Bridge, fixtureApp, startBridge, type Way } from '../helpers/bridge.ts';
import type { CallOptions } from '../helpers/http-client.ts';
import { projectRoot } from '../helpers/project.ts';

type Protocol = Way['protocol'];
type Environ = Readonly<Record<string, unknown>>;

interface Difference {
  readonly key: string;
  /** Where the value is another than over FastCGI, or missing. */
  readonly over: readonly Protocol[];
  readonly why: string;
}

const DIFFERENCES: readonly Difference[] = [
  {
    key: 'DOCUMENT_URI',
    over: ['uwsgi', 'http'],
    why: "nginx's uwsgi_params name it PATH_INFO; HTTP has no params",
  },
  { key: 'DOCUMENT_ROOT', over: ['http'], why: 'HTTP has no params' },
  { key: 'GATEWAY_INTERFACE', over: ['uwsgi', 'scgi'], why: "only nginx's fastcgi_params have it" },
  { key: 'SERVER_SOFTWARE', over: ['uwsgi', 'scgi', 'http'], why: "only nginx's fastcgi_params have it" },
  { key: 'SERVER_ADDR', over: ['uwsgi', 'scgi', 'http'], why: "only nginx's fastcgi_params have it" },
  { key: 'REMOTE_USER', over: ['uwsgi', 'scgi', 'http'], why: "only nginx's fastcgi_params have it" },
  {
    key: 'REDIRECT_STATUS',
    over: ['uwsgi', 'scgi', 'http'],
    why: "only nginx's fastcgi_params have it (for PHP)",
  },
  { key: 'SCGI', over: ['scgi'], why: 'the SCGI specification wants it' },
  {
    key: 'CONTENT_LENGTH',
    over: ['scgi'],
    why: 'the SCGI specification wants it in every request: 0 without a body',
  },
  {
    key: 'REMOTE_ADDR',
    over: ['http'],
    why: 'HTTP viaduct sees nginx; the client is in HTTP_X_FORWARDED_FOR',
  },
  { key: 'REMOTE_PORT', over: ['http'], why: 'HTTP viaduct sees nginx' },
  { key: 'SERVER_PORT', over: ['http'], why: 'HTTP viaduct has only the Host header and its own socket' },
  { key: 'HTTPS', over: ['http'], why: 'HTTP has no params' },
  {
    key: 'wsgi.url_scheme',
    over: ['http'],
    why: 'HTTP viaduct speaks no TLS, and X-Forwarded-Proto may be forged',
  },
  { key: 'HTTP_CONNECTION', over: ['http'], why: 'belongs to one connection: nginx sends its own' },
  { key: 'HTTP_X_REAL_IP', over: ['http'], why: "nginx's proxy_params add it" },
  { key: 'HTTP_X_FORWARDED_FOR', over: ['http'], why: "nginx's proxy_params add it" },
  { key: 'HTTP_X_FORWARDED_PROTO', over: ['http'], why: "nginx's proxy_params add it" },
];

/** Another value in each request: only its form can be checked. */
const VARYING: Readonly<Record<string, RegExp>> = {
  REMOTE_PORT: /^\d+$/,
  'viaduct.request_id': /^[\w-]{8,}$/,
};

const PROTOCOLS: readonly Protocol[] = ['fastcgi', 'uwsgi', 'scgi', 'http'];
const plain = (protocol: Protocol): Way => ({ name: protocol, protocol, keepConn: protocol === 'http' });
const secure = (protocol: Protocol): Way => ({
  ...plain(protocol),
  name: `${protocol}_secure`,
  extra: protocol === 'http' ? '' : '{{module}}_param HTTPS on;',
});

interface Case {
  readonly what: string;
  readonly request: CallOptions;
  readonly wayOf?: (protocol: Protocol) => Way;
  /** What the keys that matter must be, over FastCGI and so over all. */
  readonly wanted: Environ;
}

const CASES: readonly Case[] = [
  {
    what: 'a GET with a query',
    request: { path: '/there?a=1&b=%20' },
    wanted: {
      REQUEST_METHOD: 'GET',
      SCRIPT_NAME: '',
      PATH_INFO: '/there',
      QUERY_STRING: 'a=1&b=%20',
      REQUEST_URI: '/there?a=1&b=%20',
      SERVER_NAME: 'localhost',
      SERVER_PROTOCOL: 'HTTP/1.1',
      'wsgi.url_scheme': 'http',
      'viaduct.mount': 'root',
      'fixture.key': 'of the mount, é'.replace('é', '\xc3\xa9'),
    },
  },
  {
    what: 'a POST with a body',
    request: { method: 'POST', path: '/', headers: [['Content-Type', 'text/x; charset=y']], body: 'four' },
    wanted: {
      REQUEST_METHOD: 'POST',
      CONTENT_TYPE: 'text/x; charset=y',
      CONTENT_LENGTH: '4',
      PATH_INFO: '/',
    },
  },
  {
    what: 'a UTF-8 path below a mount with a prefix',
    request: { path: '/pre/fix/caf%C3%A9/a%2Fb' },
    wanted: {
      SCRIPT_NAME: '/pre/fix',
      PATH_INFO: '/caf\xc3\xa9/a/b',
      REQUEST_URI: '/pre/fix/caf%C3%A9/a%2Fb',
      'viaduct.mount': '/pre/fix',
    },
  },
  {
    what: 'exactly the prefix',
    request: { path: '/pre/fix?' },
    wanted: { SCRIPT_NAME: '/pre/fix', PATH_INFO: '' },
  },
  {
    what: 'nearly the prefix',
    request: { path: '/pre/fixture' },
    wanted: { SCRIPT_NAME: '', PATH_INFO: '/pre/fixture' },
  },
  {
    what: 'the HTTPS param',
    request: { path: '/' },
    wayOf: secure,
    wanted: { HTTPS: 'on', 'wsgi.url_scheme': 'https' },
  },
  {
    what: 'repeated and odd headers',
    request: {
      path: '/',
      headers: [
        ['Host', 'www.example.org:8080'],
        ['Cookie', 'a=1'],
        ['X-Dup', 'one'],
        ['Cookie', 'b=2'],
        ['X-Dup', 'two'],
        ['Authorization', 'Basic dTpw'],
        ['Proxy', 'http://evil.example/'],
        ['X_Under', 'dropped by nginx'],
        ['Accept', ''],
        ['X-Latin', '\xe9'],
      ],
    },
    wanted: {
      SERVER_NAME: 'www.example.org',
      // Debian's parameter files send $host, which has no port.
      HTTP_HOST: 'www.example.org',
      HTTP_COOKIE: 'a=1; b=2',
      HTTP_X_DUP: 'one, two',
      HTTP_AUTHORIZATION: 'Basic dTpw',
      HTTP_ACCEPT: '',
      HTTP_X_LATIN: '\xe9',
      HTTP_PROXY: undefined,
      HTTP_X_UNDER: undefined,
    },
  },
];

describe('environ behind nginx', () => {
  let bridge: Bridge;
  const seen = new Set<string>();

  before(async () => {
    bridge = await startBridge({
      ways: PROTOCOLS.flatMap((protocol) => [plain(protocol), secure(protocol)]),
      mounts: {
        '/': { name: 'root', app: fixtureApp('describe'), env: { 'fixture.key': 'of the mount, é' } },
        '/pre/fix': 'describe',
      },
    });
  });
  after(() => bridge.stop());
  afterEach(() => bridge.expectQuietLogs());

  const environOver = async (protocol: Protocol, { request, wayOf = plain }: Case): Promise<Environ> => {
    const way = wayOf(protocol);
    const response = await bridge.request(way, request);
    expect(response.status, response.text).to.equal(200);
    const { environ } = JSON.parse(response.text) as { environ: Record<string, unknown> };
    for (const [key, form] of Object.entries(VARYING)) {
      if (environ[key] !== undefined) expect(environ[key], key).to.match(form);
    }
    const ownPort = String(bridge.nginx.portOf(way.name));
    // Each way has a port of its own, in place of which every environ gets the same word.
    return { ...environ, ...(environ['SERVER_PORT'] === ownPort && { SERVER_PORT: 'own' }) };
  };

  for (const one of CASES) {
    it(`is the same for ${one.what}`, async () => {
      const fastcgi = await environOver('fastcgi', one);
      for (const [key, value] of Object.entries(one.wanted)) expect(fastcgi[key], key).to.equal(value);
      for (const protocol of PROTOCOLS) {
        const other = await environOver(protocol, one);
        const found = differing(fastcgi, other);
        for (const key of found) seen.add(`${key} ${protocol}`);
        expect(
          found.filter((key) => !isListed(key, protocol)),
          `keys that differ over ${protocol}`,
        ).to.deep.equal([]);
      }
    });
  }

  it('differs in every way that is listed, or the list is out of date', () => {
    const listed = DIFFERENCES.flatMap(({ key, over }) => over.map((protocol) => `${key} ${protocol}`));
    // The value varies everywhere; what is different over HTTP is that it may be missing.
    const checkable = listed.filter((entry) => !entry.startsWith('REMOTE_PORT '));
    expect(checkable.filter((entry) => !seen.has(entry))).to.deep.equal([]);
  });

  it('differs in nothing that docs/environ.md leaves out', async () => {
    const page = await readFile(join(projectRoot, 'docs/environ.md'), 'utf8');
    const table = page.slice(
      page.indexOf('## What differs per protocol'),
      page.indexOf('## What is left out'),
    );
    for (const { key, over } of DIFFERENCES) {
      const row = table
        .split('\n')
        .find((line) => line.startsWith('|') && line.split('|')[1]?.includes(`\`${key}\``));
      expect(row, `the row of ${key}`).to.be.a('string');
      for (const protocol of over) expect(row?.toLowerCase(), key).to.include(protocol);
    }
  });

  it('has nothing that docs/environ.md does not name', async () => {
    const page = await readFile(join(projectRoot, 'docs/environ.md'), 'utf8');
    const [first] = CASES;
    if (first === undefined) throw new Error('Cannot compare: no cases');
    for (const protocol of PROTOCOLS) {
      const keys = Object.keys(await environOver(protocol, first));
      const own = keys.filter((key) => !key.startsWith('HTTP_') && key !== 'fixture.key');
      expect(own.filter((key) => !page.includes(`\`${key}\``))).to.deep.equal([]);
    }
  });
});

function differing(one: Environ, other: Environ): string[] {
  const keys = new Set([...Object.keys(one), ...Object.keys(other)]);
  return [...keys].filter((key) => {
    const bothVary = key in VARYING && key in one && key in other;
    return !bothVary && JSON.stringify(one[key]) !== JSON.stringify(other[key]);
  });
}

function isListed(key: string, protocol: Protocol): boolean {
  return DIFFERENCES.some((difference) => difference.key === key && difference.over.includes(protocol));
}
