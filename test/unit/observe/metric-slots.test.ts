import { expect } from 'chai';
import { execFileSync } from 'node:child_process';
import { MetricSlots } from '../../../src/observe/metric-slots.ts';
import { Metrics } from '../../../src/observe/metrics.ts';
import { seriesCount, value } from './scrape.ts';

const LISTENER = 'unix:run/a.sock';

function makeWorker(): MetricSlots {
  const worker = new MetricSlots();
  worker.mount('api');
  worker.mount('');
  worker.listener(LISTENER, 'auto');
  return worker;
}

function makeMaster(): Metrics {
  const master = new Metrics({ errorReasons: ['truncated', 'tls'] });
  master.mount('api');
  master.mount('');
  master.listener(LISTENER, 'auto');
  return master;
}

/** As it comes out of the channel between two processes. */
const sent = (delta: unknown): unknown => JSON.parse(JSON.stringify(delta));

const codes = { mount: 'api', method: 'GET', code: '200' };

describe('observe/metric-slots', () => {
  it('loads no prom-client into a worker', () => {
    const url = new URL('../../../src/observe/metric-slots.js', import.meta.url).href;
    const script = `
      import { createRequire } from 'node:module';
      await import(${JSON.stringify(url)});
      console.log(JSON.stringify(Object.keys(createRequire(import.meta.url).cache)));`;
    const loaded = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
      encoding: 'utf8',
      timeout: 20_000,
    });
    expect(JSON.parse(loaded)).to.deep.equal([]);
  });

  describe('takeDelta', () => {
    it('is null while nothing changes', () => {
      const worker = makeWorker();
      expect(worker.takeDelta()).to.equal(null);
      worker.mount('api').requestStarted();
      expect(worker.takeDelta()).not.to.equal(null);
      expect(worker.takeDelta()).to.equal(null);
    });

    it('has what was added since the last one, and nothing of what did not change', () => {
      const worker = makeWorker();
      const listener = worker.listener(LISTENER, 'auto');
      listener.accepted();
      worker.takeDelta();
      listener.accepted();
      listener.accepted();
      listener.closed('idle');
      expect(worker.takeDelta()).to.deep.equal([
        { kind: 'listener', name: LISTENER, counters: [['accepted', 0, 2]], gauges: [2, 0, 0] },
      ]);
    });

    it('has gauges alone where only they changed, counters alone where only those did', () => {
      const worker = makeWorker();
      worker.mount('api').requestStarted();
      expect(worker.takeDelta()).to.deep.equal([
        { kind: 'mount', name: 'api', counters: [], gauges: [1, 0, 0, 0, 0] },
      ]);
      worker.mount('api').shed('draining');
      expect(worker.takeDelta()).to.deep.equal([
        { kind: 'mount', name: 'api', counters: [['shed', 2, 1]], gauges: null },
      ]);
    });
  });

  describe('applyDelta', () => {
    it('carries everything that is counted to the master', async () => {
      const worker = makeWorker();
      const mount = worker.mount('api');
      mount.requestStarted();
      mount.requestFinished('GET', 200, 0.3, 10, 20);
      mount.requestStarted();
      mount.requestFinished('BREW', 418, 2, 1, 2);
      mount.queued();
      mount.dequeued(0.02);
      mount.shed('queue_full');
      mount.aborted('sending');
      mount.timedOut();
      mount.slow();
      const listener = worker.listener(LISTENER, 'auto');
      listener.accepted();
      listener.dropped('connection_limit');
      listener.protocolError('truncated', 'fastcgi');
      worker.logs.watch('access', () => 4);
      worker.process.timerLate(0.3);
      worker.droppedSeries.inc('name', 3);
      mount.watchThreads(() => 5);
      const master = makeMaster();
      master.mount('api').watchThreads(() => 0);
      const delta = sent(worker.takeDelta());
      expect(master.applyDelta(0, delta)).to.equal(0);
      expect(master.applyDelta(1, delta)).to.equal(0);
      const expected: [number, string, Record<string, string>?][] = [
        [2, 'viaduct_requests_total', codes],
        [2, 'viaduct_requests_total', { mount: 'api', method: '_OTHER', code: '418' }],
        [
          2,
          'http_server_request_duration_seconds_count',
          { mount: 'api', method: 'GET', status_class: '2xx' },
        ],
        [
          0.6,
          'http_server_request_duration_seconds_sum',
          { mount: 'api', method: 'GET', status_class: '2xx' },
        ],
        [
          4,
          'http_server_request_duration_seconds_sum',
          { mount: 'api', method: '_OTHER', status_class: '4xx' },
        ],
        [22, 'viaduct_request_body_bytes_total', { mount: 'api' }],
        [44, 'viaduct_response_body_bytes_total', { mount: 'api' }],
        [2, 'viaduct_queue_wait_seconds_bucket', { mount: 'api', le: '0.05' }],
        [0.04, 'viaduct_queue_wait_seconds_sum', { mount: 'api' }],
        [2, 'viaduct_requests_shed_total', { mount: 'api', reason: 'queue_full' }],
        [2, 'viaduct_requests_aborted_total', { mount: 'api', phase: 'sending' }],
        [2, 'viaduct_request_timeouts_total', { mount: 'api' }],
        [2, 'viaduct_slow_requests_total', { mount: 'api' }],
        [2, 'viaduct_connections_accepted_total', { listener: LISTENER }],
        [2, 'viaduct_connections_dropped_total', { reason: 'connection_limit' }],
        [2, 'viaduct_protocol_errors_total', { protocol: 'fastcgi', reason: 'truncated' }],
        [8, 'viaduct_log_lines_dropped_total', { sink: 'access' }],
        [2, 'viaduct_worker_event_loop_delay_seconds_bucket', { le: '0.5' }],
        [0, 'viaduct_worker_event_loop_delay_seconds_bucket', { le: '0.25' }],
        [6, 'viaduct_app_series_dropped_total', { reason: 'name' }],
        [10, 'viaduct_python_threads', { mount: 'api' }],
      ];
      for (const [wanted, name, labels] of expected)
        expect(await value(master, name, labels), name).to.equal(wanted);
    });

    it('adds gauges up over the living; the oldest age is the highest', async () => {
      const master = makeMaster();
      for (const [key, waiting, age] of [
        ['0/a', 3, 0.5],
        ['0/b', 1, 4],
        ['1/a', 2, 1],
      ] as const) {
        const worker = makeWorker();
        const mount = worker.mount('api');
        mount.watchQueue(16, () => age);
        mount.requestStarted();
        for (let i = 0; i < waiting; i++) mount.queued();
        worker.listener(LISTENER, 'auto').accepted();
        master.applyDelta(key, sent(worker.takeDelta()));
      }
      const gauges = async (): Promise<(number | undefined)[]> => [
        await value(master, 'http_server_active_requests', { mount: 'api' }),
        await value(master, 'viaduct_queue_depth', { mount: 'api' }),
        await value(master, 'viaduct_queue_limit', { mount: 'api' }),
        await value(master, 'viaduct_queue_oldest_age_seconds', { mount: 'api' }),
        await value(master, 'viaduct_connections', { listener: LISTENER, state: 'idle' }),
      ];
      expect(await gauges()).to.deep.equal([3, 6, 48, 4, 3]);
      master.forgetSlot('0/b');
      expect(await gauges()).to.deep.equal([2, 5, 32, 1, 2]);
      master.forgetSlot('0/a');
      master.forgetSlot('1/a');
      expect(await gauges()).to.deep.equal([0, 0, 0, 0, 0]);
      expect(await value(master, 'viaduct_connections_accepted_total', { listener: LISTENER })).to.equal(3);
    });

    it('takes no mount, listener, method, code, protocol or reason it does not know', async () => {
      const worker = makeWorker();
      worker.mount('api').requestFinished('POST', 200, 0.1, 0, 0);
      const master = makeMaster();
      master.applyDelta(0, sent(worker.takeDelta()));
      const before = await seriesCount(master);
      const part = (kind: string, name: string, ...counters: unknown[]): unknown => ({
        kind,
        name,
        counters,
        gauges: null,
      });
      const strange = [
        part('mount', 'made-up', ['totals', 0, 1]),
        part('mount', '__proto__', ['totals', 0, 1]),
        part('listener', 'api', ['accepted', 0, 1]),
        part('cluster', 'api', ['totals', 0, 1]),
        part('mount', 'api', ['BREW codes', 100, 1]),
        part('mount', 'api', ['POST 6xx', 0, 1]),
        part('mount', 'api', ['POST codes', 500, 1]),
        part('mount', 'api', ['POST codes', -1, 1]),
        part('mount', 'api', ['POST codes', 1.5, 1]),
        part('mount', 'api', ['shed', 'queue_full', 1]),
        part('listener', LISTENER, ['error fastcgi made_up', 0, 1]),
        part('listener', LISTENER, ['error gopher tls', 0, 1]),
        part('listener', LISTENER, ['error fastcgi tls"} 1', 0, 1]),
      ];
      for (const each of strange) expect(master.applyDelta(0, [each]), JSON.stringify(each)).to.equal(1);
      expect(await seriesCount(master)).to.equal(before);
    });

    it('adds no series in the end, however often a worker makes names up', async () => {
      const master = makeMaster();
      const bounded = (round: number): unknown => [
        ...['GET', 'POST', `M${round}`].map((method) => ({
          kind: 'mount',
          name: round % 2 === 0 ? 'api' : `m${round}`,
          counters: [[`${method} codes`, 100, 1]],
          gauges: [1, round],
        })),
        {
          kind: 'listener',
          name: LISTENER,
          counters: [
            [`error fastcgi r${round}`, 0, 1],
            ['error fastcgi _OTHER', 0, 1],
          ],
          gauges: null,
        },
      ];
      master.applyDelta(0, bounded(0));
      const before = await seriesCount(master);
      for (let round = 1; round < 2000; round++) master.applyDelta(0, bounded(round));
      expect(await seriesCount(master)).to.equal(before);
      const other = { protocol: 'fastcgi', reason: '_OTHER' };
      expect(await value(master, 'viaduct_protocol_errors_total', other)).to.equal(2000);
    });

    it('bounds the reasons of protocol errors also where it was not told which there are', async () => {
      const master = new Metrics();
      master.listener(LISTENER, 'auto');
      const before = await seriesCount(master);
      for (let round = 0; round < 1000; round++) {
        const counters = [[`error uwsgi r${round}`, 0, 1]];
        master.applyDelta(0, [{ kind: 'listener', name: LISTENER, counters, gauges: null }]);
      }
      expect(await value(master, 'viaduct_protocol_errors_total', { reason: 'r7' })).to.equal(1);
      expect((await seriesCount(master)) - before).to.equal(65);
    });

    it('lets nothing lower a counter or end it', async () => {
      const master = makeMaster();
      const add = (increment: unknown): number =>
        master.applyDelta(0, [
          { kind: 'mount', name: 'api', counters: [['GET codes', 100, increment]], gauges: null },
        ]);
      expect(add(5)).to.equal(0);
      for (const increment of [-1, NaN, Infinity, -Infinity, 1e300, '7', null, undefined, {}, [3]])
        expect(add(increment), JSON.stringify(increment)).to.equal(1);
      expect(await value(master, 'viaduct_requests_total', codes)).to.equal(5);
    });

    it('takes gauges that are no amounts as 0', async () => {
      const master = makeMaster();
      const gauges = [-3, 'x', Infinity];
      expect(master.applyDelta(0, [{ kind: 'mount', name: 'api', counters: [], gauges }])).to.equal(5);
      for (const name of ['http_server_active_requests', 'viaduct_queue_depth', 'viaduct_queue_limit'])
        expect(await value(master, name, { mount: 'api' })).to.equal(0);
    });

    it('throws at nothing a worker could send', () => {
      const master = makeMaster();
      const parts = [null, 7, 'x', [], {}, { kind: 'mount' }, { kind: 'mount', name: 'api' }];
      const inner = [{ counters: 7 }, { counters: [7, null, [], [[]], ['totals']] }, { gauges: {} }];
      for (const delta of [
        undefined,
        null,
        3,
        'delta',
        {},
        parts,
        inner.map((each) => ({ kind: 'mount', name: 'api', ...each })),
      ])
        expect(() => master.applyDelta(0, delta), JSON.stringify(delta)).not.to.throw();
    });
  });

  describe('retain', () => {
    it('drops what the configuration no longer has, requests of no mount never', async () => {
      const master = makeMaster();
      master.mount('old').shed('draining');
      master.listener('127.0.0.1:1', 'http').accepted();
      master.retain(['api'], [LISTENER]);
      expect(await value(master, 'viaduct_queue_depth', { mount: 'old' })).to.equal(undefined);
      expect(await value(master, 'viaduct_queue_depth', { mount: '_none' })).to.equal(0);
      expect(await value(master, 'viaduct_queue_depth', { mount: 'api' })).to.equal(0);
      const accepted = 'viaduct_connections_accepted_total';
      expect(await value(master, accepted, { listener: '127.0.0.1:1' })).to.equal(undefined);
      expect(await value(master, accepted, { listener: LISTENER })).to.equal(0);
    });
  });
});
