// A request that ends while its application has not returned yet: the signal, the place, and the body that comes late.
/* oxlint-disable unicorn/consistent-function-scoping -- an application stands beside what is expected of it */
import { expect } from 'chai';
import type { Application, Body } from '../../../src/gateway/contract.ts';
import { RETURN_LIMIT } from '../../../src/gateway/iteration.ts';
import type { FakeExchange } from '../../helpers/fake-exchange.ts';
import { answering, type Stage, stageFor, texts, WatchedBody } from '../../helpers/fake-gateway.ts';
import { withFakeTimers } from '../../helpers/fake-timers.ts';
import { waitFor } from '../../helpers/wait.ts';

type Cut = (exchange: FakeExchange, stage: Stage) => void;

const boom = (): never => {
  throw new Error('boom');
};
const leave: Cut = (exchange) => exchange.leave();
const expire: Cut = (_exchange, stage) => stage.gateway.tick(performance.now() + 1e6);
const stop: Cut = (_exchange, stage) => stage.gateway.shutdown();

describe('the life of a request whose application has not returned yet', () => {
  const CUTS: readonly [string, Cut, number, string, string | undefined][] = [
    ['the client leaves', leave, 499, 'gone', undefined],
    ['its deadline comes', expire, 504, 'end 504', 'ERR_GATEWAY_TIMEOUT'],
    ['the server stops', stop, 503, 'end 503', 'ERR_GATEWAY_SHUTDOWN'],
  ];
  for (const [what, event, status, last, code] of CUTS) {
    it(`aborts the signal when ${what}, and closes the body that comes late without iterating it`, async () => {
      await withFakeTimers(async (timers) => {
        const body = new WatchedBody('a');
        let signal: AbortSignal | undefined;
        let give: (body: Body) => void = () => undefined;
        const app: Application = (environ, start) => {
          signal = environ['viaduct.signal'];
          start('200 OK', []);
          return new Promise((resolve) => (give = resolve));
        };
        const stage = stageFor(app, { requestTimeout: 1000 });
        const exchange = stage.handle();
        event(exchange, stage);
        expect(signal?.aborted).to.equal(true);
        expect(exchange.wire.at(-1)).to.contain(last);
        expect(stage.events.requests.map((request) => request.status)).to.deep.equal([status]);
        // The application still runs, so it still has its place.
        expect(stage.mount.admission.running).to.equal(1);
        expect(timers.map(({ delay, holds }) => [delay, holds])).to.deep.equal([[RETURN_LIMIT, false]]);
        give(body);
        await stage.settled();
        expect([body.iterations, body.ends]).to.deep.equal([0, { returns: 0, closes: 1 }]);
        expect(stage.events.codes).to.deep.equal(code === undefined ? [] : [code]);
        timers[0]?.fire();
        await stage.settled();
      });
    });
  }

  it('gives the place back after a while where it never returns, and closes the body if it does after all', async () => {
    await withFakeTimers(async (timers) => {
      const body = new WatchedBody('a');
      let give: (body: Body) => void = () => undefined;
      const stage = stageFor(() => new Promise((resolve) => (give = resolve)));
      stage.handle().leave();
      timers[0]?.fire();
      await stage.settled();
      give(body);
      await waitFor(() => body.closes === 1, { what: 'the late body to be closed' });
      await stage.settled();
    });
  });

  it('logs a late result that is no body, and a late rejection not at all', async () => {
    for (const [finish, codes] of [
      [(resolve: (value: never) => void) => resolve(null as never), ['ERR_GATEWAY_RESULT']],
      [(_: unknown, reject: (reason: Error) => void) => reject(new Error('late')), []],
    ] as const) {
      let end = (): void => undefined;
      const stage = stageFor(
        () =>
          new Promise((resolve, reject) => {
            end = () => finish(resolve, reject);
          }),
      );
      stage.handle().leave();
      end();
      await stage.settled();
      expect(stage.events.codes).to.deep.equal(codes);
    }
  });

  it('closes the body where the request ends inside a synchronous call of the application', async () => {
    for (const makeResult of [
      (body: WatchedBody): Body => body,
      (body: WatchedBody): Body => Object.assign(texts('a'), { close: () => body.close() }),
    ]) {
      const body = new WatchedBody('a');
      const stage = stageFor((_environ, start) => {
        start('200 OK', []);
        stage.gateway.shutdown();
        return makeResult(body);
      });
      const exchange = stage.handle();
      await stage.settled();
      expect([body.iterations, body.closes, exchange.status.slice(0, 3)]).to.deep.equal([0, 1, '503']);
    }
    const failing = stageFor(() => {
      failing.gateway.shutdown();
      return boom();
    });
    failing.handle();
    await failing.settled();
    expect(failing.events.codes).to.deep.equal(['ERR_GATEWAY_SHUTDOWN']);
  });

  it('tells the application by its signal why it was cut off', async () => {
    for (const [event, code] of [
      [leave, 'ERR_GATEWAY_CLIENT_GONE'],
      [expire, 'ERR_GATEWAY_TIMEOUT'],
      [stop, 'ERR_GATEWAY_SHUTDOWN'],
    ] as const) {
      let reason: unknown;
      const stage = stageFor(
        (environ) =>
          new Promise((_, reject) => {
            const signal = environ['viaduct.signal'];
            signal.addEventListener('abort', () => {
              reason = signal.reason;
              reject(new Error('gave up'));
            });
          }),
        { requestTimeout: 1000 },
      );
      event(stage.handle(), stage);
      await stage.settled();
      expect(reason).to.have.property('code', code);
    }
  });

  it('aborts the signal with the error of the application itself', async () => {
    let signal: AbortSignal | undefined;
    const stage = stageFor((environ, start) => {
      signal = environ['viaduct.signal'];
      return answering(new WatchedBody('a', boom))(environ, start);
    });
    stage.handle();
    await stage.settled();
    expect(signal?.reason).to.have.property('message', 'boom');
  });
});
