import { expect } from 'chai';
import { Ticker } from '../../../src/transport/timeouts.ts';
import { waitFor } from '../../helpers/wait.ts';

describe('transport/timeouts', () => {
  it('tells its members the time, and knows it itself', () => {
    const ticker = new Ticker();
    const seen: number[] = [];
    ticker.add({ tick: (now) => void seen.push(now) });
    ticker.tick(1000);
    ticker.tick(2000);
    expect(seen).to.deep.equal([1000, 2000]);
    expect(ticker.now).to.equal(2000);
  });

  it('a member that leaves, or takes another one along, is not told any more', () => {
    const ticker = new Ticker();
    const seen: string[] = [];
    const second = { tick: () => void seen.push('second') };
    const first = {
      tick: () => {
        seen.push('first');
        ticker.delete(first);
        ticker.delete(second);
      },
    };
    ticker.add(first);
    ticker.add(second);
    ticker.tick(1);
    ticker.tick(2);
    expect(seen).to.deep.equal(['first']);
  });

  it('ticks by itself between start() and stop()', async () => {
    const ticker = new Ticker();
    let count = 0;
    ticker.add({ tick: () => (count += 1) });
    ticker.start();
    ticker.start();
    await waitFor(() => count >= 2, { what: 'two ticks' });
    ticker.stop();
    const { now } = ticker;
    const until = performance.now() + 250;
    await waitFor(() => performance.now() > until, { what: 'more than two intervals' });
    expect(ticker.now).to.equal(now);
  });
});
