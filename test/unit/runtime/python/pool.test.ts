// A pool with processes that are none: when it has booted, who follows whom, and what the workers are told.
import { expect } from 'chai';
import type { PoolState } from '../../../../src/apps/python/lane-server.ts';
import type { MountConfig, PythonConfig } from '../../../../src/config/types.ts';
import type { BootFailure } from '../../../../src/runtime/boot.ts';
import { Pool } from '../../../../src/runtime/python/pool.ts';
import type { PythonProcess, PythonProcessOptions } from '../../../../src/runtime/python/process.ts';
import type { ExitReason, WorkerState } from '../../../../src/observe/supervisor-metrics.ts';
import { withFakeTimers } from '../../../helpers/fake-timers.ts';

let lastPid = 100;

class FakeProcess {
  readonly number: number;
  readonly pid: number = (lastPid += 1);
  readonly lanes: PythonProcessOptions['lanes'];
  readonly startedAt: number = performance.now();
  readonly failures: readonly BootFailure[] = [];
  readonly culprit: null = null;
  stats = { requests: 0, inFlight: 0 };
  usage = { rss: 0, cpu: 0 };
  servingSince: number | null = null;
  state: WorkerState = 'starting';
  isStuck = false;
  failure: BootFailure | null = null;
  readonly told: string[] = [];
  readonly #owner: PythonProcessOptions['owner'];

  constructor({ number, lanes, owner }: PythonProcessOptions) {
    this.number = number;
    this.lanes = lanes;
    this.#owner = owner;
  }

  get asProcess(): PythonProcess {
    return this as unknown as PythonProcess;
  }

  /** It has loaded the app, and its threads have their lanes. */
  serves(): void {
    this.#owner.booted(this.asProcess);
    this.state = 'ready';
    this.servingSince = performance.now();
    this.#owner.serving(this.asProcess);
  }

  ends(reason: ExitReason, message: string | null = null): void {
    this.state = 'dead';
    this.failure = message === null ? null : { mount: '/py', message };
    this.#owner.exited(this.asProcess, reason);
  }

  serve(): void {
    this.told.push('serve');
  }

  measure(): void {
    // `usage` is the test's to set.
  }

  drain(reason: ExitReason): void {
    this.state = 'draining';
    this.told.push(`drain ${reason}`);
  }

  kill(reason: ExitReason): void {
    this.told.push(`kill ${reason}`);
  }

  redirect(lanes: PythonProcessOptions['lanes']): void {
    this.told.push(`lanes ${lanes.join(' ')}`);
  }

  askStacks(thread: number): void {
    this.told.push(`stacks ${thread}`);
  }
}

describe('runtime/python/pool', () => {
  let started: FakeProcess[] = [];
  let states: PoolState[] = [];
  let pool: Pool;
  const log = (): void => undefined;
  const make = (python: Partial<PythonConfig> = {}, workers = 2): void => {
    started = [];
    states = [];
    const recycle = { maxRequests: 0, maxAge: 0, maxMemory: 0, jitter: 0 };
    const full = { processes: 2, threads: 3, recycle, ...python } as PythonConfig;
    pool = new Pool({
      mount: { name: '/py' } as MountConfig,
      python: full,
      firstPlace: 0,
      lanePath: (worker) => `w${worker}`,
      workers,
      graceful: 10,
      repeats: true,
      ids: null,
      logs: { logger: { info: log, error: log, warn: log } as never },
      events: { spawned: log, serving: log, exited: log, state: (state) => states.push(state) },
      start: (options) => {
        const made = new FakeProcess(options);
        started.push(made);
        return made.asProcess;
      },
    });
  };
  const at = (index: number): FakeProcess => {
    const found = started[index];
    if (found === undefined) throw new Error(`Cannot find process ${index}: there are ${started.length}`);
    return found;
  };
  const boot = async (): Promise<void> => {
    const booted = pool.boot();
    for (const each of started) each.serves();
    expect(await booted).to.equal(null);
  };

  it('deals the threads among the workers in turn, over all processes', async () => {
    make({ processes: 2, threads: 3 }, 4);
    await boot();
    expect(started.map(({ lanes }) => lanes)).to.deep.equal([
      ['w0', 'w1', 'w2'],
      ['w3', 'w0', 'w1'],
    ]);
    pool.deal([0, 1]);
    expect(started.map(({ told }) => told.at(-1))).to.deep.equal(['lanes w0 w1 w0', 'lanes w1 w0 w1']);
    pool.deal([1, 3]);
    expect(started.map(({ told }) => told.at(-1))).to.deep.equal(['lanes w1 w3 w1', 'lanes w3 w1 w3']);
  });

  it('has booted once every process serves', async () => {
    make();
    let outcome: unknown = 'pending';
    const booted = pool.boot().then((failure) => (outcome = failure));
    at(0).serves();
    await Promise.resolve();
    expect(outcome).to.equal('pending');
    at(1).serves();
    await booted;
    expect(outcome).to.equal(null);
    expect(pool.unready).to.equal(null);
  });

  it('says why the app does not load, tries it again after a pause, and says when it does', async () => {
    await withFakeTimers(async (timers) => {
      make({ processes: 1 });
      const booted = pool.boot();
      at(0).ends('boot_error', 'ImportError: no\nTraceback');
      expect(await booted).to.deep.equal({ mount: '/py', message: 'ImportError: no\nTraceback' });
      expect(pool.unready).to.equal('mount /py did not boot: ImportError: no');
      expect(states).to.deep.equal([{ mount: '/py', isDown: true, failure: 'ImportError: no\nTraceback' }]);
      expect(timers.at(-1)?.delay).to.equal(200);
      timers.at(-1)?.fire();
      at(1).ends('boot_error', 'ImportError: no');
      expect(timers.at(-1)?.delay).to.equal(400);
      timers.at(-1)?.fire();
      at(2).serves();
      expect(pool.unready).to.equal(null);
      expect(states.at(-1)).to.deep.equal({ mount: '/py', isDown: false });
      // What was wrong once says nothing of a process that dies later.
      at(2).ends('signal');
      expect(pool.state.isDown).to.equal(false);
    });
  });

  it('is not down for a process that dies, but not ready without any', async () => {
    await withFakeTimers(async () => {
      make({ processes: 1 });
      await boot();
      at(0).ends('signal');
      expect(pool.unready).to.equal('mount /py: no Python process is ready');
      expect(pool.state.isDown).to.equal(false);
    });
  });

  it('replaces one process at a time, the new one ready before the old one drains', async () => {
    make({ recycle: { maxRequests: 5, maxAge: 0, maxMemory: 0, jitter: 0 } });
    await boot();
    for (const each of started) each.stats.requests = 6;
    pool.tick(performance.now());
    pool.tick(performance.now());
    expect(started).to.have.lengthOf(3);
    expect(at(2).number).to.equal(0);
    expect(at(0).told).to.not.include('drain max_requests');
    at(2).serves();
    expect(at(0).told.at(-1)).to.equal('drain max_requests');
    at(0).ends('max_requests');
    pool.tick(performance.now());
    expect(at(3).number).to.equal(1);
  });

  it('keeps the old process where the new one does not load', async () => {
    make({ recycle: { maxRequests: 0, maxAge: 0, maxMemory: 1000, jitter: 0 } });
    await boot();
    at(1).usage.rss = 2000;
    pool.tick(performance.now());
    at(2).ends('boot_error', 'broken');
    expect(pool.slots.map(({ current }) => current)).to.deep.equal(
      [at(0), at(1)].map((each) => each.asProcess),
    );
    expect(pool.state.isDown).to.equal(false);
    expect(at(1).told).to.deep.equal(['serve']);
  });

  it('asks a process whose request is overdue where it stands, and replaces it', async () => {
    make();
    await boot();
    const overdue = { mount: '/py', thread: 2, requestId: 'id', method: 'GET', uri: '/' };
    pool.overdue({ ...overdue, pid: 1 });
    expect(started).to.have.lengthOf(2);
    pool.overdue({ ...overdue, pid: at(1).pid });
    expect(at(1).told).to.deep.equal(['serve', 'stacks 2']);
    expect(started).to.have.lengthOf(3);
    at(2).serves();
    expect(at(1).told.at(-1)).to.equal('drain stuck');
  });

  it('ends with its last process, and starts none meanwhile', async () => {
    make();
    await boot();
    let isOver = false;
    const drained = pool.drain('reload').then(() => (isOver = true));
    expect(started.map(({ told }) => told.at(-1))).to.deep.equal(['drain reload', 'drain reload']);
    at(0).ends('reload');
    await Promise.resolve();
    expect(isOver).to.equal(false);
    at(1).ends('reload');
    await drained;
    expect(started).to.have.lengthOf(2);
  });

  it('gives up a boot under way where it is killed', async () => {
    make();
    const booted = pool.boot();
    const killed = pool.kill('stop');
    expect(await booted).to.deep.equal({ mount: '/py', message: 'it was told to end (stop)' });
    for (const each of started) each.ends('stop');
    await killed;
  });
});
