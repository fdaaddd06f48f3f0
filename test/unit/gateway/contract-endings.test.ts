// What PEP 3333 had to become for an event loop, rules 9 to 15: endings, signals, interleaving, and the objects handed over.
/* oxlint-disable unicorn/consistent-function-scoping -- an application stands beside what is expected of it */
import { expect } from 'chai';
import type { Application, Environ, StartResponse } from '../../../src/gateway/contract.ts';
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
import { bytes } from '../../helpers/mini-gateway.ts';
import { waitFor } from '../../helpers/wait.ts';

const never = (): Promise<never> => new Promise(() => undefined);

describe('the gateway contract in JavaScript, endings and objects', () => {
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

  it('a header list that an application shares among its requests stays as it is', async () => {
    const shared = Object.freeze([['Content-Type', 'text/plain']]) as unknown as [string, string][];
    const app: Application = (environ, start) => {
      start('200 OK', shared);
      return environ.PATH_INFO === '/stream' ? new WatchedBody('a', 'b') : [bytes(environ.PATH_INFO)];
    };
    for (const method of ['GET', 'HEAD']) {
      for (const path of ['/', '/longer', '/stream']) {
        const { exchange, events } = await run(app, { method, path });
        expect([exchange.status, events.errors, events.warnings]).to.deep.equal(['200 OK', [], []]);
      }
    }
    expect((await run(app, { path: '/longer' })).exchange.sent).to.equal('/longer');
  });
});
