// The requests in flight on their way from a worker to the master.
import { expect } from 'chai';
import type { RunningRequest } from '../../../src/gateway/events.ts';
import { CpuShares } from '../../../src/runtime/cpu-shares.ts';
import { oldestOf, readRunning } from '../../../src/runtime/running.ts';

const request = (age: number, uri = '/'): RunningRequest => ({
  requestId: `r${age}`,
  mount: 'a',
  method: 'GET',
  uri,
  phase: 'running',
  age,
  queued: 0,
  bytesIn: 1,
  bytesOut: 2,
});

describe('runtime/running', () => {
  it('has the 50 oldest, the oldest first, none of them large', () => {
    const found = oldestOf(Array.from({ length: 500 }, (_, age) => request(age, 'x'.repeat(10_000))));
    expect(found).to.have.lengthOf(50);
    expect([found[0]?.age, found.at(-1)?.age]).to.deep.equal([499, 450]);
    expect(found[0]?.uri).to.have.lengthOf(501);
  });

  it('reads what it has written', () => {
    const sent = oldestOf([request(2), request(1)]);
    expect(readRunning(structuredClone(sent))).to.deep.equal(sent);
  });

  it('reads anything else as nothing, or as little', () => {
    for (const wrong of [undefined, null, 'x', {}, [null], [1], [{}], [{ ...request(1), phase: 'dancing' }]])
      expect(readRunning(wrong), JSON.stringify(wrong)).to.deep.equal([]);
    const odd = { ...request(1), age: 'old', uri: {}, bytesIn: -1, queued: Number.NaN };
    expect(readRunning([odd])).to.deep.equal([{ ...request(1), age: 0, uri: '', bytesIn: 0 }]);
    expect(readRunning(Array.from({ length: 5000 }, () => request(1)))).to.have.lengthOf(50);
  });
});

describe('runtime/cpu-shares', () => {
  it('is over the last 5 to 10 seconds', () => {
    const shares = new CpuShares<object>();
    const owner = {};
    expect(shares.share(owner, 0, 0)).to.equal(null);
    let cpu = 0;
    for (let now = 0; now <= 20_000; now += 1000) shares.look(owner, (cpu += 0.5), now);
    expect(shares.share(owner, cpu, 20_000)).to.equal(0.5);
    expect(shares.share(owner, cpu, 22_000)).to.be.below(0.5);
    for (let now = 21_000; now <= 40_000; now += 1000) shares.look(owner, cpu, now);
    expect(shares.share(owner, cpu, 40_000)).to.equal(0);
  });

  it('is not known in the first second', () => {
    const shares = new CpuShares<object>();
    const owner = {};
    shares.look(owner, 1, 0);
    expect(shares.share(owner, 1.2, 500)).to.equal(null);
    expect(shares.share(owner, 2, 2000)).to.equal(0.5);
  });
});
