import { expect } from 'chai';
import { LoopDelay } from '../../../src/runtime/loop-delay.ts';
import { TICK_INTERVAL } from '../../../src/transport/timeouts.ts';

describe('runtime/loop-delay', () => {
  it('tells by how much each tick was later than due after the one before', () => {
    const late: number[] = [];
    const delay = new LoopDelay({ timerLate: (seconds) => late.push(seconds) });
    for (const now of [
      5000,
      5000 + TICK_INTERVAL,
      5000 + 2 * TICK_INTERVAL + 750,
      5000 + 3 * TICK_INTERVAL + 751,
    ])
      delay.tick(now);
    expect(late).to.deep.equal([0, 0.75, 0.001]);
  });
});
