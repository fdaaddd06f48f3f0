// Metrics of apps, from prom-client in workers to the text of the master. The channel between them is a structured clone.
import { expect } from 'chai';
import { Counter, Gauge, Histogram, Registry, Summary } from 'prom-client';
import { AppCollector, type AppRegistry } from '../../../src/observe/app-collector.ts';
import { DroppedSeries, seriesKey } from '../../../src/observe/app-metrics.ts';
import { Metrics } from '../../../src/observe/metrics.ts';
import { scrape, seriesCount, value } from './scrape.ts';

interface AppWorker {
  readonly key: number;
  readonly registry: Registry;
  readonly collector: AppCollector;
  readonly dropped: DroppedSeries;
  readonly warnings: string[];
}

let last = 0;

function makeWorker({ limit = 500, registries = [new Registry()] as Registry[] } = {}): AppWorker {
  const warnings: string[] = [];
  const dropped = new DroppedSeries();
  const collector = new AppCollector({
    registries: () => registries,
    limit,
    dropped,
    warn: (message) => warnings.push(message),
  });
  return { key: (last += 1), registry: registries[0] ?? new Registry(), collector, dropped, warnings };
}

/** What a worker has to say reaches the master. */
async function report(worker: AppWorker, master: Metrics, isAsked = true): Promise<number> {
  const deltas = (await worker.collector.collect(isAsked)) ?? [];
  return master.applyDelta(worker.key, JSON.parse(JSON.stringify(deltas)));
}

const help = 'h';

describe('observe/app-metrics', () => {
  let master: Metrics;
  let a: AppWorker;
  let b: AppWorker;
  beforeEach(() => {
    master = new Metrics();
    [a, b] = [makeWorker(), makeWorker()];
  });
  const both = async (): Promise<void> => {
    for (const worker of [a, b]) expect(await report(worker, master)).to.equal(0);
  };

  it('adds counters up over the workers, and keeps what a dead one had counted', async () => {
    const counters = [a, b].map(
      ({ registry }) =>
        new Counter({ name: 'orders_total', help, labelNames: ['country'], registers: [registry] }),
    );
    counters[0]?.inc({ country: 'NL' }, 3);
    counters[1]?.inc({ country: 'NL' }, 4);
    counters[1]?.inc({ country: 'a"\n\\' }, 1);
    await both();
    expect(await value(master, 'orders_total', { country: 'NL' })).to.equal(7);
    expect(await value(master, 'orders_total', { country: 'a"\n\\' })).to.equal(1);
    counters[0]?.inc({ country: 'NL' }, 2);
    await both();
    master.forgetSlot(a.key);
    expect(await value(master, 'orders_total', { country: 'NL' })).to.equal(9);
    const next = makeWorker();
    new Counter({ name: 'orders_total', help, labelNames: ['country'], registers: [next.registry] }).inc({
      country: 'NL',
    });
    await report(next, master);
    expect(await value(master, 'orders_total', { country: 'NL' })).to.equal(10);
  });

  it('has a counter at 0 before it counts', async () => {
    const counter = new Counter({ name: 'orders_total', help: 'Orders made', registers: [] });
    a.registry.registerMetric(counter);
    await report(a, master);
    const family = (await scrape(master)).get('orders_total');
    expect(family).to.deep.equal({
      name: 'orders_total',
      type: 'counter',
      help: 'Orders made',
      samples: [{ name: 'orders_total', labels: {}, value: 0 }],
    });
  });

  it('goes on where the app resets a counter or removes a series', async () => {
    const counter = new Counter({ name: 'c_total', help, labelNames: ['l'], registers: [a.registry] });
    counter.inc({ l: 'x' }, 5);
    await report(a, master);
    counter.reset();
    await report(a, master);
    expect(await value(master, 'c_total', { l: 'x' })).to.equal(5);
    counter.inc({ l: 'x' }, 2);
    await report(a, master);
    expect(await value(master, 'c_total', { l: 'x' })).to.equal(7);
    counter.reset();
    counter.inc({ l: 'x' });
    await report(a, master);
    expect(await value(master, 'c_total', { l: 'x' })).to.equal(8);
  });

  it('adds histograms up, bucket by bucket', async () => {
    const make = ({ registry }: AppWorker): Histogram =>
      new Histogram({ name: 'took', help, buckets: [0.1, 1], labelNames: ['step'], registers: [registry] });
    const [first, second] = [make(a), make(b)];
    first.observe({ step: 's' }, 0.05);
    first.observe({ step: 's' }, 5);
    second.observe({ step: 's' }, 0.5);
    second.observe({ step: 't' }, 0.5);
    await both();
    first.observe({ step: 's' }, 0.5);
    await both();
    const samples = (await scrape(master))
      .get('took')
      ?.samples.filter(({ labels }) => labels['step'] === 's');
    expect(samples?.map(({ name, labels, value: is }) => [name, labels['le'], is])).to.deep.equal([
      ['took_bucket', '0.1', 1],
      ['took_bucket', '1', 3],
      ['took_bucket', '+Inf', 4],
      ['took_sum', undefined, 6.05],
      ['took_count', undefined, 4],
    ]);
    expect(await value(master, 'took_count', { step: 't' })).to.equal(1);
  });

  it('takes negative observations: only the sum falls', async () => {
    const took = new Histogram({ name: 'drift', help, buckets: [-1, 0], registers: [a.registry] });
    await report(a, master);
    took.observe(-3);
    expect(await report(a, master)).to.equal(0);
    expect(await value(master, 'drift_sum')).to.equal(-3);
    expect(await value(master, 'drift_bucket', { le: '-1' })).to.equal(1);
  });

  it('has of a summary its count and its sum', async () => {
    const make = ({ registry }: AppWorker): Summary =>
      new Summary({ name: 'size', help, registers: [registry] });
    const [first, second] = [make(a), make(b)];
    first.observe(3);
    second.observe(4);
    await both();
    const family = (await scrape(master)).get('size');
    expect(family?.type).to.equal('summary');
    expect(family?.samples.map(({ name, value: is }) => [name, is])).to.deep.equal([
      ['size_sum', 7],
      ['size_count', 2],
    ]);
  });

  const modes = { sum: 12, first: 2, min: 2, max: 7, average: 4 } as const;
  for (const [aggregator, wanted] of Object.entries(modes)) {
    it(`makes one number of gauges by "${aggregator}"`, async () => {
      const workers = [makeWorker(), makeWorker(), makeWorker()];
      for (const [at, worker] of workers.entries()) {
        new Gauge({
          name: 'level',
          help,
          aggregator: aggregator as keyof typeof modes,
          registers: [worker.registry],
        }).set([2, 3, 7][at] ?? 0);
        await report(worker, master);
      }
      expect(await value(master, 'level')).to.equal(wanted);
    });
  }

  it('leaves out what is to be omitted', async () => {
    new Gauge({ name: 'level', help, aggregator: 'omit', registers: [a.registry] }).set(1);
    await report(a, master);
    expect((await scrape(master)).has('level')).to.equal(false);
  });

  it('ends gauges with their worker, and where the app removes them', async () => {
    const make = ({ registry }: AppWorker): Gauge =>
      new Gauge({ name: 'level', help, labelNames: ['l'], registers: [registry] });
    const [first, second] = [make(a), make(b)];
    first.set({ l: 'x' }, 1);
    first.set({ l: 'y' }, -5);
    second.set({ l: 'x' }, 10);
    await both();
    expect(await value(master, 'level', { l: 'x' })).to.equal(11);
    first.remove('y');
    await both();
    expect(await value(master, 'level', { l: 'y' })).to.equal(undefined);
    master.forgetSlot(b.key);
    expect(await value(master, 'level', { l: 'x' })).to.equal(1);
    master.forgetSlot(a.key);
    expect((await scrape(master)).has('level')).to.equal(false);
  });

  it('gives the labels that the registry has for all', async () => {
    a.registry.setDefaultLabels({ app: 'shop', l: 'default' });
    new Counter({ name: 'c_total', help, labelNames: ['l'], registers: [a.registry] }).inc({ l: 'own' });
    new Histogram({ name: 'h', help, buckets: [1], registers: [a.registry] }).observe(1);
    await report(a, master);
    expect(await value(master, 'c_total', { app: 'shop', l: 'own' })).to.equal(1);
    expect(await value(master, 'h_count', { app: 'shop', l: 'default' })).to.equal(1);
  });

  it('adds up what several registries of a worker call by one name', async () => {
    const registries = [new Registry(), new Registry()];
    const worker = makeWorker({ registries });
    const [first, second] = registries.map(
      (registry) => new Counter({ name: 'c_total', help, registers: [registry] }),
    );
    const gauges = registries.map((registry) => new Gauge({ name: 'g', help, registers: [registry] }));
    for (const gauge of gauges) gauge.set(2);
    first?.inc(1);
    second?.inc(10);
    await report(worker, master);
    second?.inc(100);
    await report(worker, master);
    expect(await value(master, 'c_total')).to.equal(111);
    expect(await value(master, 'g')).to.equal(4);
  });

  it('shows a gauge that is no number as such', async () => {
    new Gauge({ name: 'g', help, registers: [a.registry] }).set(NaN);
    expect(await report(a, master)).to.equal(0);
    expect(await value(master, 'g')).to.satisfy(Number.isNaN);
  });

  it('sends nothing while nothing changes', async () => {
    new Gauge({ name: 'g', help, registers: [a.registry] }).set(NaN);
    new Counter({ name: 'c_total', help, registers: [a.registry] }).inc();
    expect(await a.collector.collect(true)).to.have.lengthOf(2);
    expect(await a.collector.collect(true)).to.deep.equal([]);
    expect(makeWorker({ registries: [] }).collector.collect(true)).to.equal(null);
  });

  describe('metrics with a collect() of their own', () => {
    it('are read when somebody asks, and keep their places', async () => {
      let calls = 0;
      const collect = (): void => void (calls += 1);
      a.registry.registerMetric(new Gauge({ name: 'g', help, registers: [], collect }));
      await report(a, master, false);
      expect(calls).to.equal(0);
      await report(a, master);
      expect(calls).to.equal(1);
    });

    it('cost the others nothing where they hang or fail', async () => {
      let calls = 0;
      const never = (): Promise<void> => {
        calls += 1;
        return new Promise(() => undefined);
      };
      const counter = new Counter({ name: 'c_total', help, registers: [a.registry] });
      a.registry.registerMetric(new Gauge({ name: 'hangs', help, registers: [], collect: never }));
      const fails = (): void => {
        throw new Error('no database');
      };
      a.registry.registerMetric(new Gauge({ name: 'fails', help, registers: [], collect: fails }));
      for (let n = 1; n <= 3; n += 1) {
        counter.inc();
        await report(a, master);
        expect(await value(master, 'c_total')).to.equal(n);
      }
      expect(calls).to.equal(1);
      expect(a.warnings).to.deep.equal(['Cannot read metric "fails" of an app: Error: no database']);
    });
  });

  describe('the bounds', () => {
    const droppedOf = (reason: string): Promise<number | undefined> =>
      value(master, 'viaduct_app_series_dropped_total', { reason });

    it('leave out series beyond the limit of a worker, count them once, and say so once', async () => {
      const worker = makeWorker({ limit: 100 });
      const counter = new Counter({
        name: 'c_total',
        help,
        labelNames: ['id'],
        registers: [worker.registry],
      });
      for (let id = 0; id < 5000; id += 1) counter.inc({ id: String(id) });
      for (let n = 0; n < 3; n += 1) await report(worker, master);
      expect((await scrape(master)).get('c_total')?.samples.length).to.equal(100);
      expect(worker.dropped.samples().map((each) => each.value)).to.deep.equal([4900, 0, 0]);
      expect(worker.warnings).to.have.lengthOf(1);
      expect(worker.warnings[0]).to.include('4900 of them are left out: there may be 100');
      // Those that have their place keep it.
      counter.inc({ id: '7' });
      await report(worker, master);
      expect(await value(master, 'c_total', { id: '7' })).to.equal(2);
    });

    it('hold for all workers together in the master', async () => {
      master.apps.limit = 100;
      for (let n = 0; n < 4; n += 1) {
        const worker = makeWorker();
        const gauge = new Gauge({ name: 'g', help, labelNames: ['id'], registers: [worker.registry] });
        for (let id = 0; id < 50; id += 1) gauge.set({ id: `${n}-${id}` }, 1);
        await report(worker, master);
      }
      expect((await scrape(master)).get('g')?.samples.length).to.equal(100);
      expect(await droppedOf('limit')).to.equal(100);
    });

    it('make room again for what nobody has had for ten minutes', async () => {
      master.apps.limit = 1;
      const key = seriesKey({ l: 'old' }, 'counter');
      const told = (l: string): Record<string, unknown> => ({
        kind: 'app',
        source: 0,
        name: 'c_total',
        help,
        type: 'counter',
        aggregator: 'sum',
        bounds: [],
        series: [[seriesKey({ l }, 'counter'), 1]],
        gone: [],
      });
      expect(key).to.equal('[["l","old"]]');
      master.apps.apply(1, told('old'), 0);
      master.apps.forget(1, 1000);
      master.apps.apply(2, told('new'), 60_000);
      expect(await value(master, 'c_total', { l: 'old' })).to.equal(1);
      expect(await droppedOf('limit')).to.equal(1);
      master.apps.apply(2, told('new'), 1000 + 11 * 60_000);
      expect(await value(master, 'c_total', { l: 'old' })).to.equal(undefined);
      expect(await value(master, 'c_total', { l: 'new' })).to.equal(1);
    });

    it('refuse names of ours with a line, and those of default metrics without one', async () => {
      const taken = [
        'viaduct_requests_total',
        'http_server_active_requests',
        'viaduct_mine',
        'process_cpu_seconds_total',
        'nodejs_heap',
      ];
      for (const name of taken) new Gauge({ name, help, registers: [a.registry] }).set(5);
      const before = await seriesCount(master);
      expect(await report(a, master)).to.equal(0);
      expect(await seriesCount(master)).to.equal(before);
      expect(a.warnings).to.have.lengthOf(3);
      expect(a.warnings[0]).to.equal(
        'Metric "viaduct_requests_total" of an app is left out: names that begin so belong to viaduct',
      );
      expect(a.dropped.samples().find(({ labels }) => labels['reason'] === 'name')?.value).to.equal(3);
    });

    it('keep one name for one thing in a worker', async () => {
      const registries = [new Registry(), new Registry()];
      const worker = makeWorker({ registries });
      const [first, second] = registries;
      if (first === undefined || second === undefined) throw new Error('There are two');
      new Counter({ name: 'thing', help, registers: [first] }).inc(3);
      new Gauge({ name: 'thing', help, registers: [second] }).set(8);
      await report(worker, master);
      expect(await value(master, 'thing')).to.equal(3);
      expect(await droppedOf('invalid')).to.equal(1);
    });

    it('let a newer worker make another thing of a name', async () => {
      const counter = new Counter({ name: 'thing', help, registers: [a.registry] });
      counter.inc(3);
      await report(a, master);
      new Gauge({ name: 'thing', help, registers: [b.registry] }).set(8);
      await report(b, master);
      counter.inc();
      await report(a, master);
      expect((await scrape(master)).get('thing')?.type).to.equal('gauge');
      expect(await value(master, 'thing')).to.equal(8);
    });
  });

  describe('a worker that lies', () => {
    const good = {
      kind: 'app',
      source: 0,
      name: 'm_total',
      help,
      type: 'counter',
      aggregator: 'sum',
      bounds: [],
      series: [['[]', 1]],
      gone: [],
    };
    const lies: readonly (readonly [string, object])[] = [
      ['a name of ours', { name: 'viaduct_requests_total' }],
      ['a name of the default metrics', { name: 'process_cpu_seconds_total' }],
      ['a name that breaks the text', { name: 'a{b="c"} 1\nd' }],
      ['no name', { name: null }],
      ['an unknown type', { type: 'untyped' }],
      ['bounds that do not rise', { type: 'histogram', bounds: [1, 1], series: [['[]', 1, 1, 1, 1]] }],
      ['bounds without end', { type: 'histogram', bounds: Array.from({ length: 1000 }, (_, at) => at) }],
      ['a negative increment', { series: [['[]', -1]] }],
      ['an endless increment', { series: [['[]', Infinity]] }],
      ['no number', { series: [['[]', 'x']] }],
      ['too many numbers', { series: [['[]', 1, 2]] }],
      ['labels that are none', { series: [['{"a":1}', 1]] }],
      ['labels that break the text', { series: [['[["a b","c"]]', 1]] }],
      ['a label value that is no text', { series: [['[["a",1]]', 1]] }],
      ['an endless label value', { series: [[`[["a","${'x'.repeat(2000)}"]]`, 1]] }],
      ['a histogram with its own le', { type: 'histogram', bounds: [], series: [['[["le","1"]]', 1, 1]] }],
      ['no series', { series: null, name: 'viaduct_x' }],
    ];
    for (const [what, lie] of lies) {
      it(`gets nothing in with ${what}`, async () => {
        const before = [...(await scrape(master)).keys()];
        expect(master.applyDelta(1, [{ ...good, ...lie }])).to.be.greaterThan(0);
        const after = await scrape(master);
        const samples = [...after]
          .filter(([name]) => !before.includes(name))
          .flatMap(([, family]) => family.samples);
        expect(samples).to.deep.equal([]);
      });
    }

    it('would get in without the lie', async () => {
      expect(master.applyDelta(1, [good])).to.equal(0);
      expect(await value(master, 'm_total')).to.equal(1);
    });
  });

  it('takes no registry for more than it is', async () => {
    const odd: AppRegistry[] = [
      { getMetricsAsArray: () => null },
      {
        getMetricsAsArray: () => {
          throw new Error('odd');
        },
      },
      { getMetricsAsArray: () => [null, 1, {}, { name: 'x' }, { name: 'y', get: () => ({}) }] },
    ];
    const collector = new AppCollector({
      registries: () => odd,
      limit: 5,
      dropped: new DroppedSeries(),
      warn: () => undefined,
    });
    expect(await collector.collect(true)).to.deep.equal([]);
  });

  it('calls a counter without _total the same in both formats', async () => {
    new Counter({ name: 'logins', help, registers: [a.registry] }).inc();
    await report(a, master);
    expect((await master.render()).text).to.contain('# TYPE logins counter\nlogins 1\n');
    const { text } = await master.render('application/openmetrics-text');
    expect(text).to.contain('# TYPE logins unknown\nlogins 1\n');
  });
});
