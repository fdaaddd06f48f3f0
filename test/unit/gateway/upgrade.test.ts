// Who asks for an upgrade, and what a 101 says.
import { expect } from 'chai';
import type { HeaderList } from '../../../src/gateway/contract.ts';
import { GatewayError } from '../../../src/gateway/errors.ts';
import { asksForUpgrade, upgradeHeaders } from '../../../src/gateway/upgrade.ts';
import { makeEnviron } from '../../helpers/mini-gateway.ts';

const asks = (changes: Record<string, string>): boolean =>
  asksForUpgrade(makeEnviron({ SERVER_PROTOCOL: 'HTTP/1.1', HTTP_UPGRADE: 'echo', ...changes }));

const codeOf = (given: unknown): string => {
  try {
    upgradeHeaders(given, 'echo', 100);
    return 'none';
  } catch (error) {
    return error instanceof GatewayError ? error.code : String(error);
  }
};

describe('asksForUpgrade()', () => {
  it('goes by Connection where the front server shows it', () => {
    expect(asks({})).to.equal(true);
    expect(asks({ HTTP_CONNECTION: 'Upgrade' })).to.equal(true);
    expect(asks({ HTTP_CONNECTION: 'keep-alive, upgrade' })).to.equal(true);
    expect(asks({ HTTP_CONNECTION: 'keep-alive' })).to.equal(false);
    expect(asks({ HTTP_CONNECTION: 'no-upgrade' })).to.equal(false);
  });

  it('is no for an empty wish, and for other versions of HTTP', () => {
    expect(asks({ HTTP_UPGRADE: '' })).to.equal(false);
    for (const version of ['HTTP/1.0', 'HTTP/2.0'])
      expect(asks({ SERVER_PROTOCOL: version })).to.equal(false);
  });
});

describe('upgradeHeaders()', () => {
  it('adds what a 101 has to have', () => {
    const added: HeaderList = [
      ['Upgrade', 'echo'],
      ['Connection', 'Upgrade'],
    ];
    expect(upgradeHeaders(undefined, 'echo', 100)).to.deep.equal(added);
    expect(upgradeHeaders([['X-A', 'b']], 'echo', 100)).to.deep.equal([...added, ['X-A', 'b']]);
  });

  it('keeps what is given', () => {
    expect(upgradeHeaders([['upgrade', 'websocket']], 'echo', 100)).to.deep.equal([
      ['upgrade', 'websocket'],
      ['Connection', 'Upgrade'],
    ]);
  });

  it('refuses what startResponse() refuses, and a length', () => {
    expect(codeOf([['Transfer-Encoding', 'chunked']])).to.equal('ERR_GATEWAY_HOP_BY_HOP');
    expect(codeOf([['Upgrade', 'a\r\nb: c']])).to.equal('ERR_GATEWAY_HEADERS');
    expect(codeOf('Upgrade: echo')).to.equal('ERR_GATEWAY_HEADERS');
    expect(codeOf([['X-A', 'b'.repeat(100)]])).to.equal('ERR_GATEWAY_HEADERS_SIZE');
    expect(codeOf([['Content-Length', '0']])).to.equal('ERR_GATEWAY_HEADERS');
  });
});
