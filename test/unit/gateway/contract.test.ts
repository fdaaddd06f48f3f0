// What PEP 3333 had to become for an event loop, rule by rule: promises, both kinds of iteration, signals, back-pressure.
/* oxlint-disable unicorn/consistent-function-scoping -- an application stands beside what is expected of it */
import { expect } from 'chai';
import type { Application, Body, Environ, StartResponse } from '../../../src/gateway/contract.ts';
import { RETURN_LIMIT } from '../../../src/gateway/iteration.ts';
import {
  answering,
  environFor,
  run,
  stageFor,
  texts,
  WatchedBody,
  WatchedSyncBody,
} from '../../helpers/fake-gateway.ts';
import { withFakeTimers } from '../../helpers/fake-timers.ts';
import { bytes, untyped } from '../../helpers/mini-gateway.ts';
import { waitFor } from '../../helpers/wait.ts';

const never = (): Promise<never> => new Promise(() => undefined);

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

  it('(9) the signal is aborted before return(), which queues behind the step that is under way', async () => {
    const order: string[] = [];
    const app = async function* (environ: Environ, start: StartResponse): AsyncGenerator<Uint8Array> {
      start('200 OK', []);
      try {
        yield bytes('a');
        await new Promise((resolve) => environ['viaduct.signal'].addEventListener('abort', resolve));
        order.push('signal');
        yield bytes('b');
      } finally {
        order.push('finally');
      }
    };
    const stage = stageFor(app);
    const exchange = stage.handle();
    await waitFor(() => exchange.sent === 'a', { what: 'the first chunk' });
    exchange.leave();
    await stage.settled();
    expect(order).to.deep.equal(['signal', 'finally']);
    expect([exchange.sent, stage.events.errors]).to.deep.equal(['a', []]);
  });

  it('(9) an iteration that does not stop is waited for no longer than the limit, then closed', async () => {
    await withFakeTimers(async (timers) => {
      let closes = 0;
      const body = Object.assign(
        (async function* () {
          yield bytes('a');
          await never();
        })(),
        { close: () => void (closes += 1) },
      );
      const stage = stageFor(answering(body), { requests: 1 });
      const exchange = stage.handle();
      await waitFor(() => exchange.sent === 'a', { what: 'the first chunk' });
      exchange.leave();
      expect(timers.map(({ delay, holds }) => [delay, holds])).to.deep.equal([[RETURN_LIMIT, false]]);
      expect([closes, stage.mount.admission.running]).to.deep.equal([0, 1]);
      timers[0]?.fire();
      await stage.settled();
      expect([closes, stage.events.codes]).to.deep.equal([1, ['ERR_GATEWAY_TIMEOUT']]);
    });
  });

  it('(9) a close() that does not end is waited for no longer than the limit', async () => {
    await withFakeTimers(async (timers) => {
      const stage = stageFor(answering(Object.assign(texts('a'), { close: never })));
      expect(stage.handle().ended).to.equal(true);
      expect(stage.mount.admission.running).to.equal(1);
      timers[0]?.fire();
      await stage.settled();
      expect(stage.events.codes).to.deep.equal(['ERR_GATEWAY_TIMEOUT']);
      const slow = new WatchedBody('ab');
      const early = stageFor(answering(Object.assign(slow, { close: never }), [['Content-Length', '1']]));
      early.handle();
      await waitFor(() => timers.length === 3, { what: 'the limits of return() and close()' });
      expect(timers[1]?.cleared).to.equal(true);
      timers[2]?.fire();
      await early.settled();
    });
  });

  it('(10) what rejects after the end is caught', async () => {
    const unhandled: unknown[] = [];
    const note = (reason: unknown): void => void unhandled.push(reason);
    process.on('unhandledRejection', note);
    try {
      let reject: (reason: Error) => void = () => undefined;
      const later = (): Promise<never> => new Promise((_, fail) => (reject = fail));
      const body = new WatchedBody('a', later);
      for (const app of [answering(body), later, answering(new WatchedBody(later))]) {
        const stage = stageFor(app);
        const exchange = stage.handle();
        await waitFor(() => body.nexts === 2, { what: 'the step that rejects' });
        exchange.leave();
        reject(new Error('late'));
        await stage.settled();
        expect(stage.events.codes).to.deep.equal([]);
      }
      await new Promise((resolve) => setImmediate(resolve));
    } finally {
      process.off('unhandledRejection', note);
    }
    expect(unhandled).to.deep.equal([]);
  });

  it('(11) requests interleave where an application awaits, each with its own environ and response', async () => {
    const order: string[] = [];
    const app: Application = async (environ, start) => {
      order.push(`${environ.PATH_INFO} in`);
      await new Promise((resolve) => setImmediate(resolve));
      order.push(`${environ.PATH_INFO} out`);
      return answering([bytes(environ.PATH_INFO)])(environ, start);
    };
    const stage = stageFor(app);
    const exchanges = ['/a', '/b'].map((path) => stage.handle({ path }));
    await stage.settled();
    expect(order).to.deep.equal(['/a in', '/b in', '/a out', '/b out']);
    expect(exchanges.map(({ sent }) => sent)).to.deep.equal(['/a', '/b']);
  });

  it('(12) an application that blocks the loop past its deadline still has its answer sent: nobody could look', async () => {
    const app: Application = (environ, start) => {
      const end = performance.now() + 5;
      while (performance.now() < end);
      return answering(texts('late'))(environ, start);
    };
    const stage = stageFor(app, { requestTimeout: 1 });
    const exchange = stage.handle();
    stage.gateway.tick(performance.now());
    await stage.settled();
    expect([exchange.sent, stage.events.errors]).to.deep.equal(['late', []]);
  });

  it('(13) startResponse after completion throws, with excInfo too', async () => {
    let start: StartResponse | null = null;
    await run((_environ, given) => {
      start = given;
      given('200 OK', []);
      return [];
    });
    const again =
      (...excInfo: Error[]) =>
      () =>
        start?.('200 OK', [], ...excInfo);
    expect(again()).to.throw().with.property('code', 'ERR_GATEWAY_ENDED');
    expect(again(new Error('x')))
      .to.throw()
      .with.property('code', 'ERR_GATEWAY_ENDED');
  });

  it('(14) the signal is not aborted by a normal end, nor later', async () => {
    const bodies = [texts('a'), new WatchedBody('a', 'b'), new WatchedSyncBody('a'), new WatchedBody('abc')];
    for (const body of bodies) {
      let signal: AbortSignal | null = null;
      const app: Application = (environ, start) => {
        signal = environ['viaduct.signal'];
        return answering(body, [['Content-Length', '1']])(environ, start);
      };
      const { stage, exchange } = await run(app);
      exchange.leave();
      stage.gateway.shutdown();
      expect((signal as AbortSignal | null)?.aborted).to.equal(exchange.aborted !== null);
      expect(exchange.ended).to.equal(true);
    }
  });

  it('(14) one signal a request, made when it is first read', async () => {
    const { prototype } = AbortController;
    const real = Object.getOwnPropertyDescriptor(prototype, 'signal');
    if (real === undefined) throw new Error('Cannot count signals: AbortController has no getter for them');
    let reads = 0;
    Object.defineProperty(prototype, 'signal', {
      ...real,
      get() {
        reads += 1;
        return real.get?.call(this) as unknown;
      },
    });
    try {
      await run(answering(new WatchedBody('a')));
      expect(reads).to.equal(0);
      const app: Application = (environ, start) => {
        expect(environ['viaduct.signal']).to.equal(environ['viaduct.signal']);
        return answering([])(environ, start);
      };
      await run(app);
      expect(reads).to.equal(2);
    } finally {
      Object.defineProperty(prototype, 'signal', real);
    }
  });

  it('(15) the environ is an ordinary object for Object.*, JSON and spreading, with nothing inherited', async () => {
    const environ = await environFor({ params: ['__proto__', 'evil', 'hasOwnProperty', 'mine'] });
    expect(Object.hasOwn(environ, 'hasOwnProperty')).to.equal(true);
    expect(Object.hasOwn(environ, '__proto__')).to.equal(false);
    const inherited = ['constructor', 'toString', 'valueOf', '__proto__', 'isPrototypeOf'];
    expect(inherited.filter((key) => key in environ)).to.deep.equal([]);
    expect({ ...environ }).to.have.property('PATH_INFO', '/');
    expect(JSON.parse(JSON.stringify(environ))).to.have.property('hasOwnProperty', 'mine');
  });
});
