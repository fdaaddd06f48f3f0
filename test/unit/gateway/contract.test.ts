// What PEP 3333 had to become for an event loop, rules 1 to 8: promises, both kinds of iteration, back-pressure.
/* oxlint-disable unicorn/consistent-function-scoping -- an application stands beside what is expected of it */
import { expect } from 'chai';
import type { Body } from '../../../src/gateway/contract.ts';
import { answering, run, stageFor, texts, WatchedBody, WatchedSyncBody } from '../../helpers/fake-gateway.ts';
import { bytes, untyped } from '../../helpers/mini-gateway.ts';

describe('the gateway contract in JavaScript', () => {
  it('(1) a result that is no promise is taken at once, in the same turn', async () => {
    const stage = stageFor(answering(texts('a', 'b')));
    expect(stage.handle().wire).to.deep.equal(['head 200 OK', 'end a|b']);
    const sync = stageFor(answering(new WatchedSyncBody('a')));
    expect(sync.handle().ended).to.equal(true);
    await stage.settled();
    await sync.settled();
  });

  it('(1) anything with then() is awaited, a callable one too', async () => {
    // oxlint-disable-next-line unicorn/no-thenable -- what the gateway has to know when it sees it
    const thenable = untyped({ then: (resolve: (body: Body) => void) => resolve(texts('a')) });
    const callable = untyped(Object.assign(() => null, thenable));
    for (const result of [thenable, callable, Promise.resolve(texts('a'))]) {
      expect((await run(answering(untyped(result)))).exchange.sent).to.equal('a');
    }
  });

  it('(2) asynchronous iteration goes before synchronous', async () => {
    const body = Object.assign(new WatchedBody('async'), { [Symbol.iterator]: texts('sync').values });
    expect((await run(answering(body))).exchange.sent).to.equal('async');
  });

  it('(2) an iterator that cannot be made is an error, and the body is closed', async () => {
    for (const symbol of [Symbol.asyncIterator, Symbol.iterator]) {
      let closes = 0;
      const body = {
        [symbol]: () => {
          throw new Error('no iterator');
        },
        close: () => void (closes += 1),
      };
      const { exchange, events } = await run(answering(untyped(body)));
      expect([exchange.status.slice(0, 3), events.codes, closes]).to.deep.equal(['500', ['no iterator'], 1]);
    }
  });

  it('(2) an iterator that gives no step is an error', async () => {
    for (const symbol of [Symbol.asyncIterator, Symbol.iterator]) {
      const { exchange, events } = await run(answering(untyped({ [symbol]: () => ({ next: () => null }) })));
      expect(exchange.status).to.equal('500 Internal Server Error');
      expect(events.errors[0]).to.be.instanceOf(TypeError);
    }
  });

  it('(3) a String object or a typed array of other numbers is caught at its first chunk', async () => {
    for (const result of [Object('abc'), new Uint16Array(2), new Map([[1, 2]])] as unknown[]) {
      const { events } = await run(answering(untyped(result)));
      expect(events.codes).to.deep.equal(['ERR_GATEWAY_CHUNK']);
    }
  });

  it('(4) a chunk that is no Uint8Array is an error, a promise of one too', async () => {
    for (const chunk of [
      null,
      undefined,
      'a',
      97,
      [97],
      new ArrayBuffer(1),
      {},
      Promise.resolve(bytes('a')),
    ]) {
      const { events } = await run(answering(new WatchedSyncBody('', () => chunk)));
      expect(events.codes).to.deep.equal(['ERR_GATEWAY_CHUNK']);
    }
    expect((await run(answering(new WatchedBody(() => new Uint8Array([65]))))).exchange.sent).to.equal('A');
  });

  it("(5) an Array's chunks go out in one piece", async () => {
    const { exchange } = await run(answering(texts('a', 'b', 'c')));
    expect(exchange.wire).to.deep.equal(['head 200 OK', 'end a|b|c']);
  });

  it('(6) text past latin-1 is refused, never truncated', async () => {
    for (const [status, value] of [
      ['200 €', 'x'],
      ['200 OK', '€'],
    ] as const) {
      const { exchange } = await run(answering([], [['X', value]], status));
      expect(exchange.status).to.equal('500 Internal Server Error');
      expect(JSON.stringify(exchange.headers)).to.not.contain('\xac');
    }
  });

  it('(7) a synchronous generator leaves its loop under back-pressure, so that others run', async () => {
    const body = new WatchedSyncBody('a', 'b');
    const stage = stageFor((environ, start) =>
      answering(environ.PATH_INFO === '/slow' ? body : texts('quick'))(environ, start),
    );
    const slow = stage.handle({ path: '/slow', blocked: true });
    expect(body.nexts).to.equal(1);
    expect(stage.handle().ended).to.equal(true);
    slow.drain();
    await stage.settled();
    expect(slow.sent).to.equal('ab');
  });

  it('(8) a body that ends early gets return() and close(), one that ends or throws close() alone', async () => {
    const boom = (): never => {
      throw new Error('boom');
    };
    const cases: [readonly (string | (() => unknown))[], [string, string][], number][] = [
      [['a', 'b'], [['Content-Length', '1']], 1],
      [['a', () => 'not bytes'], [], 1],
      [['a'], [], 0],
      [['a', boom], [], 0],
    ];
    for (const [steps, headers, returns] of cases) {
      for (const body of [new WatchedBody(...steps), new WatchedSyncBody(...steps)]) {
        await run(answering(body, headers));
        expect(body.ends).to.deep.equal({ returns, closes: 1 });
      }
    }
  });

  it('(8) return() comes before close(), and both are awaited', async () => {
    const order: string[] = [];
    const tick = (what: string) => async (): Promise<unknown> => {
      await new Promise((resolve) => setImmediate(resolve));
      order.push(what);
      return { done: true };
    };
    const iterator = { next: async () => ({ done: false, value: bytes('ab') }), return: tick('return') };
    const body = { [Symbol.asyncIterator]: () => iterator, close: tick('close') };
    const stage = stageFor(answering(untyped(body), [['Content-Length', '1']]));
    stage.handle();
    await stage.gateway.drained();
    expect(order).to.deep.equal(['return', 'close']);
    await stage.settled();
  });

  it('(8) errors of return() and close() are logged and leave the response alone', async () => {
    const fail = (what: string) => (): never => {
      throw new Error(what);
    };
    const failLater = (what: string) => async (): Promise<never> => fail(what)();
    for (const [failReturn, failClose] of [
      [fail, fail],
      [failLater, failLater],
      [failLater, fail],
      [fail, failLater],
    ] as const) {
      const iterator = { next: async () => ({ value: bytes('ab') }), return: failReturn('return') };
      const body = { [Symbol.asyncIterator]: () => iterator, close: failClose('close') };
      const { exchange, events } = await run(answering(untyped(body), [['Content-Length', '1']]));
      expect([exchange.sent, exchange.ended]).to.deep.equal(['a', true]);
      expect(events.codes).to.deep.equal(['return', 'close']);
      expect(events.requests[0]?.status).to.equal(200);
    }
  });
});
