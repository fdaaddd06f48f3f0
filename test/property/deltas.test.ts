// Workers count, take, send and die; the master adds up. Whatever the order: no counter of the master ever goes back,
// each is the sum of what reached it, and gauges are those of the living.
import { expect } from 'chai';
import * as fc from 'fast-check';
import type { Sample } from '../../src/observe/family.ts';
import { MetricSlots } from '../../src/observe/metric-slots.ts';
import { ABORT_PHASES, SHED_REASONS } from '../../src/observe/mount-metrics.ts';
import { check } from './count.ts';

const MOUNTS = ['api', 'shop', ''];
const LISTENERS = ['unix:run/a.sock', '127.0.0.1:9000'];
const REASONS = ['truncated', 'tls', 'bad_version'];
const PLACES = 3;

type Count = (slots: MetricSlots) => void;
type Step =
  | { readonly does: 'count'; readonly place: number; readonly count: Count }
  | { readonly does: 'take' | 'arrive'; readonly place: number }
  /** `arrives`: how many of the deltas under way still reach the master. */
  | { readonly does: 'die'; readonly place: number; readonly arrives: number };

type Numbers = Map<string, number>;

/** A worker process as the test sees it. */
interface Process {
  readonly key: number;
  readonly slots: MetricSlots;
  taken: Numbers;
  underWay: { readonly delta: string; readonly added: Numbers; readonly gauges: Numbers }[];
  /** Those the master has. */
  gauges: Numbers;
}

const mount = fc.constantFrom(...MOUNTS);
const listener = fc.constantFrom(...LISTENERS);
// Sums of these are exact, in whatever order they are made
const seconds = fc.integer({ min: 0, max: 90 * 1024 }).map((units) => units / 1024);
const bytes = fc.nat(1_000_000);
const method = fc.constantFrom('GET', 'POST', 'DELETE', 'BREW');

const count: fc.Arbitrary<Count> = fc.oneof(
  fc
    .tuple(mount, method, fc.integer({ min: 99, max: 600 }), seconds, bytes)
    .map(([name, ...rest]) => (slots: MetricSlots) => {
      slots.mount(name).requestStarted();
      slots.mount(name).requestFinished(...rest, 7);
    }),
  mount.map((name) => (slots: MetricSlots) => slots.mount(name).requestStarted()),
  mount.map((name) => (slots: MetricSlots) => slots.mount(name).queued()),
  fc.tuple(mount, seconds).map(([name, wait]) => (slots: MetricSlots) => {
    slots.mount(name).queued();
    slots.mount(name).dequeued(wait);
  }),
  fc
    .tuple(mount, fc.constantFrom(...SHED_REASONS), fc.constantFrom(...ABORT_PHASES))
    .map(([name, reason, phase]) => (slots: MetricSlots) => {
      slots.mount(name).shed(reason);
      slots.mount(name).aborted(phase);
      slots.mount(name).timedOut();
    }),
  listener.map((label) => (slots: MetricSlots) => slots.listener(label, 'auto').accepted()),
  fc.tuple(listener, fc.constantFrom('fastcgi', 'auto'), fc.constantFrom(...REASONS)).map(
    ([label, protocol, reason]) =>
      (slots: MetricSlots) =>
        slots.listener(label, 'auto').protocolError(reason, protocol),
  ),
);

const place = fc.nat(PLACES - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ does: fc.constant('count'), place, count }) },
  { weight: 3, arbitrary: fc.record({ does: fc.constantFrom('take', 'arrive'), place }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant('die'), place, arrives: fc.nat(3) }) },
);

function makeSlots(): MetricSlots {
  const slots = new MetricSlots({ errorReasons: REASONS });
  for (const name of MOUNTS) slots.mount(name);
  for (const label of LISTENERS) slots.listener(label, 'auto');
  return slots;
}

function numbersOf(samples: Iterable<Sample>): Numbers {
  const numbers: Numbers = new Map();
  for (const { metricName, labels, sharedLabels, value } of samples)
    if (value !== 0) numbers.set(JSON.stringify([metricName, { ...sharedLabels, ...labels }]), value);
  return numbers;
}

function countersOf(slots: MetricSlots): Numbers {
  const ofMounts = [...slots.mounts].flatMap((each) => [
    ...each.durationSamples('duration'),
    ...each.requestSamples(),
    ...each.queueWaitSamples('wait'),
    ...each.shedSamples(),
    ...each.abortedSamples(),
    ...[each.bytesIn, each.bytesOut, each.timeouts].map((value, total) => ({
      labels: { mount: each.name, total },
      value,
    })),
  ]);
  const ofListeners = [...slots.listeners].flatMap((each) => [
    ...each.errorSamples(),
    { labels: { accepted: each.label }, value: each.acceptedTotal },
  ]);
  return numbersOf([...ofMounts, ...ofListeners]);
}

function gaugesOf(slots: MetricSlots): Numbers {
  const ofMounts = [...slots.mounts].flatMap(({ name, active, queueDepth }) => [
    { labels: { active: name }, value: active },
    { labels: { queue: name }, value: queueDepth },
  ]);
  return numbersOf([...ofMounts, ...[...slots.listeners].flatMap((each) => each.stateSamples())]);
}

function combine(a: Numbers, b: Numbers, sign: 1 | -1 = 1): Numbers {
  const result = new Map(a);
  for (const [key, value] of b) {
    const combined = (result.get(key) ?? 0) + sign * value;
    if (combined === 0) result.delete(key);
    else result.set(key, combined);
  }
  return result;
}

const inOrder = (numbers: Numbers): unknown => [...numbers].toSorted(([a], [b]) => (a < b ? -1 : 1));

/** The processes, the master, and what the master should have. */
class Model {
  readonly master = makeSlots();
  expected: Numbers = new Map();
  #lastKey = 0;
  readonly #places: Process[] = Array.from({ length: PLACES }, () => this.#spawn());

  run(each: Step): void {
    const process = this.#places[each.place];
    if (process === undefined) return;
    if (each.does === 'count') each.count(process.slots);
    if (each.does === 'take') this.#take(process);
    if (each.does === 'arrive') this.#arrive(process);
    if (each.does === 'die') {
      for (let i = 0; i < each.arrives; i++) this.#arrive(process);
      this.master.forgetSlot(process.key);
      this.#places[each.place] = this.#spawn();
    }
  }

  get gauges(): Numbers {
    return this.#places.reduce((sum, { gauges }) => combine(sum, gauges), new Map<string, number>());
  }

  /** Everything a living worker still has reaches the master. */
  settle(): void {
    for (const process of this.#places) {
      this.#take(process);
      while (process.underWay.length > 0) this.#arrive(process);
    }
  }

  #spawn(): Process {
    const none: Numbers = new Map();
    return { key: this.#lastKey++, slots: makeSlots(), taken: none, underWay: [], gauges: none };
  }

  #take(process: Process): void {
    const delta = JSON.stringify(process.slots.takeDelta());
    const now = countersOf(process.slots);
    process.underWay.push({
      delta,
      added: combine(now, process.taken, -1),
      gauges: gaugesOf(process.slots),
    });
    process.taken = now;
  }

  #arrive(process: Process): void {
    const first = process.underWay.shift();
    if (first === undefined) return;
    expect(this.master.applyDelta(process.key, JSON.parse(first.delta))).to.equal(0);
    this.expected = combine(this.expected, first.added);
    process.gauges = first.gauges;
  }
}

describe('properties of the deltas between workers and master', function () {
  this.timeout(60_000);

  it('counters never go back and are the sum of what arrived; gauges are those of the living', () => {
    check(fc.array(step, { maxLength: 60 }), 300, (steps) => {
      const model = new Model();
      let before: Numbers = new Map();
      for (const each of steps) {
        model.run(each);
        const counters = countersOf(model.master);
        for (const [key, value] of before) expect(counters.get(key), key).to.be.at.least(value);
        before = counters;
      }
      model.settle();
      expect(inOrder(countersOf(model.master))).to.deep.equal(inOrder(model.expected));
      expect(inOrder(gaugesOf(model.master))).to.deep.equal(inOrder(model.gauges));
    });
  });
});
