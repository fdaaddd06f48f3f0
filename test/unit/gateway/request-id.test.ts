// Request ids: taken over where they are safe in a log, made where not.
import { expect } from 'chai';
import { requestId } from '../../../src/gateway/request-id.ts';

describe('request ids', () => {
  it('are taken over where they are printable ASCII of 1 to 128 characters', () => {
    for (const id of ['a', '!~', 'x'.repeat(128), '7f-00_:/']) expect(requestId(id)).to.equal(id);
  });

  it('are made where there is none, or none that is safe in a log', () => {
    const made = /^[0-9a-f]{12}-[0-9a-z]+$/;
    const bad = [undefined, null, '', 5, 'a b', 'a\n', 'é', 'x'.repeat(129), 'a\x7f', 'a, b'];
    const ids = bad.map((id) => requestId(id));
    for (const id of ids) expect(id).to.match(made);
    expect(new Set(ids).size).to.equal(ids.length);
  });
});
