// Places and the queue: who runs, who waits, who is turned away, and that every place comes back.
/* oxlint-disable unicorn/consistent-function-scoping -- an application stands beside what is expected of it */
import { expect } from 'chai';
import { Admission, type Waiting } from '../../../src/gateway/admission.ts';
import type { Application, Body } from '../../../src/gateway/contract.ts';
import type { FakeExchange } from '../../helpers/fake-exchange.ts';
import { answering, type Stage, stageFor, texts, WatchedSyncBody } from '../../helpers/fake-gateway.ts';
import { waitFor } from '../../helpers/wait.ts';

interface Gated {
  stage: Stage;
  /** Lets the application of the n-th request that runs go on. */
  finish: (() => void)[];
  handle: () => FakeExchange;
}

function gated(requests: number, queue: number, queueTimeout = 2500): Gated {
  const finish: (() => void)[] = [];
  const app: Application = (_environ, start) =>
    new Promise<Body>((resolve) => {
      finish.push(() => resolve(texts('done')));
      start('200 OK', []);
    });
  const stage = stageFor(app, { requests, queue, queueTimeout });
  return { stage, finish, handle: () => stage.handle() };
}

const shed = (stage: Stage): unknown[] =>
  stage.mount.metrics
    .shedSamples()
    .filter(({ value }) => value > 0)
    .map(({ labels, value }) => [labels['reason'], value]);

const waits = (stage: Stage): number =>
  stage.mount.metrics.queueWaitSamples('w').find(({ metricName }) => metricName === 'w_count')?.value ?? -1;

describe('admission of requests', () => {
  it('runs as many as there are places, the others wait in order of arrival', async () => {
    const { stage, finish, handle } = gated(2, 5);
    const exchanges = [1, 2, 3, 4].map(handle);
    const { admission, metrics } = stage.mount;
    expect([finish.length, admission.running, admission.waiting]).to.deep.equal([2, 2, 2]);
    expect([metrics.active, metrics.queueDepth]).to.deep.equal([2, 2]);
    finish[1]?.();
    await waitFor(() => finish.length === 3, { what: 'the third to run' });
    expect([exchanges[1]?.ended, admission.running, admission.waiting]).to.deep.equal([true, 2, 1]);
    for (let turn = 0; turn < 4; turn += 1) {
      await waitFor(() => finish.length > turn, { what: 'the next to run' });
      finish[turn]?.();
    }
    await stage.settled();
    expect(exchanges.map(({ sent }) => sent)).to.deep.equal(Array(4).fill('done'));
    const queued = stage.events.requests.map((request) => request.queued > 0);
    expect(queued.filter(Boolean)).to.have.lengthOf(2);
    expect(waits(stage)).to.equal(2);
  });

  it('answers 503 with Retry-After when the queue is full', async () => {
    const { stage, finish, handle } = gated(1, 1);
    const [, second, third] = [handle(), handle(), handle()];
    expect([third?.status, third?.header('retry-after')]).to.deep.equal(['503 Service Unavailable', '3']);
    expect(stage.events.warnings).to.deep.equal(['Refused request with 503: the queue is full']);
    finish[0]?.();
    await waitFor(() => finish.length === 2, { what: 'the second to run' });
    finish[1]?.();
    await stage.settled();
    expect(second?.sent).to.equal('done');
    expect(shed(stage)).to.deep.equal([['queue_full', 1]]);
  });

  it('answers 503 at once where there is no queue', async () => {
    const { stage, finish, handle } = gated(1, 0, 0);
    handle();
    const refused = handle();
    expect([refused.status, refused.header('retry-after')]).to.deep.equal(['503 Service Unavailable', '1']);
    finish[0]?.();
    await stage.settled();
  });

  it('answers 503 to one that waited too long, and no sooner', async () => {
    const { stage, finish, handle } = gated(1, 5, 1000);
    const [, second] = [handle(), handle()];
    const now = performance.now();
    stage.gateway.tick(now + 900);
    expect(second?.closed).to.equal(false);
    stage.gateway.tick(now + 1000);
    expect([second?.status, second?.header('retry-after')]).to.deep.equal(['503 Service Unavailable', '1']);
    finish[0]?.();
    await stage.settled();
    expect(shed(stage)).to.deep.equal([['queue_timeout', 1]]);
    expect(finish).to.have.lengthOf(1);
  });

  it('forgets one whose client left while it waited', async () => {
    const { stage, finish, handle } = gated(1, 5);
    const [, second, third] = [handle(), handle(), handle()];
    second?.leave();
    expect(stage.mount.admission.waiting).to.equal(1);
    finish[0]?.();
    await waitFor(() => finish.length === 2, { what: 'the third to run' });
    finish[1]?.();
    await stage.settled();
    expect([second?.wire, third?.sent]).to.deep.equal([['gone'], 'done']);
    const left = stage.events.requests.find(({ status }) => status === 499);
    expect(left?.aborted).to.equal('queued');
  });

  it('gives the place on where the client left between its turn and its call', async () => {
    const seen: string[] = [];
    let end: () => void = () => undefined;
    // close() comes just before the place is given on, and that happens in a microtask: this one is earlier.
    const close = (): void => queueMicrotask(() => exchanges[1]?.leave());
    const app: Application = (environ, start) => {
      seen.push(environ.PATH_INFO);
      start('200 OK', []);
      const body = Object.assign(texts('done'), { close });
      return environ.PATH_INFO === '/0'
        ? new Promise((resolve) => (end = () => resolve(body)))
        : texts('done');
    };
    const stage = stageFor(app, { requests: 1 });
    const exchanges = ['/0', '/1', '/2'].map((path) => stage.handle({ path }));
    end();
    await stage.settled();
    expect(seen).to.deep.equal(['/0', '/2']);
    expect(exchanges.map(({ wire }) => wire.at(-1))).to.deep.equal(['end done', 'gone', 'end done']);
  });

  it('ends those that wait at shutdown with 503', async () => {
    const { stage, handle } = gated(1, 5);
    const [, second] = [handle(), handle()];
    stage.gateway.shutdown();
    expect(second?.status).to.equal('503 Service Unavailable');
    expect(stage.mount.admission.waiting).to.equal(0);
    expect(stage.events.requests.map(({ aborted }) => aborted)).to.deep.equal([null, null]);
    expect(stage.events.codes).to.deep.equal(['ERR_GATEWAY_SHUTDOWN', 'ERR_GATEWAY_SHUTDOWN']);
  });

  it('keeps the place while the application still runs after its response has ended', async () => {
    const body = new WatchedSyncBody('ab');
    let closed: () => void = () => undefined;
    const slow = Object.assign(body, { close: () => new Promise<void>((resolve) => (closed = resolve)) });
    const stage = stageFor(answering(slow), { requests: 1 });
    expect(stage.handle().ended).to.equal(true);
    expect([stage.mount.admission.running, stage.mount.metrics.active]).to.deep.equal([1, 0]);
    closed();
    await stage.settled();
  });

  it('does not nest: a long queue of synchronous applications is worked off turn by turn', async () => {
    let start: () => void = () => undefined;
    let calls = 0;
    const app: Application = (_environ, startResponse) => {
      calls += 1;
      const reply = (): Body => {
        startResponse('200 OK', []);
        return [];
      };
      return calls === 1 ? new Promise((resolve) => (start = () => resolve(reply()))) : reply();
    };
    const stage = stageFor(app, { requests: 1, queue: 20_000 });
    for (let count = 0; count < 20_000; count += 1) stage.handle();
    start();
    await stage.settled();
    expect(calls).to.equal(20_000);
    expect(stage.events.codes).to.deep.equal([]);
  });
});

describe('Admission', () => {
  const waiter = (log: string[], name: string, queuedAt: number): Waiting => ({
    ahead: null,
    behind: null,
    queuedAt,
    mountName: name,
    admit: () => void log.push(`${name} in`),
    giveUp: () => void log.push(`${name} out`),
  });

  it('expires in order and stops at the first that may still wait', async () => {
    const log: string[] = [];
    const admission = new Admission({ requests: 1, queue: 3, queueTimeout: 10 });
    expect(admission.enter()).to.equal(true);
    expect(admission.enter()).to.equal(false);
    const [a, b, c] = [waiter(log, 'a', 0), waiter(log, 'b', 5), waiter(log, 'c', 6)];
    expect([a, b, c].map((each) => admission.wait(each))).to.deep.equal([true, true, true]);
    expect(admission.wait(waiter(log, 'd', 7))).to.equal(false);
    admission.expire(15);
    expect([log, admission.waiting]).to.deep.equal([['a out', 'b out'], 1]);
    admission.forget(c);
    admission.leave();
    await Promise.resolve();
    expect([log.length, admission.running, admission.waiting]).to.deep.equal([2, 0, 0]);
  });

  it('tells since when the oldest of a mount waits', () => {
    const admission = new Admission({ requests: 0, queue: 9, queueTimeout: 10 });
    const [a, b] = [waiter([], 'a', 3), waiter([], 'b', 5)];
    for (const each of [a, b, waiter([], 'a', 7)]) admission.wait(each);
    expect(['a', 'b', 'c'].map((name) => admission.oldest(name))).to.deep.equal([3, 5, null]);
    admission.forget(a);
    admission.forget(b);
    expect(['a', 'b'].map((name) => admission.oldest(name))).to.deep.equal([7, null]);
  });

  it('hands the place over without freeing it in between', async () => {
    const log: string[] = [];
    const admission = new Admission({ requests: 1, queue: 1, queueTimeout: 10 });
    admission.enter();
    admission.wait(waiter(log, 'a', 0));
    admission.leave();
    expect([admission.enter(), admission.running, log]).to.deep.equal([false, 1, []]);
    await Promise.resolve();
    expect(log).to.deep.equal(['a in']);
  });
});
