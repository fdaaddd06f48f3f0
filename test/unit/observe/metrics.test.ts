import { expect } from 'chai';
import { writeFamilies } from '../../../src/observe/exposition.ts';
import { Metrics } from '../../../src/observe/metrics.ts';
import { wantsOpenMetrics } from '../../../src/observe/render.ts';
import { parseExposition } from './exposition.ts';
import { scrape, seriesCount, value } from './scrape.ts';

describe('observe/metrics', () => {
  it('writes text that a strict reader takes, HELP and TYPE once a name', async () => {
    const metrics = new Metrics({ version: '1.2.3' });
    metrics.mount('api').requestStarted();
    metrics.mount('api').requestFinished('GET', 200, 0.02, 1, 2);
    metrics.listener('unix:run/a.sock', 'fastcgi').protocolError('bad_version');
    const { text, contentType } = await metrics.render();
    expect(contentType).to.equal('text/plain; version=0.0.4; charset=utf-8');
    const families = parseExposition(text);
    expect([...families.keys()]).to.include.members([
      'http_server_request_duration_seconds',
      'viaduct_requests_total',
      'http_server_active_requests',
      'viaduct_queue_depth',
      'viaduct_queue_wait_seconds',
      'viaduct_queue_limit',
      'viaduct_queue_oldest_age_seconds',
      'viaduct_slow_requests_total',
      'viaduct_request_timeouts_total',
      'viaduct_log_lines_dropped_total',
      'viaduct_requests_shed_total',
      'viaduct_requests_aborted_total',
      'viaduct_request_body_bytes_total',
      'viaduct_response_body_bytes_total',
      'viaduct_protocol_errors_total',
      'viaduct_connections',
      'viaduct_connections_accepted_total',
      'viaduct_connections_dropped_total',
      'viaduct_build_info',
      'process_cpu_seconds_total',
      'nodejs_eventloop_lag_seconds',
    ]);
    for (const family of families.values()) {
      if (/^(viaduct|http)_/.test(family.name)) {
        expect(family.type === 'counter', family.name).to.equal(family.name.endsWith('_total'));
      }
    }
    expect(families.get('viaduct_build_info')?.samples).to.deep.equal([
      { name: 'viaduct_build_info', labels: { version: '1.2.3', node: process.version }, value: 1 },
    ]);
  });

  it('has the series of a mount at 0 before its first request', async () => {
    const metrics = new Metrics();
    metrics.mount('shop');
    const mount = 'shop';
    expect(await value(metrics, 'viaduct_requests_total', { mount, method: 'GET', code: '200' })).to.equal(0);
    expect(await value(metrics, 'viaduct_requests_total', { mount, method: 'GET', code: '500' })).to.equal(0);
    expect(
      await value(metrics, 'http_server_request_duration_seconds_count', { mount, status_class: '2xx' }),
    ).to.equal(0);
    expect(await value(metrics, 'http_server_active_requests', { mount })).to.equal(0);
    expect(await value(metrics, 'viaduct_queue_depth', { mount })).to.equal(0);
    expect(await value(metrics, 'viaduct_queue_wait_seconds_count', { mount })).to.equal(0);
    for (const reason of ['queue_full', 'queue_timeout', 'draining', 'app_failed']) {
      expect(await value(metrics, 'viaduct_requests_shed_total', { mount, reason })).to.equal(0);
    }
    for (const phase of ['queued', 'running', 'sending']) {
      expect(await value(metrics, 'viaduct_requests_aborted_total', { mount, phase })).to.equal(0);
    }
  });

  it('counts a request by mount, method and code, its time by class, its bytes by mount', async () => {
    const metrics = new Metrics();
    const api = metrics.mount('api');
    api.requestStarted();
    api.requestStarted();
    api.requestFinished('POST', 404, 0.3, 100, 7);
    expect(
      await value(metrics, 'viaduct_requests_total', { mount: 'api', method: 'POST', code: '404' }),
    ).to.equal(1);
    expect(await value(metrics, 'http_server_active_requests', { mount: 'api' })).to.equal(1);
    expect(await value(metrics, 'viaduct_request_body_bytes_total', { mount: 'api' })).to.equal(100);
    expect(await value(metrics, 'viaduct_response_body_bytes_total', { mount: 'api' })).to.equal(7);
    const labels = { mount: 'api', method: 'POST', status_class: '4xx' };
    expect(await value(metrics, 'http_server_request_duration_seconds_sum', labels)).to.equal(0.3);
    const bucket = 'http_server_request_duration_seconds_bucket';
    expect(await value(metrics, bucket, { ...labels, le: '0.25' })).to.equal(0);
    expect(await value(metrics, bucket, { ...labels, le: '0.5' })).to.equal(1);
  });

  it('makes histogram buckets cumulative, with +Inf equal to _count', async () => {
    const metrics = new Metrics();
    const mount = metrics.mount('m');
    const times = [0, 0.005, 0.0051, 0.2, 1, 1.5, 9, 29, 60, 61, 5000];
    for (const seconds of times) mount.requestFinished('GET', 200, seconds, 0, 0);
    const family = (await scrape(metrics)).get('http_server_request_duration_seconds');
    const samples = family?.samples.filter((sample) => sample.labels['status_class'] === '2xx') ?? [];
    const buckets = samples.filter((sample) => sample.name.endsWith('_bucket'));
    const bounds = buckets.map((sample) => sample.labels['le']);
    expect(bounds.join(' ')).to.equal(
      '0.005 0.01 0.025 0.05 0.075 0.1 0.25 0.5 0.75 1 2.5 5 7.5 10 30 60 +Inf',
    );
    for (const { labels, value: count } of buckets) {
      const bound = labels['le'] === '+Inf' ? Infinity : Number(labels['le']);
      expect(count, `le ${labels['le']}`).to.equal(times.filter((seconds) => seconds <= bound).length);
    }
    expect(samples.find((sample) => sample.name.endsWith('_count'))?.value).to.equal(times.length);
    const sum = samples.find((sample) => sample.name.endsWith('_sum'))?.value ?? 0;
    expect(sum).to.be.closeTo(
      times.reduce((total, seconds) => total + seconds, 0),
      1e-9,
    );
  });

  it('adds no series for 100,000 distinct methods, mounts none and odd statuses', async () => {
    const metrics = new Metrics();
    const none = metrics.mount('');
    none.requestFinished('BREW', 200, 0.1, 0, 0);
    const before = await seriesCount(metrics);
    for (let i = 0; i < 100_000; i++) {
      none.requestFinished(`M${i}/path/${i}`, 200, 0.1, 0, 0);
      none.requestFinished('GET', 600 + i, 0.1, 0, 0);
      none.requestFinished('GET', -i, 0.1, 0, 0);
    }
    for (const status of [99, 200.5, NaN, Infinity, 1e300]) none.requestFinished('GET', status, 0.1, 0, 0);
    expect(await seriesCount(metrics)).to.equal(before);
    const counted = { mount: '_none', method: 'GET', status_class: '2xx' };
    expect(await value(metrics, 'http_server_request_duration_seconds_count', counted)).to.equal(0);
    const other = { mount: '_none', method: '_OTHER', code: '200' };
    expect(await value(metrics, 'viaduct_requests_total', other)).to.equal(100_001);
  });

  it('takes every allowed method by its own name, and only in capitals', async () => {
    const metrics = new Metrics();
    const allowed = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'CONNECT'];
    allowed.forEach((method, index) => {
      for (let i = 0; i <= index; i++) metrics.mount('m').requestFinished(method, 204, 0, 0, 0);
    });
    metrics.mount('m').requestFinished('get', 204, 0, 0, 0);
    for (const [index, method] of allowed.entries()) {
      expect(await value(metrics, 'viaduct_requests_total', { method, code: '204' })).to.equal(index + 1);
    }
    expect(await value(metrics, 'viaduct_requests_total', { method: '_OTHER', code: '204' })).to.equal(1);
  });

  it('puts the first and the last code of each class into that class', async () => {
    const metrics = new Metrics();
    for (const status of [100, 199, 200, 299, 300, 399, 400, 499, 500, 599]) {
      metrics.mount('m').requestFinished('GET', status, 0, 0, 0);
      expect(
        await value(metrics, 'viaduct_requests_total', { method: 'GET', code: String(status) }),
      ).to.equal(1);
    }
    for (const status_class of ['1xx', '2xx', '3xx', '4xx', '5xx']) {
      const labels = { method: 'GET', status_class };
      expect(await value(metrics, 'http_server_request_duration_seconds_count', labels)).to.equal(2);
    }
  });

  it('is not spoiled by times and sizes that are no numbers', async () => {
    const metrics = new Metrics();
    metrics.mount('m').requestFinished('GET', 200, NaN, NaN, -5);
    metrics.mount('m').requestFinished('GET', 200, -3, 4, 5);
    const labels = { mount: 'm', status_class: '2xx' };
    expect(await value(metrics, 'http_server_request_duration_seconds_sum', labels)).to.equal(0);
    expect(await value(metrics, 'http_server_request_duration_seconds_count', labels)).to.equal(2);
    expect(await value(metrics, 'viaduct_request_body_bytes_total', { mount: 'm' })).to.equal(4);
    expect(await value(metrics, 'viaduct_response_body_bytes_total', { mount: 'm' })).to.equal(5);
  });

  it('follows the queue, sheds and aborts', async () => {
    const metrics = new Metrics();
    const mount = metrics.mount('m');
    mount.queued();
    mount.queued();
    mount.dequeued(0.02);
    mount.shed('queue_timeout');
    mount.aborted('sending');
    expect(await value(metrics, 'viaduct_queue_depth', { mount: 'm' })).to.equal(1);
    expect(await value(metrics, 'viaduct_queue_wait_seconds_bucket', { le: '0.01' })).to.equal(0);
    expect(await value(metrics, 'viaduct_queue_wait_seconds_bucket', { le: '0.05' })).to.equal(1);
    expect(await value(metrics, 'viaduct_requests_shed_total', { reason: 'queue_timeout' })).to.equal(1);
    expect(await value(metrics, 'viaduct_requests_aborted_total', { phase: 'sending' })).to.equal(1);
  });

  it('tells how many may wait, how long the oldest does, what timed out and what was slow', async () => {
    const metrics = new Metrics();
    const mount = metrics.mount('m');
    mount.watchQueue(256, () => 1.5);
    mount.timedOut();
    mount.slow();
    mount.slow();
    expect(await value(metrics, 'viaduct_queue_limit', { mount: 'm' })).to.equal(256);
    expect(await value(metrics, 'viaduct_queue_oldest_age_seconds', { mount: 'm' })).to.equal(1.5);
    expect(await value(metrics, 'viaduct_request_timeouts_total', { mount: 'm' })).to.equal(1);
    expect(await value(metrics, 'viaduct_slow_requests_total', { mount: 'm' })).to.equal(2);
  });

  it('asks the log sinks what they have lost, and never goes back', async () => {
    const metrics = new Metrics();
    let lost = 3;
    metrics.logs.watch('access', () => lost);
    const dropped = (sink: string): Promise<number | undefined> =>
      value(metrics, 'viaduct_log_lines_dropped_total', { sink });
    expect([await dropped('access'), await dropped('log')]).to.deep.equal([3, 0]);
    lost = 5;
    expect(await dropped('access')).to.equal(5);
    lost = 1;
    expect(await dropped('access')).to.equal(5);
    lost = 2;
    expect(await dropped('access')).to.equal(6);
  });

  it('follows the connections of a listener', async () => {
    const metrics = new Metrics();
    const label = '127.0.0.1:9000';
    const listener = metrics.listener(label, 'auto');
    expect(metrics.listener(label, 'auto')).to.equal(listener);
    listener.accepted();
    listener.accepted();
    listener.moved('idle', 'reading');
    listener.moved('reading', 'active');
    listener.closed('idle');
    // It was counted where it was accepted.
    listener.adopted();
    listener.protocolError('truncated', 'fastcgi');
    listener.protocolError('tls');
    listener.dropped('connection_limit');
    const states = { idle: 1, reading: 0, active: 1 };
    for (const [state, count] of Object.entries(states)) {
      expect(await value(metrics, 'viaduct_connections', { listener: label, state })).to.equal(count);
    }
    expect(await value(metrics, 'viaduct_connections_accepted_total', { listener: label })).to.equal(2);
    const errors = 'viaduct_protocol_errors_total';
    expect(
      await value(metrics, errors, { listener: label, protocol: 'fastcgi', reason: 'truncated' }),
    ).to.equal(1);
    expect(await value(metrics, errors, { listener: label, protocol: 'auto', reason: 'tls' })).to.equal(1);
    expect(
      await value(metrics, 'viaduct_connections_dropped_total', { reason: 'connection_limit' }),
    ).to.equal(1);
  });

  it('bounds the reasons of protocol errors', async () => {
    const metrics = new Metrics();
    const listener = metrics.listener('a', 'uwsgi');
    for (let i = 0; i < 1000; i++) listener.protocolError(`reason ${i}`);
    expect((await scrape(metrics)).get('viaduct_protocol_errors_total')?.samples.length).to.equal(65);
    expect(await value(metrics, 'viaduct_protocol_errors_total', { reason: '_OTHER' })).to.equal(936);
  });

  it('escapes what a configuration may put into a mount name', async () => {
    const metrics = new Metrics();
    const mount = 'a"b\\c\nd\\n{}';
    metrics.mount(mount);
    expect(await value(metrics, 'viaduct_queue_depth', { mount })).to.equal(0);
  });

  it('answers OpenMetrics when asked, and Prometheus text unchanged after it', async () => {
    const metrics = new Metrics();
    metrics.mount('m').requestFinished('GET', 200, 0.1, 0, 0);
    const names = [...(await scrape(metrics)).keys()];
    const { contentType, text } = await metrics.render('application/openmetrics-text; version=1.0.0');
    expect(contentType).to.equal('application/openmetrics-text; version=1.0.0; charset=utf-8');
    expect(text).to.match(/\n# EOF\n$/);
    expect(text).to.contain('\n# TYPE viaduct_requests counter\n');
    expect(text).to.contain('\nviaduct_requests_total{mount="m",method="GET",code="200"} 1\n');
    expect(text).to.contain(
      '\nhttp_server_request_duration_seconds_count{mount="m",method="GET",status_class="2xx"} 1',
    );
    expect(text).not.to.contain('_total_total');
    expect([...(await scrape(metrics)).keys()]).to.deep.equal(names);
  });

  it('writes what OpenMetrics and the text format have in their own ways', async () => {
    const metrics = new Metrics();
    const about = { name: 'odd', help: 'a "b"\\\n', values: [{ labels: {}, value: -Infinity }] };
    expect(writeFamilies([{ ...about, type: 'gauge' }], 'text')).to.equal(
      '# HELP odd a "b"\\\\\\n\n# TYPE odd gauge\nodd -Inf\n',
    );
    expect(writeFamilies([{ ...about, type: 'gauge' }], 'openmetrics')).to.equal(
      '# HELP odd a \\"b\\"\\\\\\n\n# TYPE odd gauge\nodd -Inf\n# EOF\n',
    );
    // Where ours and prom-client's differ, neither is read as another thing.
    const theirs = parseExposition(await metrics.registry.metrics());
    const ours = await scrape(metrics);
    expect([...ours.keys()]).to.deep.equal([...theirs.keys()]);
    for (const [name, { type, help, samples }] of theirs) {
      // They come and go with what the process does.
      if (/^nodejs_(active|gc)_/.test(name)) continue;
      expect(
        [ours.get(name)?.type, ours.get(name)?.help, ours.get(name)?.samples.map((sample) => sample.labels)],
        name,
      ).to.deep.equal([type, help, samples.map((sample) => sample.labels)]);
    }
  });

  it('can be read as JSON through the registry, labels included', async () => {
    const metrics = new Metrics();
    metrics.mount('m').requestFinished('GET', 200, 0.1, 0, 0);
    const family = (await metrics.registry.getMetricsAsJSON()).find(
      ({ name }) => name === 'viaduct_requests_total',
    );
    expect(family?.values).to.deep.include({ labels: { mount: 'm', method: 'GET', code: '200' }, value: 1 });
    metrics.registry.resetMetrics();
    expect(await value(metrics, 'viaduct_requests_total', { code: '200' })).to.equal(1);
  });
});

describe('observe/render', () => {
  const cases: [accept: string, openMetrics: boolean][] = [
    ['', false],
    ['*/*', false],
    ['text/plain', false],
    ['application/openmetrics-text', true],
    ['Application/OpenMetrics-Text;version=1.0.0;q=0.5, text/plain;version=0.0.4;q=0.3,*/*;q=0.1', true],
    ['application/openmetrics-text;q=0.2,text/plain;q=0.3', false],
    ['application/openmetrics-text;q=0', false],
    ['application/openmetrics-text;q=x', false],
  ];
  for (const [accept, openMetrics] of cases) {
    it(`takes Accept: ${JSON.stringify(accept)} as ${openMetrics ? 'OpenMetrics' : 'Prometheus text'}`, () => {
      expect(wantsOpenMetrics(accept)).to.equal(openMetrics);
    });
  }
});
