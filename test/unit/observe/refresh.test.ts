import { expect } from 'chai';
import { REFRESH_LIMIT, sharedRefresh } from '../../../src/observe/refresh.ts';

const unexpected = (error: unknown): void => {
  throw error;
};

describe('observe/refresh', () => {
  it('waits for the refresh where it is quick', async () => {
    let isDone = false;
    const refresh = sharedRefresh(async () => {
      await Promise.resolve();
      isDone = true;
    }, unexpected);
    await refresh();
    expect(isDone).to.equal(true);
  });

  it('gives up after the limit, and starts anew the next time', async () => {
    let calls = 0;
    const refresh = sharedRefresh(() => {
      calls++;
      return new Promise(() => {});
    }, unexpected);
    const start = performance.now();
    await refresh();
    expect(performance.now() - start).to.be.at.least(REFRESH_LIMIT - 2);
    await refresh();
    expect(calls).to.equal(2);
  });

  it('is shared by all who ask while one is waiting', async () => {
    let calls = 0;
    let finish = (): void => {};
    const refresh = sharedRefresh(() => {
      calls++;
      return new Promise((resolve) => (finish = resolve));
    }, unexpected);
    const asked = Array.from({ length: 20 }, () => refresh());
    finish();
    await Promise.all(asked);
    expect(calls).to.equal(1);
  });

  it('never rejects; what goes wrong is told, late failures too', async () => {
    const errors: unknown[] = [];
    const tell = (error: unknown): void => void errors.push(error);
    await sharedRefresh(() => {
      throw new Error('at once');
    }, tell)();
    let fail = (_error: Error): void => {};
    await sharedRefresh(() => new Promise((_, reject) => (fail = reject)), tell)();
    fail(new Error('late'));
    await Promise.resolve();
    await Promise.resolve();
    expect(errors.map(String)).to.deep.equal(['Error: at once', 'Error: late']);
  });
});
