import { expect } from 'chai';
import { OTHER_KEYS, RateLimitedLog } from '../../../src/observe/rate-limit.ts';

function limiter(maxKeys = 1000): {
  log: RateLimitedLog;
  tick: (ms: number) => void;
  reports: [string, number][];
} {
  let clock = 0;
  const reports: [string, number][] = [];
  const log = new RateLimitedLog({
    limit: 2,
    interval: 1000,
    now: () => clock,
    onSuppressed: (key, count) => reports.push([key, count]),
    maxKeys,
  });
  return { log, tick: (ms) => (clock += ms), reports };
}

describe('observe/rate-limit', () => {
  it('lets the limit through per key and interval, then says how many it held back', () => {
    const { log, tick, reports } = limiter();
    expect([1, 2, 3, 4].map(() => log.allow('a'))).to.deep.equal([true, true, false, false]);
    expect(log.allow('b')).to.equal(true);
    tick(999);
    expect(log.allow('a')).to.equal(false);
    expect(reports).to.deep.equal([]);
    tick(1);
    expect(log.allow('a')).to.equal(true);
    expect(reports).to.deep.equal([['a', 3]]);
    expect(log.allow('a')).to.equal(true);
    tick(1000);
    expect(log.allow('a')).to.equal(true);
    expect(reports).to.deep.equal([['a', 3]]);
  });

  it('sums up a burst that stopped, once', () => {
    const { log, tick, reports } = limiter();
    for (let i = 0; i < 5; i++) log.allow('a');
    log.sweep();
    expect(reports).to.deep.equal([]);
    tick(1000);
    log.sweep();
    log.sweep();
    expect(reports).to.deep.equal([['a', 3]]);
  });

  it('holds a bounded number of keys; the others share one limit until there is room', () => {
    const { log, tick, reports } = limiter(2);
    expect([log.allow('a'), log.allow('b')]).to.deep.equal([true, true]);
    const rest = Array.from({ length: 100 }, (_, i) => log.allow(`key ${i}`));
    expect(rest.filter(Boolean)).to.have.length(2);
    tick(1000);
    const fresh = ['c', 'c', 'd', 'd', 'e', 'f', 'g'].map((key) => log.allow(key));
    expect(fresh).to.deep.equal([true, true, true, true, true, true, false]);
    expect(reports).to.deep.equal([[OTHER_KEYS, 98]]);
  });
});
