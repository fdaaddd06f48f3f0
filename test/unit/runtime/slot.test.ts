// A place for a worker, with workers that are none: who follows whom, when, and why.
import { expect } from 'chai';
import type { BootFailure } from '../../../src/runtime/boot.ts';
import type { ExitReason } from '../../../src/observe/supervisor-metrics.ts';
import { SLOT_TABLE, type Verdict } from '../../../src/runtime/slot.ts';
import { WorkerSlot, type WorkerSlotOwner } from '../../../src/runtime/worker-slot.ts';
import { FakeChild } from '../../helpers/fake-child.ts';
import { withFakeTimers } from '../../helpers/fake-timers.ts';

describe('runtime/slot', () => {
  let children: FakeChild[] = [];
  let verdict: Verdict = 'serve';
  let recycle = { maxRequests: 0, maxAge: 0, maxMemory: 0, jitter: 0 };
  let slot: WorkerSlot;
  const owner: WorkerSlotOwner = {
    spawn: (at, skip: readonly BootFailure[]) => {
      const child = new FakeChild({ slot: at.index, skip, owner: at });
      children.push(child);
      return child.asChild;
    },
    judge: () => verdict,
    failed: () => undefined,
    changed: () => undefined,
    serving: () => undefined,
    reported: () => undefined,
    gives: () => undefined,
    laneChanged: () => undefined,
    overdue: () => undefined,
    exited: () => undefined,
    retire: (child, reason: ExitReason) => child.drain(reason, 0, []),
    get recycle() {
      return recycle;
    },
  };
  beforeEach(() => {
    children = [];
    verdict = 'serve';
    recycle = { maxRequests: 0, maxAge: 0, maxMemory: 0, jitter: 0 };
    slot = new WorkerSlot(3, owner);
  });

  const child = (at: number): FakeChild => {
    const found = children[at];
    if (found === undefined) throw new Error(`Cannot find child ${at}: there are ${children.length}`);
    return found;
  };
  /** The place with a worker that serves. */
  const fill = (): FakeChild => {
    slot.start();
    child(0).boots();
    child(0).serves();
    return child(0);
  };

  it('has a table without dead ends: over can be reached from everywhere, and is the end', () => {
    for (const [state, row] of Object.entries(SLOT_TABLE)) {
      if (state !== 'over') expect(row.end, state).to.equal('over');
      for (const next of Object.values(row)) expect(SLOT_TABLE).to.have.property(next);
    }
    expect(SLOT_TABLE.over).to.deep.equal({});
  });

  it('tells a worker to serve once it has booted, unless it is to be held', () => {
    slot.start();
    expect(slot.state).to.equal('starting');
    verdict = 'hold';
    child(0).boots();
    expect(child(0).told).to.deep.equal([]);
    slot.serve();
    expect(child(0).told).to.deep.equal(['serve']);
    child(0).serves();
    expect(slot.state).to.equal('serving');
    expect(slot.current).to.equal(child(0).asChild);
  });

  it('starts the next one after a pause that grows, and is short again after one that was sound', async () => {
    await withFakeTimers(async (timers) => {
      fill();
      for (const [at, pause] of [200, 400, 800].entries()) {
        child(at).ends();
        expect(slot.state).to.equal('waiting');
        expect(slot.children).to.deep.equal([]);
        expect(timers.at(-1)?.delay).to.equal(pause);
        timers.at(-1)?.fire();
        child(at + 1).boots();
        child(at + 1).serves();
      }
      child(3).servingSince = performance.now() - 11_000;
      child(3).ends();
      expect(timers.at(-1)?.delay).to.equal(200);
      await Promise.resolve();
    });
  });

  it('takes a worker out before the mount that ended it, at once, and spares later ones that mount', async () => {
    await withFakeTimers(async (timers) => {
      slot.start();
      child(0).ends('boot_error', '/a');
      expect(child(1).skipped).to.deep.equal(['/a']);
      child(1).ends('boot_error', '/b');
      expect(child(2).skipped).to.deep.equal(['/a', '/b']);
      expect(timers).to.deep.equal([]);
      child(2).boots();
      child(2).serves();
      child(2).ends();
      timers[0]?.fire();
      expect(child(3).skipped).to.deep.equal(['/a', '/b']);
      await Promise.resolve();
    });
  });

  it('spares the worker after one that died the mounts which that did not have: the others are served at once', async () => {
    await withFakeTimers(async (timers) => {
      slot.start();
      child(0).boots('/hangs');
      child(0).serves();
      child(0).ends();
      timers[0]?.fire();
      expect(child(1).skipped).to.deep.equal(['/hangs']);
      child(1).boots();
      child(1).serves();
      expect(slot.due(performance.now() + 60_000)).to.equal('boot_error');
      await Promise.resolve();
    });
  });

  it('waits after a worker that ended for no reason that is known', async () => {
    await withFakeTimers(async (timers) => {
      slot.start();
      child(0).ends('boot_error');
      expect(slot.state).to.equal('waiting');
      expect(timers.map(({ delay }) => delay)).to.deep.equal([200]);
      await Promise.resolve();
    });
  });

  describe('replacing', () => {
    it('drains the old one when the new one serves, and not before', () => {
      const old = fill();
      slot.replace('max_age');
      expect(slot.state).to.equal('replacing');
      child(1).boots();
      expect(old.told).to.deep.equal(['serve']);
      expect(slot.current).to.equal(old.asChild);
      child(1).serves();
      expect(old.told).to.deep.equal(['serve', 'drain max_age']);
      expect(slot.children).to.deep.equal([child(1).asChild, old.asChild]);
      old.ends('max_age');
      expect(slot.children).to.deep.equal([child(1).asChild]);
      expect(slot.state).to.equal('serving');
    });

    it('keeps the old one where the new one is dropped or dies, and waits before it tries again', () => {
      const old = fill();
      recycle = { ...recycle, maxRequests: 1 };
      old.stats = { requests: 1, inFlight: 0, heapUsed: 1 };
      expect(slot.due(performance.now())).to.equal('max_requests');
      slot.replace('max_requests');
      verdict = 'drop';
      child(1).boots();
      expect(child(1).told).to.deep.equal(['kill boot_error']);
      child(1).ends('boot_error');
      expect(slot.state).to.equal('serving');
      expect(slot.current).to.equal(old.asChild);
      const now = performance.now();
      expect(slot.due(now)).to.equal(null);
      expect(slot.due(now + 200)).to.equal('max_requests');
    });

    it('fills the place with the new one where the old one dies meanwhile', () => {
      const old = fill();
      slot.replace('max_age');
      old.ends();
      expect(slot.state).to.equal('starting');
      child(1).boots();
      child(1).serves();
      expect(slot.state).to.equal('serving');
      expect(children).to.have.lengthOf(2);
    });

    it('is done once for a worker that is sent TERM again and again', () => {
      const old = fill();
      old.leaves();
      old.leaves();
      expect(children).to.have.lengthOf(2);
      child(1).boots();
      child(1).serves();
      expect(old.told.at(-1)).to.equal('drain signal');
    });

    it('tries every mount again', () => {
      slot.start();
      child(0).ends('boot_error', '/a');
      child(1).boots();
      child(1).serves();
      expect(slot.due(performance.now())).to.equal(null);
      expect(slot.due(performance.now() + 200)).to.equal('boot_error');
      slot.replace('boot_error');
      expect(child(2).skipped).to.deep.equal([]);
    });
  });

  describe('due()', () => {
    it('names the limit that is reached', () => {
      const old = fill();
      const now = performance.now();
      expect(slot.due(now)).to.equal(null);
      recycle = { maxRequests: 10, maxAge: 1000, maxMemory: 100, jitter: 0 };
      old.stats = { requests: 9, inFlight: 0, heapUsed: 1 };
      old.usage = { rss: 99, cpu: 0 };
      old.startedAt = now - 999;
      expect(slot.due(now)).to.equal(null);
      expect(slot.due(now + 1)).to.equal('max_age');
      old.usage = { rss: 100, cpu: 0 };
      expect(slot.due(now)).to.equal('max_memory');
      old.stats = { requests: 10, inFlight: 0, heapUsed: 1 };
      expect(slot.due(now)).to.equal('max_requests');
    });

    it('lowers the limits by a random part, one for each worker', () => {
      recycle = { maxRequests: 1000, maxAge: 0, maxMemory: 0, jitter: 0.5 };
      const reached = Array.from({ length: 20 }, (_, at) => {
        slot = new WorkerSlot(at, owner);
        children = [];
        const old = fill();
        let requests = 0;
        do old.stats = { requests: (requests += 1), inFlight: 0, heapUsed: 1 };
        while (slot.due(performance.now()) === null);
        return requests;
      });
      for (const requests of reached) expect(requests).to.be.within(500, 1000);
      expect(new Set(reached).size).to.be.greaterThan(1);
    });
  });

  it('is not filled again once it is given up', async () => {
    await withFakeTimers(async (timers) => {
      const old = fill();
      old.ends();
      slot.giveUp();
      expect(timers[0]?.cleared).to.equal(true);
      timers[0]?.fire();
      expect(children).to.have.lengthOf(1);
      expect(slot.state).to.equal('over');
      await Promise.resolve();
    });
  });
});
