// A generation with workers that are none: when it counts as booted, what it refuses, and how it keeps its number.
import { expect } from 'chai';
import type { LoadedConfig } from '../../../src/config/load.ts';
import type { Config } from '../../../src/config/types.ts';
import { BootError, type Demand } from '../../../src/runtime/first-boot.ts';
import { Generation } from '../../../src/runtime/generation.ts';
import type { SocketSet } from '../../../src/runtime/sockets.ts';
import { FakeChild } from '../../helpers/fake-child.ts';

const listener = {
  address: { kind: 'unix', path: '/run/a.sock' },
  protocol: 'http',
} as Config['listeners'][number];
const log = (): void => undefined;

describe('runtime/generation', () => {
  let children: FakeChild[] = [];
  let generation: Generation;
  const make = (workers: number, mounts: string[] = ['/a', '/b'], maxRequests = 0): void => {
    const config = {
      workers,
      listeners: [listener],
      mounts: mounts.map((name) => ({ name, python: null })),
      recycle: { maxRequests, maxAge: 0, maxMemory: 0, jitter: 0 },
      timeouts: { graceful: 0 },
      user: null,
      group: null,
    } as Partial<Config> as Config;
    children = [];
    generation = new Generation({
      id: 1,
      loaded: { config } as LoadedConfig,
      sockets: { listeners: [listener], descriptors: [] } as Partial<SocketSet> as SocketSet,
      logs: { logger: { info: log, error: log } as never, errors: { add: log } },
      events: {
        spawned: log,
        serving: log,
        reported: log,
        gives: log,
        exited: log,
        python: { spawned: log, serving: log, exited: log },
      },
      startChild: (options) => {
        const child = new FakeChild(options);
        children.push(child);
        return child.asChild;
      },
    });
  };

  /** How boot() ended; "pending" where it has not. */
  const boot = (demand: Demand): { state: () => Promise<string> } => {
    let state = 'pending';
    generation.boot(demand).then(
      () => (state = 'booted'),
      (error: unknown) => (state = error instanceof BootError ? `apps: ${error.message}` : String(error)),
    );
    return {
      state: async () => {
        for (let turns = 0; turns < 5; turns += 1) await Promise.resolve();
        return state;
      },
    };
  };
  const told = (): string[][] => children.map((child) => child.told);

  describe('boot()', () => {
    it('starts nothing where a worker would be left without a Python thread', async () => {
      make(3);
      const python = { processes: 1, threads: 2 };
      generation.loaded.config.mounts.push({ name: '/py', python } as Config['mounts'][number]);
      const options = { id: 1, loaded: generation.loaded, sockets: generation.sockets };
      const logs = { logger: { info: log, error: log } as never, errors: { add: log } };
      const events = { spawned: log, serving: log, reported: log, gives: log, exited: log };
      const other = new Generation({
        ...options,
        logs,
        events: { ...events, python: { spawned: log, serving: log, exited: log } },
      });
      const outcome = await other.boot('any').catch((error: unknown) => String(error));
      expect(outcome).to.equal(
        'Error: Cannot serve mount /py: Expected a Python thread for each of 3 workers, found 2 (processes x threads)',
      );
      expect(other.children).to.deep.equal([]);
    });

    it('waits for every worker, and lets none serve before', async () => {
      make(3);
      const booting = boot('all');
      for (const child of children) {
        expect(await booting.state()).to.equal('pending');
        child.boots();
      }
      expect(await booting.state()).to.equal('booted');
      expect(told()).to.deep.equal([[], [], []]);
      const serving = generation.serve();
      expect(told()).to.deep.equal([['serve'], ['serve'], ['serve']]);
      for (const child of children) child.serves();
      await serving;
      expect(generation.unready).to.deep.equal([]);
    });

    it('of all: gives up at the first mount that fails, and kills every worker', async () => {
      make(2);
      const booting = boot('all');
      children[0]?.boots();
      children[1]?.boots('/b');
      expect(await booting.state()).to.equal('apps: an app did not boot\nmount /b: no');
      for (const child of children) expect(child.told).to.include('kill boot_error');
    });

    it('of all: gives up where a worker ends, whoever is to blame', async () => {
      for (const [culprit, why] of [
        ['/a', 'apps: an app did not boot\nmount /a: its worker ended'],
        [null, 'Error: Cannot start worker 0: it ended before it had loaded the apps'],
      ] as const) {
        make(2);
        const booting = boot('all');
        children[0]?.ends('boot_error', culprit);
        expect(await booting.state()).to.equal(why);
        expect(children).to.have.lengthOf(2);
      }
    });

    it('of any: goes on without the mounts that fail', async () => {
      make(2);
      const booting = boot('any');
      children[0]?.boots('/b');
      children[1]?.ends('boot_error', '/a');
      expect(await booting.state()).to.equal('pending');
      expect(children[2]?.skipped).to.deep.equal(['/a']);
      children[2]?.boots();
      expect(await booting.state()).to.equal('booted');
      void generation.serve();
      for (const child of children) if (child.state === 'starting') child.serves();
      expect(generation.unready).to.have.members([
        'mount /b did not boot: no',
        'mount /a did not boot: its worker ended',
      ]);
    });

    it('of any: gives up where no worker has any mount', async () => {
      make(2);
      const booting = boot('any');
      children[0]?.boots('/a', '/b');
      children[1]?.boots('/a', '/b');
      expect(await booting.state()).to.equal('apps: 2 apps did not boot\nmount /a: no\nmount /b: no');
    });
  });

  const serve = (...failed: string[]): void => {
    void boot('any');
    for (const child of children) child.boots(...failed);
    void generation.serve();
    for (const child of children) child.serves();
  };

  it('takes a replacement that lacks nothing the old one has, and drops others', () => {
    make(1, ['/a', '/b', '/c']);
    serve('/b');
    for (const [failed, verdict] of [
      [['/b'], 'kill boot_error'],
      [['/c'], 'kill boot_error'],
      [['/b', '/c'], 'kill boot_error'],
      [[], 'serve'],
    ] as const) {
      generation.tick(performance.now() + 60_000);
      const next = children.at(-1);
      next?.boots(...failed);
      expect(next?.told, failed.join()).to.deep.equal([verdict]);
      if (verdict !== 'serve') next?.ends('boot_error');
    }
  });

  it('replaces one worker at a time', () => {
    make(3, ['/a', '/b'], 10);
    serve();
    for (const child of children) child.stats = { requests: 10, inFlight: 0, heapUsed: 1 };
    for (let ticks = 0; ticks < 3; ticks += 1) generation.tick(performance.now());
    expect(children.slice(3).map(({ slot }) => slot)).to.deep.equal([0]);
    children[3]?.boots();
    children[3]?.serves();
    expect(children[0]?.told).to.deep.equal(['serve', 'drain max_requests']);
    generation.tick(performance.now());
    expect(children.slice(3).map(({ slot }) => slot)).to.deep.equal([0, 1]);
  });

  it('kills a worker that is silent, unless it is on its way out', () => {
    make(2);
    serve();
    for (const child of children) child.silent = true;
    if (children[1] !== undefined) children[1].state = 'draining';
    generation.tick(performance.now());
    expect(told()).to.deep.equal([['serve', 'kill stuck'], ['serve']]);
  });

  it('is not ready while every worker is stuck', () => {
    make(2);
    serve();
    const [one, other] = children;
    if (one === undefined || other === undefined) throw new Error('Two workers are wanted');
    one.quiet = true;
    expect(generation.unready).to.deep.equal([]);
    other.quiet = true;
    expect(generation.unready).to.deep.equal(['no worker is ready: all are stuck']);
    one.quiet = false;
    expect(generation.unready).to.deep.equal([]);
  });

  it('scales by one place, and never to none', () => {
    make(1);
    serve();
    expect(generation.scale(1)).to.equal(2);
    children[1]?.boots();
    children[1]?.serves();
    expect(generation.scale(-1)).to.equal(1);
    expect(children[1]?.told).to.deep.equal(['serve', 'drain scale_down']);
    expect(generation.scale(-1)).to.equal(1);
    expect(children[0]?.told).to.deep.equal(['serve']);
    expect(generation.children).to.have.lengthOf(2);
    children[1]?.ends('scale_down');
    expect(generation.children).to.have.lengthOf(1);
  });

  it('scales down by a place that does not serve, or is stuck, and fills it again first', () => {
    make(3);
    serve();
    children[0]?.ends();
    expect(generation.scale(-1)).to.equal(2);
    expect(generation.slots.map(({ index }) => index)).to.deep.equal([1, 2]);
    expect(children.slice(1).map((child) => child.told)).to.deep.equal([['serve'], ['serve']]);
    expect(generation.scale(1)).to.equal(3);
    expect(children[3]?.slot).to.equal(0);
    children[3]?.boots();
    children[3]?.serves();
    if (children[1] !== undefined) children[1].quiet = true;
    expect(generation.scale(-1)).to.equal(2);
    expect(children[1]?.told).to.deep.equal(['serve', 'drain scale_down']);
    expect(children[2]?.told).to.deep.equal(['serve']);
    expect(children[3]?.told).to.deep.equal(['serve']);
  });

  it('gives connections to its workers in turn, and to none that does not serve', () => {
    make(2);
    serve();
    const outboxes = children.map(({ outbox }) => outbox);
    const routed = [0, 1, 2].map(() => generation.route(listener)?.outbox);
    expect(new Set(routed)).to.deep.equal(new Set(outboxes));
    expect(generation.route({ ...listener, address: { kind: 'unix', path: '/run/b.sock' } })).to.equal(null);
    for (const child of children) child.state = 'draining';
    expect(generation.route(listener)).to.equal(null);
  });
});
