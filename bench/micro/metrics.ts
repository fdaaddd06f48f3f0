// What one request costs in metrics: our slots beside prom-client's own inc() and observe(). And what it costs to get
// them from the workers to the master, and from there to a scraper.
// Build, then: node dist/bench/micro/metrics.js
//
// Node 20.20.2, a shared Xeon core at 3.4 GHz, three runs: requestStarted + requestFinished 14 to 17 ns, prom-client's
// inc + observe 750 to 830 ns (47 to 60 times as much), the histogram alone 3.6 ns.
// Lowest of three runs beside other work: takeDelta with nothing new 81 to 88 microseconds for 20 mounts of four methods
// each, with something new for each some 100 (14 kB as JSON); applyDelta of that 18.5 to 19.5. All calls of a hello: 22 to 28 ns.
// The text of a scrape, 620 kB: 5 to 7.5 ms of CPU by process.cpuUsage(), beside other work; prom-client's own writer 9 to 12.
import { bench, do_not_optimize, summary } from 'mitata';
import { Counter, Histogram, Registry } from 'prom-client';
import { DURATION_BUCKETS, SlotHistogram } from '../../src/observe/histogram.ts';
import { MetricSlots } from '../../src/observe/metric-slots.ts';
import { Metrics } from '../../src/observe/metrics.ts';
import { SupervisorMetrics } from '../../src/observe/supervisor-metrics.ts';
import { runNamed } from './run-named.ts';

// Methods as they come in: cut from a buffer, so not interned.
const block = Buffer.from('GETGETGETGETPOSTGETHEADGET', 'latin1');
const cuts: readonly [number, number][] = [
  [0, 3],
  [3, 6],
  [6, 9],
  [9, 12],
  [12, 16],
  [16, 19],
  [19, 23],
  [23, 26],
];
const methods = cuts.map(([start, end]) => block.toString('latin1', start, end));
const seconds = [0.0004, 0.002, 0.011, 0.0007, 0.09, 0.003, 0.0001, 0.4];

const mount = new MetricSlots().mount('bench');
const histogram = new SlotHistogram(DURATION_BUCKETS);

const registers = [new Registry()];
const requests = new Counter({
  name: 'requests_total',
  help: 'h',
  labelNames: ['mount', 'method', 'code'],
  registers,
});
const durations = new Histogram({
  name: 'duration_seconds',
  help: 'h',
  labelNames: ['mount', 'method', 'status_class'],
  buckets: [...DURATION_BUCKETS],
  registers,
});

let turn = 0;
const next = (): number => (turn = (turn + 1) & 7);

summary(() => {
  bench('slots: requestStarted + requestFinished', () => {
    const i = next();
    mount.requestStarted();
    mount.requestFinished(methods[i] ?? '', 200, seconds[i] ?? 0, 0, 848);
  });
  bench('prom-client: inc + observe', () => {
    const i = next();
    const method = methods[i] ?? '';
    requests.inc({ mount: 'bench', method, code: 200 });
    durations.observe({ mount: 'bench', method, status_class: '2xx' }, seconds[i] ?? 0);
  });
});
// As transport/connection.ts and gateway/call.ts do it for a request on a connection that is kept.
const listener = new MetricSlots().listener('unix:run/a.sock', 'fastcgi');
listener.accepted();
bench('metrics of a hello', () => {
  const i = next();
  listener.moved('idle', 'reading');
  listener.moved('reading', 'active');
  mount.requestStarted();
  mount.requestFinished(methods[i] ?? '', 200, seconds[i] ?? 0, 0, 14);
  listener.moved('active', 'idle');
});
bench('slots: histogram alone', () => {
  histogram.observe(seconds[next()] ?? 0);
});

// What a worker sends every second and the master adds up: 20 mounts, four methods with three codes each.
const MOUNTS = Array.from({ length: 20 }, (_, at) => `mount-${at}`);
const LISTENERS = ['unix:run/a.sock', 'unix:run/b.sock'];
const SLOTS = 64;

function countEverywhere(slots: MetricSlots): void {
  for (const name of MOUNTS) {
    for (const method of ['GET', 'HEAD', 'POST', 'DELETE']) {
      for (const status of [200, 304, 404]) {
        for (const time of seconds) {
          slots.mount(name).requestStarted();
          slots.mount(name).requestFinished(method, status, time, 10, 848);
        }
      }
    }
  }
  for (const label of LISTENERS) slots.listener(label, 'fastcgi').accepted();
}

function prepare<T extends MetricSlots>(slots: T): T {
  for (const name of MOUNTS) slots.mount(name);
  for (const label of LISTENERS) slots.listener(label, 'fastcgi');
  return slots;
}

const idle = prepare(new MetricSlots());
countEverywhere(idle);
idle.takeDelta();
bench('takeDelta, 20 mounts, nothing new', () => do_not_optimize(idle.takeDelta()));

const busy = prepare(new MetricSlots());
bench('20 mounts, 1920 requests: counting alone', () => countEverywhere(busy));
bench('20 mounts, 1920 requests: counting and takeDelta', () => {
  countEverywhere(busy);
  do_not_optimize(busy.takeDelta());
});

countEverywhere(busy);
const delta = busy.takeDelta();
const master = prepare(new Metrics());
const workers = Array.from({ length: SLOTS }, (_, slot) => ({
  kind: 'node' as const,
  slot,
  state: 'ready' as const,
  residentBytes: 6e7,
  cpuSeconds: 12.5,
  statsAge: 0.5,
  heapUsed: 1.2e7,
}));
const supervisor = new SupervisorMetrics(master.registry, {
  workers: () => workers,
  mounts: () => MOUNTS.map((name) => ({ mount: name, state: 'ready' as const })),
  places: () => ({ node: SLOTS, python: 0 }),
  generation: () => 1,
});
for (const { kind } of workers) supervisor.spawned(kind);
let slot = 0;
bench(`applyDelta of that, ${JSON.stringify(delta).length} bytes as JSON`, () => {
  master.applyDelta((slot = (slot + 1) % SLOTS), delta);
});
for (const { slot: at } of workers) master.applyDelta(at, delta);
bench('render, 20 mounts, 64 slots', async () => do_not_optimize(await master.render()));

if (process.argv[2] === undefined)
  console.log(`The text of that render: ${(await master.render()).text.length} bytes`);
await runNamed();
