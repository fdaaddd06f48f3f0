// viaduct:forwarded: who is believed, and what becomes of it.
import { expect } from 'chai';
import {
  forwardedHops,
  listedHops,
  parseNode,
  TrustedProxies,
} from '../../../../src/apps/middleware/proxy-chain.ts';
import { Seen, Stand } from './stand.ts';

type Params = Record<string, string>;

interface Case {
  what: string;
  options?: object;
  peer?: string;
  params: Params;
  /** Keys of the environ; undefined: it is not there. */
  gives: Record<string, string | undefined>;
}

const PROXY = '10.0.0.1';
const FOR = 'HTTP_X_FORWARDED_FOR';
const FORWARDED = { headers: ['forwarded', 'x-forwarded-port', 'x-forwarded-prefix'] };

const CASES: Case[] = [
  {
    what: 'the client of one proxy',
    params: { [FOR]: '192.0.2.7', REMOTE_PORT: '4711' },
    gives: { REMOTE_ADDR: '192.0.2.7', REMOTE_PORT: undefined, [FOR]: '192.0.2.7' },
  },
  {
    what: 'the right-most address that is not trusted, whatever a client has put in front',
    params: { [FOR]: '127.0.0.1, 10.9.9.9, 192.0.2.7 ,10.0.0.2,  10.0.0.3' },
    gives: { REMOTE_ADDR: '192.0.2.7', [FOR]: '192.0.2.7, 10.0.0.2, 10.0.0.3' },
  },
  {
    what: 'the left-most address where all are trusted',
    params: { [FOR]: '10.0.0.3, 10.0.0.2' },
    gives: { REMOTE_ADDR: '10.0.0.3', [FOR]: '10.0.0.3, 10.0.0.2' },
  },
  {
    what: 'no more proxies than there are',
    options: { hops: 1 },
    params: { [FOR]: '192.0.2.7, 10.0.0.2', HTTP_X_FORWARDED_PROTO: 'https, http' },
    gives: { REMOTE_ADDR: '10.0.0.2', [FOR]: '10.0.0.2', 'wsgi.url_scheme': 'http' },
  },
  {
    what: 'IPv6 in every spelling, with its port',
    options: { trust: ['2001:db8::/32'] },
    peer: '2001:db8::1',
    params: { [FOR]: '"x", [2a00::7]:4711, 2001:db8::2, [2001:db8::3]' },
    gives: { REMOTE_ADDR: '2a00::7', REMOTE_PORT: '4711' },
  },
  {
    what: 'a port, and IPv4 written as IPv6',
    peer: '::ffff:10.0.0.1',
    params: { [FOR]: '192.0.2.7:80' },
    gives: { REMOTE_ADDR: '192.0.2.7', REMOTE_PORT: '80' },
  },
  {
    what: 'an unknown client: the last address that is known stays',
    params: { [FOR]: '192.0.2.7, unknown, 10.0.0.2' },
    gives: { REMOTE_ADDR: '10.0.0.2', [FOR]: 'unknown, 10.0.0.2' },
  },
  {
    what: 'garbage instead of an address',
    params: { [FOR]: '192.0.2.7, 1.2.3.4.5', REMOTE_PORT: '5' },
    gives: { REMOTE_ADDR: PROXY, REMOTE_PORT: '5', [FOR]: '1.2.3.4.5' },
  },
  {
    what: 'only commas',
    params: { [FOR]: ',,' },
    gives: { REMOTE_ADDR: PROXY },
  },
  {
    what: 'a peer on a Unix socket, as nginx names it',
    options: { trust: ['unix'] },
    peer: 'unix:',
    params: { [FOR]: '192.0.2.7' },
    gives: { REMOTE_ADDR: '192.0.2.7' },
  },
  {
    what: 'a peer without an address',
    options: { trust: ['unix'] },
    peer: '',
    params: { [FOR]: '192.0.2.7' },
    gives: { REMOTE_ADDR: '192.0.2.7' },
  },
  {
    what: 'https',
    params: { HTTP_X_FORWARDED_PROTO: 'HTTPS', REQUEST_SCHEME: 'http' },
    gives: {
      'wsgi.url_scheme': 'https',
      HTTPS: 'on',
      REQUEST_SCHEME: 'https',
      SERVER_PORT: '443',
      HTTP_HOST: 'example.com',
      HTTP_X_FORWARDED_PROTO: 'https',
    },
  },
  {
    what: 'http, where the last hop has TLS',
    params: { HTTP_X_FORWARDED_PROTO: 'http', HTTPS: 'on', SERVER_PORT: '443' },
    gives: { 'wsgi.url_scheme': 'http', HTTPS: undefined, SERVER_PORT: '80' },
  },
  {
    what: 'the scheme of a WebSocket',
    params: { HTTP_X_FORWARDED_PROTO: 'wss' },
    gives: { 'wsgi.url_scheme': 'https' },
  },
  {
    what: 'a scheme that is none',
    params: { HTTP_X_FORWARDED_PROTO: 'constructor' },
    gives: { 'wsgi.url_scheme': 'http', HTTPS: undefined, HTTP_X_FORWARDED_PROTO: undefined },
  },
  {
    what: 'the scheme by the farthest of the trusted proxies',
    params: { [FOR]: '192.0.2.7, 10.0.0.2', HTTP_X_FORWARDED_PROTO: 'http, https, http' },
    gives: { 'wsgi.url_scheme': 'https' },
  },
  {
    what: 'a host',
    params: { HTTP_X_FORWARDED_HOST: 'Shop.Example:8443' },
    gives: { HTTP_HOST: 'Shop.Example:8443', SERVER_NAME: 'shop.example', SERVER_PORT: '8443' },
  },
  {
    what: 'a host that is none',
    params: { HTTP_X_FORWARDED_HOST: 'evil.example/path' },
    gives: { HTTP_HOST: 'example.com', SERVER_NAME: 'example.com', HTTP_X_FORWARDED_HOST: undefined },
  },
  {
    what: 'a host in IPv6',
    params: { HTTP_X_FORWARDED_HOST: '[2001:db8::1]', HTTP_X_FORWARDED_PROTO: 'https' },
    gives: { HTTP_HOST: '[2001:db8::1]', SERVER_NAME: '[2001:db8::1]', SERVER_PORT: '443' },
  },
  {
    what: 'a port, which goes into Host',
    params: { HTTP_X_FORWARDED_PORT: '8443', HTTP_X_FORWARDED_PROTO: 'https' },
    gives: { HTTP_HOST: 'example.com:8443', SERVER_PORT: '8443' },
  },
  {
    what: 'the usual port, which does not',
    params: {
      HTTP_X_FORWARDED_HOST: 'a.example:80',
      HTTP_X_FORWARDED_PORT: '443',
      HTTP_X_FORWARDED_PROTO: 'https',
    },
    gives: { HTTP_HOST: 'a.example', SERVER_PORT: '443' },
  },
  {
    what: 'a port that is none',
    params: { HTTP_X_FORWARDED_PORT: '70000' },
    gives: { HTTP_HOST: 'example.com', SERVER_PORT: '80', HTTP_X_FORWARDED_PORT: undefined },
  },
  {
    what: 'a prefix, before the mount',
    params: { HTTP_X_FORWARDED_PREFIX: '/shop/%C3%A9/' },
    gives: { SCRIPT_NAME: '/shop/\u00c3\u00a9/app', PATH_INFO: '/x', HTTP_X_FORWARDED_PREFIX: undefined },
  },
  ...['shop', '//evil.example', '/a/../b', '/a/.', '/a?b', '/%00', '/', '/a\\b'].map((prefix) => ({
    what: `no prefix ${prefix}`,
    params: { HTTP_X_FORWARDED_PREFIX: prefix },
    gives: { SCRIPT_NAME: '/app' },
  })),
  {
    what: 'only the headers it is told of; the others are gone',
    options: { headers: ['x-forwarded-for'] },
    params: { [FOR]: '192.0.2.7', HTTP_X_FORWARDED_PROTO: 'https', HTTP_X_FORWARDED_HOST: 'evil.example' },
    gives: {
      REMOTE_ADDR: '192.0.2.7',
      'wsgi.url_scheme': 'http',
      HTTP_HOST: 'example.com',
      HTTP_X_FORWARDED_PROTO: undefined,
      HTTP_X_FORWARDED_HOST: undefined,
    },
  },
  {
    what: 'Forwarded, with its quotes and without regard to case',
    options: FORWARDED,
    params: {
      HTTP_FORWARDED:
        'for=1.1.1.1, For="[2a00::7]:4711";Proto=https;HOST="a.example:8443", for=10.0.0.2;by=_x',
    },
    gives: {
      REMOTE_ADDR: '2a00::7',
      REMOTE_PORT: '4711',
      'wsgi.url_scheme': 'https',
      HTTP_HOST: 'a.example:8443',
      SERVER_PORT: '8443',
      HTTP_FORWARDED: 'For="[2a00::7]:4711";Proto=https;HOST="a.example:8443", for=10.0.0.2;by=_x',
    },
  },
  {
    what: 'Forwarded, with an open quote in front',
    options: FORWARDED,
    params: { HTTP_FORWARDED: 'for="; proto=https, for=192.0.2.7;proto=http' },
    gives: { REMOTE_ADDR: '192.0.2.7', 'wsgi.url_scheme': 'http' },
  },
  {
    what: 'Forwarded, with a client that is hidden',
    options: FORWARDED,
    params: { HTTP_FORWARDED: 'for=192.0.2.7, for=_secret;proto=https, for=10.0.0.2' },
    gives: { REMOTE_ADDR: '10.0.0.2', 'wsgi.url_scheme': 'https' },
  },
  {
    what: 'X-Forwarded-For beside Forwarded: it is gone',
    options: FORWARDED,
    params: { HTTP_FORWARDED: 'for=192.0.2.7', [FOR]: '1.1.1.1' },
    gives: { REMOTE_ADDR: '192.0.2.7', [FOR]: undefined },
  },
];

const EVERY_HEADER: Params = {
  [FOR]: '1.1.1.1',
  HTTP_X_FORWARDED_PROTO: 'https',
  HTTP_X_FORWARDED_HOST: 'evil.example',
  HTTP_X_FORWARDED_PORT: '99',
  HTTP_X_FORWARDED_PREFIX: '/evil',
  HTTP_X_FORWARDED_SSL: 'on',
  HTTP_X_REAL_IP: '1.1.1.1',
  HTTP_FORWARDED: 'for=1.1.1.1',
};

describe('viaduct:forwarded', () => {
  const ask = async (options: object, peer: string, params: Params): Promise<Seen> => {
    const seen = new Seen();
    const all = { trust: ['10.0.0.0/8'], ...options };
    const stand = await Stand.make(seen.app, [['viaduct:forwarded', all]], '/app');
    const answer = await stand.get('/app/x', { REMOTE_ADDR: peer, ...params });
    expect(answer.sent).to.equal('from the app');
    return seen;
  };

  describe('takes from a trusted proxy', () => {
    for (const { what, options = {}, peer = PROXY, params, gives } of CASES) {
      it(what, async () => {
        const seen = await ask(options, peer, params);
        const keys = Object.keys(gives);
        const found = seen.values(...keys);
        expect(Object.fromEntries(keys.map((key, at) => [key, found[at]]))).to.deep.equal(gives);
      });
    }
  });

  for (const [peer, trust] of [
    ['11.0.0.1', ['10.0.0.0/8']],
    ['unix:', ['10.0.0.0/8']],
    ['', ['loopback']],
    ['10.0.0.1', ['unix', 'loopback', 'linklocal']],
    ['not an address', ['0.0.0.0/0', '::/0', 'unix']],
    ['fe80::1', ['private']],
  ] as const) {
    it(`takes nothing from ${peer || 'a peer without an address'} when it trusts ${trust.join(', ')}`, async () => {
      const seen = await ask({ trust: [...trust] }, peer, EVERY_HEADER);
      const keys = ['REMOTE_ADDR', 'wsgi.url_scheme', 'HTTPS', 'HTTP_HOST', 'SERVER_PORT', 'SCRIPT_NAME'];
      const own = [peer === '' ? undefined : peer, 'http', undefined, 'example.com', '80', '/app'];
      expect(seen.values(...keys)).to.deep.equal(own);
      expect(seen.values(...Object.keys(EVERY_HEADER)).filter((value) => value !== undefined)).to.deep.equal(
        [],
      );
    });
  }

  for (const [peer, trust] of [
    ['127.0.0.9', 'loopback'],
    ['::1', 'loopback'],
    ['fe80::1%eth0', 'linklocal'],
    ['192.168.3.4', 'private'],
    ['fd00::1', 'private'],
    ['203.0.113.5', '203.0.113.5'],
  ] as const) {
    it(`trusts ${peer} by ${trust}`, async () => {
      const seen = await ask({ trust: [trust] }, peer, { [FOR]: '192.0.2.7' });
      expect(seen.values('REMOTE_ADDR')).to.deep.equal(['192.0.2.7']);
    });
  }
});

describe('TrustedProxies', () => {
  it('says the same of an address each time, however many others come between', () => {
    const proxies = new TrustedProxies(['10.0.0.0/8']);
    for (let round = 0; round < 3; round += 1) {
      for (let at = 0; at < 300; at += 1) {
        expect(proxies.has(`10.0.${at >> 8}.${at & 255}`)).to.equal(true);
        expect(proxies.has(`11.0.${at >> 8}.${at & 255}`)).to.equal(false);
      }
      expect(proxies.has('')).to.equal(false);
    }
  });
});

describe('parseNode', () => {
  for (const text of [
    '',
    'unknown',
    '_x',
    '1.2.3',
    '1.2.3.4:',
    '[1.2.3.4]',
    '[::1',
    '::1]:5',
    'a.example',
    '1.2.3.4 ',
  ]) {
    it(`takes no address from ${JSON.stringify(text)}`, () => {
      expect(parseNode(text)).to.equal(null);
    });
  }

  it('takes no port that is none', () => {
    expect(parseNode('1.2.3.4:_x')).to.deep.equal({ ip: '1.2.3.4', port: '' });
    expect(parseNode('[::1]:70000')).to.deep.equal({ ip: '::1', port: '' });
  });
});

describe('a chain of proxies', () => {
  it('is read from its end', () => {
    expect([...listedHops('a, b ,c')].map(({ text }) => text)).to.deep.equal(['c', 'b', 'a']);
    expect([...forwardedHops('for=a;x="1,2" , for=b')].map(({ text }) => text)).to.deep.equal([
      'for=b',
      'for=a;x="1,2"',
    ]);
    expect([...forwardedHops('')]).to.deep.equal([]);
  });

  it('costs little to read, whatever it holds', () => {
    const before = performance.now();
    for (const piece of [',', 'a="', 'a="\\",', 'a=b;', ' ', ';', '"'])
      for (const hop of forwardedHops(`${piece.repeat(20_000)}for=1.1.1.1`)) if (hop.from === null) break;
    expect(performance.now() - before).to.be.lessThan(1000);
  });
});
