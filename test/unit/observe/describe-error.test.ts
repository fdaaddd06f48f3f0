import { expect } from 'chai';
import { runInNewContext } from 'node:vm';
import { describeThrown, loggable, sayThrown } from '../../../src/observe/describe-error.ts';

class OutOfCheese extends Error {
  readonly code = 'ERR_CHEESE';
}

describe('observe/describe-error', () => {
  it('has type, message and stack of an error', () => {
    const { type, message, stack, code } = describeThrown(new OutOfCheese('none left'));
    expect([type, message, code]).to.deep.equal(['OutOfCheese', 'none left', 'ERR_CHEESE']);
    expect(stack).to.match(/^Error: none left\n {4}at .*describe-error\.test/);
  });

  it('has the causes below it', () => {
    const root = new TypeError('the disk');
    const error = new Error('cannot save', { cause: new RangeError('cannot write', { cause: root }) });
    const { stack = '' } = describeThrown(error);
    expect(stack.match(/^.*(?:cannot save|cannot write|the disk)$/gm)).to.deep.equal([
      'Error: cannot save',
      'Caused by: RangeError: cannot write',
      'Caused by: TypeError: the disk',
    ]);
    expect(describeThrown(new Error('a', { cause: 'the moon' })).stack).to.match(
      /\nCaused by: string 'the moon'$/,
    );
  });

  it('has what an AggregateError gathers', () => {
    const error = new AggregateError([new Error('first'), 'second'], 'both failed');
    const { type, stack = '' } = describeThrown(error);
    expect(type).to.equal('AggregateError');
    expect(stack).to.contain('\nError 1 of 2: Error: first\n    at ');
    expect(stack).to.match(/\nError 2 of 2: string 'second'$/);
  });

  it('comes to an end', () => {
    const loop = new Error('round');
    loop.cause = new Error('and round', { cause: loop });
    expect(describeThrown(loop).stack?.match(/round/g)?.length).to.equal(2);
    let deep: Error = new Error('0');
    for (let at = 1; at < 100; at += 1) deep = new Error(String(at), { cause: deep });
    expect(describeThrown(deep).stack?.match(/Caused by: /g)?.length).to.equal(9);
    const long = new Error('x'.repeat(1e6));
    expect(JSON.stringify(describeThrown(long)).length).to.be.below(40_000);
    const many = new AggregateError(Array.from({ length: 1000 }, () => new Error('one')));
    expect(describeThrown(many).stack?.match(/of 1000: /g)?.length).to.equal(10);
  });

  it('shows what is no error', () => {
    const values = ['x', undefined, null, 7, { a: 1 }, [1], Symbol('s'), Object.create(null), new Date(0)];
    expect(values.map((each) => describeThrown(each))).to.deep.equal([
      { type: 'string', message: "string 'x'" },
      { type: 'undefined', message: 'undefined' },
      { type: 'null', message: 'null' },
      { type: 'number', message: 'number 7' },
      { type: 'object', message: 'object { a: 1 }' },
      { type: 'Array', message: 'Array [ 1 ]' },
      { type: 'symbol', message: 'symbol Symbol(s)' },
      { type: 'object', message: 'object [Object: null prototype] {}' },
      { type: 'Date', message: 'Date 1970-01-01T00:00:00.000Z' },
    ]);
    expect(sayThrown('x')).to.equal("what was thrown is no Error but string 'x'");
    expect(sayThrown(new Error('x'))).to.equal('x');
  });

  it('knows an error of another realm', () => {
    const foreign: unknown = runInNewContext('new TypeError("far away")');
    expect(describeThrown(foreign)).to.include({ type: 'TypeError', message: 'far away' });
  });

  it('survives what does not want to be shown', () => {
    const hostile = new Error('x');
    Object.defineProperty(hostile, 'stack', {
      get: () => {
        throw new Error('no');
      },
    });
    expect(describeThrown(hostile).message).to.equal('it cannot be shown');
    const proxy: unknown = new Proxy(
      {},
      {
        getPrototypeOf: () => {
          throw new Error('no');
        },
      },
    );
    expect(describeThrown(proxy).message).to.be.a('string');
    expect(describeThrown(loggable(undefined)).type).to.equal('undefined');
  });

  it('leaves out what hangs on an error and is not plain and short', () => {
    const error = Object.assign(new Error('refused'), {
      code: 'ECONNREFUSED',
      port: 5432,
      config: { headers: { authorization: 'Bearer secret' } },
      body: 'secret'.repeat(1000),
    });
    const described = describeThrown(error);
    expect(Object.keys(described)).to.have.members(['type', 'message', 'stack', 'code', 'port']);
    expect(JSON.stringify(described)).not.to.contain('secret');
  });
});
