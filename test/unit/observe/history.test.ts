// Samples, percentiles and rings: what the plots and figures of the status are made of.
import { expect } from 'chai';
import { History } from '../../../src/observe/history.ts';
import { DURATION_BUCKETS } from '../../../src/observe/histogram.ts';
import { MetricSlots } from '../../../src/observe/metric-slots.ts';
import { SAMPLES_KEPT } from '../../../src/observe/mount-history.ts';
import { quantile } from '../../../src/observe/quantile.ts';
import { Ring } from '../../../src/observe/ring.ts';

describe('observe/ring', () => {
  it('keeps the last ones, the oldest first, and gaps', () => {
    const ring = new Ring(3);
    expect(ring.list()).to.deep.equal([]);
    ring.push(1);
    ring.push(Number.NaN);
    expect(ring.list()).to.deep.equal([1, null]);
    for (const value of [2, 3.141_59, 123_456]) ring.push(value);
    expect(ring.list()).to.deep.equal([2, 3.142, 123_500]);
  });
});

describe('observe/quantile', () => {
  const counts = (...values: number[]): Float64Array => Float64Array.from(values);

  it('is linear within a bucket', () => {
    expect(quantile(counts(0, 10, 0, 0), [1, 3, 5], 0.5)).to.equal(2);
    expect(quantile(counts(5, 5, 0, 0), [1, 3, 5], 0.5)).to.equal(1);
    expect(quantile(counts(5, 5, 0, 0), [1, 3, 5], 0.9)).to.be.closeTo(2.6, 1e-9);
    expect(quantile(counts(4, 0, 0, 0), [1, 3, 5], 1)).to.equal(1);
  });

  it('is the highest bound beyond all of them, and nothing of nothing', () => {
    expect(quantile(counts(0, 0, 0, 7), [1, 3, 5], 0.5)).to.equal(5);
    expect(quantile(counts(0, 0, 0, 0), [1, 3, 5], 0.5)).to.equal(null);
  });
});

describe('observe/history', () => {
  let metrics: MetricSlots;
  let history: History;
  let now = 0;
  const serve = (mount: string, count: number, seconds: number, status = 200): void => {
    for (let each = 0; each < count; each += 1) {
      metrics.mount(mount).requestStarted();
      metrics.mount(mount).requestFinished('GET', status, seconds, 0, 0);
    }
  };
  const pass = (seconds: number): void => {
    for (let each = 0; each < seconds; each += 1) history.tick((now += 1000));
  };

  beforeEach(() => {
    now = 1000;
    metrics = new MetricSlots();
    metrics.mount('a');
    history = new History(metrics, now);
  });

  it('counts rates, percentiles and errors over the last seconds, now, not at the last sample', () => {
    serve('a', 98, 0.02);
    serve('a', 2, 0.2, 500);
    expect(history.mount('a', now + 2000)).to.deep.include({ requests: 100, rate: 50, error_share: 0.02 });
    const { p50_seconds: p50, p99_seconds: p99 } = history.mount('a', now + 2000);
    expect(p50).to.be.within(0.01, 0.025);
    expect(p99).to.be.within(0.1, 0.25);
    pass(7);
    expect(history.mount('a', now).rate).to.be.closeTo(100 / 7, 0.01);
    serve('a', 70, 0.02);
    expect(history.mount('a', now).rate).to.be.closeTo(170 / 7, 0.01);
    pass(20);
    expect(history.mount('a', now)).to.deep.include({
      requests: 170,
      rate: 0,
      p50_seconds: null,
      p99_seconds: null,
      error_share: null,
    });
  });

  it('has one value in five seconds, of the last 15 minutes', () => {
    serve('a', 10, 0.02, 503);
    pass(5);
    serve('a', 100, 0.02);
    pass(10);
    const { history: plots } = history.mount('a', now);
    expect(plots.rate).to.deep.equal([2, 20, 0]);
    expect(plots.error_share).to.deep.equal([1, 0, null]);
    pass(2000);
    expect(history.mount('a', now).history.rate).to.have.lengthOf(SAMPLES_KEPT);
    expect(SAMPLES_KEPT * plots.interval_seconds).to.equal(15 * 60);
  });

  it('has a gap where nobody looked', () => {
    pass(5);
    now += 60_000;
    history.tick(now);
    const { rate } = history.mount('a', now).history;
    expect(rate.slice(0, 2)).to.deep.equal([0, null]);
    expect(rate).to.have.lengthOf(13);
    expect(rate.at(-1)).to.equal(0);
  });

  it('keeps the most that ran and waited between two samples', () => {
    const mount = metrics.mount('a');
    mount.queued();
    mount.requestStarted();
    pass(1);
    mount.dequeued(1);
    mount.requestFinished('GET', 200, 1, 0, 0);
    pass(4);
    expect(history.mount('a', now).history).to.deep.include({ active: [1], queue_depth: [1] });
    expect(history.mount('a', now)).to.deep.include({ active: 0, queue_depth: 0 });
    expect(history.maxQueueDepth).to.equal(1);
  });

  it('adds all mounts up, those of no mount too, and never falls below 0 when one goes', () => {
    serve('a', 5, 0.02);
    serve('b', 10, 0.02);
    serve('', 5, 0.001, 404);
    expect(history.total(now + 1000)).to.deep.include({ requests: 20, rate: 20 });
    expect(history.unmatched(now + 1000)).to.deep.include({ requests: 5 });
    pass(5);
    metrics.retain(['a'], []);
    pass(5);
    expect(history.total(now)).to.deep.include({ rate: 0, requests: 10 });
    serve('b', 1, 0.02);
    expect(history.mount('b', now + 1000)).to.deep.include({ requests: 1 });
  });

  it('knows as many buckets as requests are counted in', () => {
    const buckets = new Float64Array(DURATION_BUCKETS.length + 1);
    serve('a', 1, 3600, 502);
    serve('a', 2, 0.001);
    expect(metrics.mount('a').addDurations(buckets)).to.equal(1);
    expect([buckets[0], buckets.at(-1)]).to.deep.equal([2, 1]);
  });
});
