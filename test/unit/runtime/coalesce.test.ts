import { expect } from 'chai';
import { setImmediate as turn } from 'node:timers/promises';
import { Coalesced } from '../../../src/runtime/coalesce.ts';

describe('runtime/coalesce', () => {
  /** Runs that have begun; each ends when it is told to. */
  let runs: { resolve(value: number): void; reject(error: Error): void }[] = [];
  let coalesced: Coalesced<number>;
  beforeEach(() => {
    runs = [];
    coalesced = new Coalesced(() => new Promise((resolve, reject) => void runs.push({ resolve, reject })));
  });

  it('does one that is asked for alone at once', async () => {
    const first = coalesced.run();
    expect(runs).to.have.lengthOf(1);
    runs[0]?.resolve(1);
    expect(await first).to.equal(1);
    void coalesced.run();
    expect(runs).to.have.lengthOf(2);
  });

  it('does one more for all who ask while one runs, and that begins after they asked', async () => {
    const first = coalesced.run();
    const others = Array.from({ length: 20 }, () => coalesced.run());
    await turn();
    expect(runs).to.have.lengthOf(1);
    runs[0]?.resolve(1);
    expect(await first).to.equal(1);
    await turn();
    expect(runs).to.have.lengthOf(2);
    const third = coalesced.run();
    runs[1]?.resolve(2);
    expect(await Promise.all(others)).to.deep.equal(others.map(() => 2));
    await turn();
    expect(runs).to.have.lengthOf(3);
    runs[2]?.resolve(3);
    expect(await third).to.equal(3);
  });

  it('never runs two at a time, whoever asks when one ends', async () => {
    const first = coalesced.run();
    const waiting = coalesced.run();
    const asked = first.then(() => coalesced.run());
    runs[0]?.resolve(1);
    await turn();
    expect(runs).to.have.lengthOf(2);
    runs[1]?.resolve(2);
    await turn();
    expect(await waiting).to.equal(2);
    runs[2]?.resolve(3);
    expect(await asked).to.be.within(2, 3);
  });

  it('goes on after a run that failed', async () => {
    const first = coalesced.run();
    const second = coalesced.run();
    runs[0]?.reject(new Error('no'));
    expect(await first.catch((error: unknown) => String(error))).to.equal('Error: no');
    await turn();
    runs[1]?.resolve(2);
    expect(await second).to.equal(2);
  });

  it('says when all is done', async () => {
    await coalesced.idle();
    void coalesced.run();
    void coalesced.run();
    let isIdle = false;
    const idle = coalesced.idle().then(() => (isIdle = true));
    runs[0]?.resolve(1);
    await turn();
    expect(isIdle).to.equal(false);
    runs[1]?.resolve(2);
    await idle;
    expect(runs).to.have.lengthOf(2);
  });
});
