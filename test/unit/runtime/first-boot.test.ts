import { expect } from 'chai';
import type { BootFailure } from '../../../src/runtime/boot.ts';
import { type Demand, FirstBoot } from '../../../src/runtime/first-boot.ts';

const FAILURE: BootFailure = { mount: '/', message: 'no' };

/** What becomes of a boot whose only mount fails in both workers, and whether it was given up. */
async function outcome(demand: Demand, failures: readonly BootFailure[]): Promise<string> {
  const boot = new FirstBoot({
    demand,
    workers: [0, 1],
    hasPython: false,
    mounts: 1,
    failures: () => [failures, failures],
    onFailed: () => undefined,
  });
  const settled = boot.outcome.then(
    () => 'serves',
    (error: Error) => error.message,
  );
  const verdicts = [boot.workerTried(0, failures), boot.workerTried(1, failures)];
  return `${verdicts.join(' ')}: ${await settled}`;
}

describe('runtime/first-boot', () => {
  it('wants a mount at least, all of them, or none', async () => {
    const why = 'an app did not boot\nmount /: no';
    expect(await outcome('any', [FAILURE])).to.equal(`hold drop: ${why}`);
    expect(await outcome('all', [FAILURE])).to.equal(`drop drop: ${why}`);
    expect(await outcome('none', [FAILURE])).to.equal('hold hold: serves');
    for (const demand of ['any', 'all', 'none'] as const)
      expect(await outcome(demand, [])).to.equal('hold hold: serves');
  });
});
