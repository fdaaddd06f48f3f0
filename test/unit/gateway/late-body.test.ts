// A body that comes later: at once for the gateway, as a promise for everybody else.
import { expect } from 'chai';
import { LateBody } from '../../../src/gateway/late-body.ts';

describe('gateway/late-body', () => {
  const body = [Buffer.from('x')];
  const listen = (late: LateBody, told: unknown[]): void =>
    late.listen(
      (given) => told.push(given),
      (error) => told.push(error),
    );

  it('tells its listener at once, and only what came first', () => {
    const told: unknown[] = [];
    const late = new LateBody();
    listen(late, told);
    expect([late.isSettled, told]).to.deep.equal([false, []]);
    late.resolve(body);
    late.reject(new Error('too late'));
    late.resolve([]);
    expect([late.isSettled, told]).to.deep.equal([true, [body]]);
  });

  it('tells a listener that comes later', () => {
    const error = new Error('failed');
    const told: unknown[] = [];
    const late = new LateBody();
    late.reject(error);
    late.resolve(body);
    listen(late, told);
    expect(told).to.deep.equal([error]);
  });

  it('can be awaited, before and after', async () => {
    const [before, after, failed] = [new LateBody(), new LateBody(), new LateBody()];
    after.resolve(body);
    failed.reject(new Error('failed'));
    setImmediate(() => before.resolve(body));
    expect(await Promise.all([before, after])).to.deep.equal([body, body]);
    const message = await failed.then(
      () => 'no error',
      (error: unknown) => (error as Error).message,
    );
    expect(message).to.equal('failed');
  });
});
