// However a request ends: its body is closed once, its place given back, its signal aborted where it was cut short, and
// one line logged. settled() of the stage checks the places, the counters and that each request finished once.
/* oxlint-disable unicorn/consistent-function-scoping -- an application stands beside what is expected of it */
import { expect } from 'chai';
import type { Application, Body, HeaderList } from '../../../src/gateway/contract.ts';
import { RETURN_LIMIT } from '../../../src/gateway/iteration.ts';
import type { FakeExchange } from '../../helpers/fake-exchange.ts';
import {
  answering,
  type RequestOptions,
  type Stage,
  stageFor,
  texts,
  WatchedBody,
  WatchedSyncBody,
} from '../../helpers/fake-gateway.ts';
import { withFakeTimers } from '../../helpers/fake-timers.ts';
import { waitFor } from '../../helpers/wait.ts';

type Steps = readonly (string | (() => unknown))[];
type AnyBody = WatchedBody | WatchedSyncBody;

interface Ending {
  readonly ends: string;
  readonly steps?: Steps;
  readonly headers?: HeaderList;
  readonly request?: RequestOptions;
  /** Only bodies that wait inside next(). */
  readonly asyncOnly?: boolean;
  /** What happens once the body stands where its steps lead. */
  readonly event?: (exchange: FakeExchange, stage: Stage) => void;
  readonly returns: number;
  /** The signal's, once all is over. */
  readonly aborted: boolean;
  readonly status: number;
  readonly last: string;
  readonly codes?: readonly string[];
}

const boom = (): never => {
  throw new Error('boom');
};
const never = (): Promise<never> => new Promise(() => undefined);
const blocked = { blocked: true };
const leave = (exchange: FakeExchange): void => exchange.leave();
const expire = (_exchange: FakeExchange, stage: Stage): void => stage.gateway.tick(performance.now() + 1e6);
const stop = (_exchange: FakeExchange, stage: Stage): void => stage.gateway.shutdown();
const page = (code: string): string => `end ${code}`;

const ENDINGS: readonly Ending[] = [
  { ends: 'normally', steps: ['a', 'b'], returns: 0, aborted: false, status: 200, last: 'end' },
  { ends: 'with nothing to send', steps: [], returns: 0, aborted: false, status: 200, last: 'end' },
  {
    ends: 'early, at Content-Length',
    steps: ['ab', 'c'],
    headers: [['Content-Length', '2']],
    returns: 1,
    aborted: false,
    status: 200,
    last: 'end',
  },
  {
    ends: 'early, to HEAD',
    steps: ['a', 'b'],
    request: { method: 'HEAD' },
    returns: 1,
    aborted: false,
    status: 200,
    last: 'end',
  },
  {
    ends: 'in an error before the headers',
    steps: [boom],
    returns: 0,
    aborted: true,
    status: 500,
    last: page('500'),
    codes: ['boom'],
  },
  {
    ends: 'in an error after the headers',
    steps: ['a', boom],
    returns: 0,
    aborted: true,
    status: 200,
    last: 'abort app_error',
    codes: ['boom'],
  },
  {
    ends: 'in a bad chunk',
    steps: ['a', () => 'text'],
    returns: 1,
    aborted: true,
    status: 200,
    last: 'abort app_error',
    codes: ['ERR_GATEWAY_CHUNK'],
  },
  {
    ends: 'short of its Content-Length',
    steps: ['a'],
    headers: [['Content-Length', '2']],
    returns: 0,
    aborted: true,
    status: 200,
    last: 'abort app_error',
    codes: ['ERR_GATEWAY_BODY_SHORT'],
  },
  {
    ends: 'as the client leaves during the first next()',
    steps: [never],
    asyncOnly: true,
    event: leave,
    returns: 1,
    aborted: true,
    status: 499,
    last: 'gone',
  },
  {
    ends: 'as the client leaves during a later next()',
    steps: ['a', never],
    asyncOnly: true,
    event: leave,
    returns: 1,
    aborted: true,
    status: 200,
    last: 'gone',
  },
  {
    ends: 'as the client leaves under back-pressure',
    steps: ['a', 'b'],
    request: blocked,
    event: leave,
    returns: 1,
    aborted: true,
    status: 200,
    last: 'gone',
  },
  {
    ends: 'at its deadline before the headers',
    steps: [never],
    asyncOnly: true,
    event: expire,
    returns: 1,
    aborted: true,
    status: 504,
    last: page('504'),
    codes: ['ERR_GATEWAY_TIMEOUT'],
  },
  {
    ends: 'at its deadline after the headers',
    steps: ['a', 'b'],
    request: blocked,
    event: expire,
    returns: 1,
    aborted: true,
    status: 200,
    last: 'abort request_timeout',
    codes: ['ERR_GATEWAY_TIMEOUT'],
  },
  {
    ends: 'at shutdown before the headers',
    steps: [never],
    asyncOnly: true,
    event: stop,
    returns: 1,
    aborted: true,
    status: 503,
    last: page('503'),
    codes: ['ERR_GATEWAY_SHUTDOWN'],
  },
  {
    ends: 'at shutdown after the headers',
    steps: ['a', 'b'],
    request: blocked,
    event: stop,
    returns: 1,
    aborted: true,
    status: 200,
    last: 'abort shutdown',
    codes: ['ERR_GATEWAY_SHUTDOWN'],
  },
];

const PHASES: Readonly<Record<string, string>> = { gone: 'sending', abort: 'sending', end: 'none' };

async function check(ending: Ending, body: AnyBody, viaPromise: boolean): Promise<void> {
  const { steps = [], headers = [], event } = ending;
  let signal: AbortSignal | undefined;
  const app: Application = (environ, start) => {
    signal = environ['viaduct.signal'];
    start('200 OK', [...headers]);
    return viaPromise ? Promise.resolve(body) : body;
  };
  const stage = stageFor(app, { requestTimeout: 1000 });
  const exchange = stage.handle(ending.request);
  if (event !== undefined) {
    const waits = (): boolean => exchange.waiting > 0 || (body.nexts > 0 && steps[body.nexts - 1] === never);
    await waitFor(waits, { what: 'the body to stand still' });
    expect(signal?.aborted).to.equal(false);
    event(exchange, stage);
    event(exchange, stage);
  }
  await stage.settled();
  expect(body.ends).to.deep.equal({ returns: ending.returns, closes: 1 });
  expect(signal?.aborted).to.equal(ending.aborted);
  expect(exchange.wire.at(-1)).to.satisfy((line: string) => line.startsWith(ending.last));
  expect(stage.events.codes).to.deep.equal(ending.codes ?? []);
  const [request] = stage.events.requests;
  expect(request?.status).to.equal(ending.status);
  const phase = ending.status === 499 ? 'running' : PHASES[ending.last.split(' ')[0] ?? ''];
  expect(request?.aborted ?? 'none').to.equal(phase);
  const counted = stage.mount.metrics.abortedSamples().filter(({ value }) => value > 0);
  expect(counted.map(({ labels, value }) => [labels['phase'], value])).to.deep.equal(
    phase === 'none' ? [] : [[phase, 1]],
  );
}

describe('the life of a request', () => {
  const unhandled: unknown[] = [];
  const note = (reason: unknown): void => void unhandled.push(reason);
  before(() => process.on('unhandledRejection', note));
  after(() => process.off('unhandledRejection', note));
  afterEach(async () => {
    await new Promise((resolve) => setImmediate(resolve));
    expect(unhandled.splice(0)).to.deep.equal([]);
  });

  for (const ending of ENDINGS) {
    for (const viaPromise of [false, true]) {
      const from = viaPromise ? 'asynchronous' : 'synchronous';
      it(`closes an asynchronous body of an ${from} application that ends ${ending.ends}`, () =>
        check(ending, new WatchedBody(...(ending.steps ?? [])), viaPromise));
      if (ending.asyncOnly === true) continue;
      it(`closes a synchronous body of an ${from} application that ends ${ending.ends}`, () =>
        check(ending, new WatchedSyncBody(...(ending.steps ?? [])), viaPromise));
    }
  }
});

describe('the life of a request whose application has not returned yet', () => {
  const CUTS: readonly [string, Ending['event'], number, string, string | undefined][] = [
    ['the client leaves', leave, 499, 'gone', undefined],
    ['its deadline comes', expire, 504, page('504'), 'ERR_GATEWAY_TIMEOUT'],
    ['the server stops', stop, 503, page('503'), 'ERR_GATEWAY_SHUTDOWN'],
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
        event?.(exchange, stage);
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
