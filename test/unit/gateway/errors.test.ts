// The catalogue of errors, and how values stand in their texts.
import { expect } from 'chai';
import { describe as shown, GATEWAY_ERRORS, GatewayError } from '../../../src/gateway/errors.ts';
import { untyped } from '../../helpers/mini-gateway.ts';

describe('gateway errors', () => {
  it('have an HTTP status by their code', () => {
    for (const [code, { status }] of Object.entries(GATEWAY_ERRORS)) {
      const error = new GatewayError(untyped(code), 'x');
      expect([error.status, error.code, error.name]).to.deep.equal([status, code, 'GatewayError']);
      expect(status).to.be.within(400, 599);
    }
  });

  it('show a value by its type, and its text where that is short', () => {
    class Thing {
      readonly size = 1;
    }
    const cases: [unknown, string][] = [
      ['a"b', 'string "a\\"b"'],
      ['x'.repeat(60), `string "${'x'.repeat(60)}"`],
      ['x'.repeat(61), `string "${'x'.repeat(60)}..."`],
      [null, 'null'],
      [undefined, 'undefined'],
      [1.5, '1.5'],
      [false, 'false'],
      [[], 'Array'],
      [new Thing(), 'Thing'],
      [Object.create(null), 'object'],
      [() => 1, 'function'],
      [Symbol('x'), 'symbol'],
      [5n, 'bigint'],
    ];
    for (const [value, text] of cases) expect(shown(value)).to.equal(text);
  });
});
