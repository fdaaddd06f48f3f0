// However a request ends: its body is closed once, its place given back, its signal aborted where it was cut short, and
// one line logged. settled() of the stage checks the places, the counters and that each request finished once.
/* oxlint-disable unicorn/consistent-function-scoping -- an application stands beside what is expected of it */
import { expect } from 'chai';
import type { Application, HeaderList } from '../../../src/gateway/contract.ts';
import type { FakeExchange } from '../../helpers/fake-exchange.ts';
import {
  type RequestOptions,
  type Stage,
  stageFor,
  WatchedBody,
  WatchedSyncBody,
} from '../../helpers/fake-gateway.ts';
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
