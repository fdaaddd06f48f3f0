import { expect } from 'chai';
import { setImmediate as turn } from 'node:timers/promises';
import type { Child } from '../../../src/runtime/child.ts';
import { Flush } from '../../../src/runtime/flush.ts';

describe('runtime/flush', () => {
  let asked: [child: string, id: number][] = [];
  const child = (name: string): Child =>
    ({ flush: (id: number) => asked.push([name, id]) }) as unknown as Child;
  beforeEach(() => {
    asked = [];
  });
  const isDone = async (promise: Promise<void>): Promise<boolean> => {
    let done = false;
    void promise.then(() => (done = true));
    await turn();
    return done;
  };

  it('waits until everybody has answered, or is gone', async () => {
    const flush = new Flush();
    const [a, b, c] = [child('a'), child('b'), child('c')];
    const round = flush.ask([a, b, c]);
    expect(asked).to.deep.equal([
      ['a', 1],
      ['b', 1],
      ['c', 1],
    ]);
    flush.answered(a, 1);
    flush.answered(b, null);
    expect(await isDone(round)).to.equal(false);
    flush.answered(b, 1);
    flush.gone(c);
    expect(await isDone(round)).to.equal(true);
  });

  it('does not ask again who has not answered, and does not wait for it', async () => {
    const flush = new Flush();
    const [quick, stuck] = [child('quick'), child('stuck')];
    void flush.ask([quick, stuck]);
    flush.answered(quick, 1);
    const second = flush.ask([quick, stuck]);
    expect(asked.slice(2)).to.deep.equal([['quick', 2]]);
    flush.answered(quick, 2);
    expect(await isDone(second)).to.equal(true);
    expect(await isDone(flush.ask([stuck]))).to.equal(true);
    flush.answered(stuck, 1);
    void flush.ask([stuck]);
    expect(asked.at(-1)).to.deep.equal(['stuck', 3]);
  });
});
