import { expect } from 'chai';
import { Backoff } from '../../../src/runtime/backoff.ts';

describe('runtime/backoff', () => {
  it('doubles from 0.2 s to 30 s, and begins anew after a reset', () => {
    const backoff = new Backoff();
    const pauses = Array.from({ length: 10 }, () => backoff.pause());
    expect(pauses).to.deep.equal([200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000]);
    backoff.reset();
    expect([backoff.pause(), backoff.pause()]).to.deep.equal([200, 400]);
  });
});
