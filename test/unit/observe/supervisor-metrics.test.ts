import { expect } from 'chai';
import { Metrics } from '../../../src/observe/metrics.ts';
import {
  EXIT_REASONS,
  type MountRow,
  SupervisorMetrics,
  WORKER_STATES,
  type WorkerRow,
} from '../../../src/observe/supervisor-metrics.ts';
import { scrape, seriesCount, value } from './scrape.ts';

const row = (fields: Partial<WorkerRow> & { slot: number }): WorkerRow => ({
  kind: 'node',
  state: 'ready',
  residentBytes: null,
  cpuSeconds: 0,
  statsAge: null,
  heapUsed: null,
  ...fields,
});

describe('observe/supervisor-metrics', () => {
  let metrics: Metrics;
  let supervisor: SupervisorMetrics;
  let table: WorkerRow[];
  let mounts: MountRow[];

  beforeEach(() => {
    table = [];
    mounts = [];
    metrics = new Metrics();
    supervisor = new SupervisorMetrics(metrics.registry, {
      workers: () => table,
      mounts: () => mounts,
      places: () => ({ node: 3, python: 4 }),
      generation: () => 7,
    });
  });

  it('has its series at 0 before anything has happened', async () => {
    for (const state of WORKER_STATES)
      expect(await value(metrics, 'viaduct_workers', { kind: 'node', state })).to.equal(0);
    for (const reason of EXIT_REASONS)
      expect(await value(metrics, 'viaduct_worker_exits_total', { kind: 'node', reason })).to.equal(0);
    expect(await value(metrics, 'viaduct_worker_spawns_total', { kind: 'node' })).to.equal(0);
    expect(await value(metrics, 'viaduct_worker_boot_seconds_count', { kind: 'node' })).to.equal(0);
    for (const result of ['ok', 'rejected']) {
      expect(await value(metrics, 'viaduct_reloads_total', { result })).to.equal(0);
      expect(await value(metrics, 'viaduct_reload_duration_seconds_count', { result })).to.equal(0);
    }
  });

  it('counts the states of the table at each scrape', async () => {
    const states = async (): Promise<unknown> =>
      Object.fromEntries(
        (await scrape(metrics))
          .get('viaduct_workers')
          ?.samples.filter(({ labels }) => labels['kind'] === 'node')
          .map((sample) => [sample.labels['state'], sample.value]) ?? [],
      );
    table = [row({ slot: 0 }), row({ slot: 1, state: 'starting' }), row({ slot: 1, state: 'draining' })];
    expect(await states()).to.deep.equal({ starting: 1, ready: 1, draining: 1, stuck: 0, dead: 0 });
    table = [row({ slot: 0, state: 'stuck' }), row({ slot: 1, state: 'dead' })];
    expect(await states()).to.deep.equal({ starting: 0, ready: 0, draining: 0, stuck: 1, dead: 1 });
    table = [];
    expect(await states()).to.deep.equal({ starting: 0, ready: 0, draining: 0, stuck: 0, dead: 0 });
  });

  it('shows how the mounts are, how many workers there are to be, and which generation serves', async () => {
    mounts = [
      { mount: 'shop', state: 'degraded' },
      { mount: 'api', state: 'ready' },
    ];
    const state = (mount: string, is: string): Promise<number | undefined> =>
      value(metrics, 'viaduct_mount_state', { mount, state: is });
    for (const is of ['ready', 'degraded', 'failed'])
      expect(await state('shop', is), is).to.equal(is === 'degraded' ? 1 : 0);
    expect(await state('api', 'ready')).to.equal(1);
    expect(await value(metrics, 'viaduct_workers_wanted', { kind: 'node' })).to.equal(3);
    expect(await value(metrics, 'viaduct_workers_wanted', { kind: 'python' })).to.equal(4);
    expect(await value(metrics, 'viaduct_generation')).to.equal(7);
    mounts = [];
    expect(await state('shop', 'ready')).to.equal(undefined);
  });

  it('counts spawns, boots and exits by reason', async () => {
    supervisor.spawned('node');
    supervisor.spawned('node');
    supervisor.booted('node', 0.3);
    supervisor.exited(row({ slot: 0 }), 'crash');
    supervisor.exited(row({ slot: 0 }), 'max_requests');
    supervisor.exited(row({ slot: 1 }), 'crash');
    expect(await value(metrics, 'viaduct_worker_spawns_total', { kind: 'node' })).to.equal(2);
    expect(await value(metrics, 'viaduct_worker_boot_seconds_sum', { kind: 'node' })).to.equal(0.3);
    expect(await value(metrics, 'viaduct_worker_boot_seconds_bucket', { kind: 'node', le: '0.25' })).to.equal(
      0,
    );
    expect(await value(metrics, 'viaduct_worker_boot_seconds_bucket', { kind: 'node', le: '0.5' })).to.equal(
      1,
    );
    expect(await value(metrics, 'viaduct_worker_exits_total', { kind: 'node', reason: 'crash' })).to.equal(2);
    expect(
      await value(metrics, 'viaduct_worker_exits_total', { kind: 'node', reason: 'max_requests' }),
    ).to.equal(1);
  });

  it('tells reloads by result, and whether and when the last one was taken', async () => {
    const successful = 'viaduct_config_last_reload_successful';
    const timestamp = 'viaduct_config_last_reload_success_timestamp_seconds';
    const started = (await value(metrics, timestamp)) ?? 0;
    expect(started).to.be.closeTo(Date.now() / 1000, 5);
    expect(await value(metrics, successful)).to.equal(1);
    supervisor.reloaded('rejected', 0.01);
    expect(await value(metrics, successful)).to.equal(0);
    expect(await value(metrics, timestamp)).to.equal(started);
    supervisor.reloaded('ok', 2);
    expect(await value(metrics, successful)).to.equal(1);
    expect(await value(metrics, timestamp)).to.be.within(started, Date.now() / 1000);
    expect(await value(metrics, 'viaduct_reloads_total', { result: 'ok' })).to.equal(1);
    expect(await value(metrics, 'viaduct_reloads_total', { result: 'rejected' })).to.equal(1);
    expect(await value(metrics, 'viaduct_reload_duration_seconds_sum', { result: 'ok' })).to.equal(2);
    expect(await value(metrics, 'viaduct_reload_duration_seconds_sum', { result: 'rejected' })).to.equal(
      0.01,
    );
  });

  it('adds up memory over the two processes of a slot, and shows the older of their numbers', async () => {
    table = [
      row({ slot: 3, state: 'draining', residentBytes: 100, statsAge: 7 }),
      row({ slot: 3, residentBytes: 20, statsAge: 0.5, heapUsed: 9 }),
      row({ slot: 4, residentBytes: 5, statsAge: 1 }),
      row({ slot: 5, state: 'starting' }),
      row({ slot: 6, state: 'dead', residentBytes: 9, statsAge: 9, cpuSeconds: 9 }),
    ];
    const memory = 'viaduct_worker_resident_memory_bytes';
    const age = 'viaduct_worker_stats_age_seconds';
    const ofWorkers = async (name: string): Promise<(number | undefined)[]> =>
      Promise.all(['3', '4', '5', '6'].map((worker) => value(metrics, name, { kind: 'node', worker })));
    expect(await ofWorkers(memory)).to.deep.equal([120, 5, undefined, undefined]);
    expect(await ofWorkers(age)).to.deep.equal([7, 1, undefined, undefined]);
    expect(await ofWorkers('viaduct_worker_cpu_seconds_total')).to.deep.equal([0, 0, 0, undefined]);
  });

  it('adds up CPU time over respawns, also where the slot is gone', async () => {
    const cpu = (): Promise<number | undefined> =>
      value(metrics, 'viaduct_worker_cpu_seconds_total', { kind: 'node', worker: '0' });
    table = [row({ slot: 0, cpuSeconds: 4 })];
    expect(await cpu()).to.equal(4);
    const last = row({ slot: 0, cpuSeconds: 5 });
    supervisor.exited(last, 'crash');
    table = [{ ...last, state: 'dead' }];
    expect(await cpu()).to.equal(5);
    table = [row({ slot: 0, cpuSeconds: 0.5 })];
    expect(await cpu()).to.equal(5.5);
    supervisor.exited(row({ slot: 0, cpuSeconds: 1 }), 'scale_down');
    table = [];
    expect(await cpu()).to.equal(6);
  });

  it('has no series of their own for workers beyond 64', async () => {
    const fields = { residentBytes: 1, cpuSeconds: 1, statsAge: 1 };
    table = Array.from({ length: 64 }, (_, slot) => row({ slot, ...fields }));
    const before = await seriesCount(metrics);
    for (let slot = 64; slot < 300; slot++) {
      table.push(row({ slot, ...fields }));
      supervisor.exited(row({ slot, ...fields }), 'signal');
    }
    expect(await seriesCount(metrics)).to.equal(before);
    expect(await value(metrics, 'viaduct_workers', { kind: 'node', state: 'ready' })).to.equal(300);
    expect(await value(metrics, 'viaduct_worker_exits_total', { kind: 'node', reason: 'signal' })).to.equal(
      236,
    );
  });
});
