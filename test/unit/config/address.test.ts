// Socket addresses and client ranges.
import { expect } from 'chai';
import {
  addressesCollide,
  formatAddress,
  parseListenAddress,
  parseClientRange,
} from '../../../src/config/address.ts';
import type { ListenAddress } from '../../../src/config/address.ts';

describe('addresses', () => {
  const good: [string, ListenAddress][] = [
    ['unix:run/v.sock', { kind: 'unix', path: 'run/v.sock' }],
    ['unix:/run/v.sock', { kind: 'unix', path: '/run/v.sock' }],
    ['127.0.0.1:9000', { kind: 'tcp', host: '127.0.0.1', port: 9000 }],
    ['localhost:0', { kind: 'tcp', host: 'localhost', port: 0 }],
    ['my_app.internal:65535', { kind: 'tcp', host: 'my_app.internal', port: 65_535 }],
    ['[::1]:8080', { kind: 'tcp', host: '::1', port: 8080 }],
    ['systemd:web server', { kind: 'systemd', name: 'web server' }],
  ];
  for (const [text, address] of good) {
    it(`reads ${text} and writes it back`, () => {
      expect(parseListenAddress(text)).to.deep.equal(address);
      expect(formatAddress(address)).to.equal(text);
    });
  }
  const bad: [string, RegExp][] = [
    ['', /Expected unix:PATH, HOST:PORT or systemd:NAME, found/],
    ['systemd:', /Expected a name of at most 255 ASCII characters without a colon/],
    ['systemd:a:b', /without a colon after "systemd:", found "a:b"/],
    [`systemd:${'x'.repeat(256)}`, /at most 255/],
    ['systemd:caf\u00e9', /ASCII/],
    ['8080', /found "8080"/],
    ['127.0.0.1', /Expected unix:PATH, HOST:PORT or systemd:NAME/],
    ['127.0.0.1:', /Expected unix:PATH, HOST:PORT or systemd:NAME/],
    ['127.0.0.1:65536', /Expected a port from 0 to 65535, found 65536/],
    ['127.0.0.1:-1', /Expected unix:PATH, HOST:PORT or systemd:NAME/],
    ['127.0.0.256:80', /Expected an IP address or a host name, found "127.0.0.256"/],
    ['*:80', /Expected a host before the port/],
    [':80', /Expected a host before the port/],
    ['::1:80', /Expected unix:PATH, HOST:PORT or systemd:NAME/],
    ['[::g]:80', /Expected an IPv6 address in the brackets/],
    ['http://127.0.0.1:80', /Expected unix:PATH, HOST:PORT or systemd:NAME/],
    ['unix:', /Expected a path after "unix:"/],
    ['unix:@abstract', /abstract socket/],
    ['a b:80', /Expected an IP address or a host name/],
  ];
  for (const [text, message] of bad) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      expect(() => parseListenAddress(text)).to.throw(message);
    });
  }
  const pairs: [string, string, boolean][] = [
    ['127.0.0.1:80', '127.0.0.1:80', true],
    ['127.0.0.1:80', '127.0.0.1:81', false],
    ['0.0.0.0:80', '127.0.0.1:80', true],
    ['[::1]:80', '[::]:80', true],
    ['127.0.0.1:0', '127.0.0.1:0', false],
    ['unix:/a', 'unix:/a', true],
    ['unix:/a', 'unix:/b', false],
    ['unix:/a', '127.0.0.1:80', false],
    ['systemd:a', 'systemd:a', true],
    ['systemd:a', 'systemd:b', false],
    ['systemd:a', 'unix:a', false],
  ];
  for (const [one, other, collide] of pairs) {
    it(`${one} and ${other} ${collide ? 'collide' : 'go together'}`, () => {
      expect(addressesCollide(parseListenAddress(one), parseListenAddress(other))).to.equal(collide);
    });
  }
});

describe('client ranges', () => {
  it('reads addresses and ranges of both families', () => {
    expect(['127.0.0.1', '10.0.0.0/8', '::1', 'fd00::/8', '0.0.0.0/0'].map(parseClientRange)).to.deep.equal([
      { address: '127.0.0.1', prefix: 32, family: 'ipv4' },
      { address: '10.0.0.0', prefix: 8, family: 'ipv4' },
      { address: '::1', prefix: 128, family: 'ipv6' },
      { address: 'fd00::', prefix: 8, family: 'ipv6' },
      { address: '0.0.0.0', prefix: 0, family: 'ipv4' },
    ]);
  });
  for (const text of [
    '10.0.0.0/33',
    '::/129',
    '10.0.0.0/',
    '10.0.0/8',
    'localhost',
    '10.0.0.0/8/8',
    '10.0.0.0/-1',
  ]) {
    it(`refuses ${text}`, () => {
      expect(() => parseClientRange(text)).to.throw(/Expected an IP address or a range/);
    });
  }
});
