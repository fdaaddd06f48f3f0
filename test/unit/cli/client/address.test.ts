import { expect } from 'chai';
import {
  AddressError,
  connectOptions,
  formatAddress,
  parseAddress,
} from '../../../../src/cli/client/address.ts';

describe('parseAddress', () => {
  const good = [
    ['unix:/run/v.sock', { kind: 'unix', path: '/run/v.sock' }],
    ['unix:run/v.sock', { kind: 'unix', path: '/srv/run/v.sock' }],
    ['unix:a:9000', { kind: 'unix', path: '/srv/a:9000' }],
    ['127.0.0.1:9000', { kind: 'tcp', host: '127.0.0.1', port: 9000 }],
    ['localhost:1', { kind: 'tcp', host: 'localhost', port: 1 }],
    ['[::1]:65535', { kind: 'tcp', host: '::1', port: 65535 }],
  ] as const;
  for (const [text, address] of good) {
    it(`reads ${text}`, () => {
      expect(parseAddress(text, '/srv')).to.deep.equal(address);
    });
  }

  const wrong: [string, RegExp][] = [
    ['', /there is no port/],
    ['unix:', /the path is empty/],
    ['/run/v.sock', /needs 'unix:'/],
    [':9000', /the host is empty/],
    ['host', /there is no port/],
    ['host:', /the port is ''/],
    ['host:0', /the port is '0'/],
    ['host:65536', /the port is '65536'/],
    ['host:80x', /the port is '80x'/],
    ['::1:80', /needs brackets/],
    ['[::1]', /no port after the bracket/],
    ['[::1:80', /no IPv6 address between brackets/],
    ['[127.0.0.1]:80', /no IPv6 address between brackets/],
    ['http://host:80', /needs brackets|no host name/],
    [`unix:/${'x'.repeat(107)}`, /108 bytes long and Unix sockets allow 107/],
  ];
  for (const [text, message] of wrong) {
    it(`refuses '${text.slice(0, 20)}'`, () => {
      expect(() => parseAddress(text, '/srv')).to.throw(AddressError, message);
    });
  }

  it('takes the longest path a Unix socket can have', () => {
    expect(parseAddress(`unix:/${'x'.repeat(106)}`, '/')).to.have.property('kind', 'unix');
  });
});

describe('formatAddress', () => {
  for (const text of ['unix:/run/v.sock', '127.0.0.1:9000', '[::1]:80']) {
    it(`gives back ${text}`, () => {
      expect(formatAddress(parseAddress(text, '/'))).to.equal(text);
    });
  }
});

describe('connectOptions', () => {
  it('gives what net.connect takes', () => {
    expect(connectOptions(parseAddress('unix:/s', '/'))).to.deep.equal({ path: '/s' });
    expect(connectOptions(parseAddress('[::1]:80', '/'))).to.deep.equal({ host: '::1', port: 80 });
  });
});
