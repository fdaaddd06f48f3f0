// Work after the answer: idle() waits for all of it, what was added meanwhile included.
import { expect } from 'chai';
import { BackgroundWork } from '../../../src/apps/background-work.ts';
import { withResolvers } from '../../../src/gateway/with-resolvers.ts';

describe('BackgroundWork', () => {
  it('is idle at once without any', async () => {
    await new BackgroundWork().idle();
  });

  it('is idle once all of it is done', async () => {
    const work = new BackgroundWork();
    const [first, second] = [withResolvers(), withResolvers()];
    let isIdle = false;
    work.add(first.promise);
    const wait = async (): Promise<void> => {
      await work.idle();
      isIdle = true;
    };
    const idle = wait();
    work.add(second.promise);
    first.resolve();
    await new Promise(setImmediate);
    expect(isIdle).to.equal(false);
    second.resolve();
    await idle;
    await work.idle();
  });
});
