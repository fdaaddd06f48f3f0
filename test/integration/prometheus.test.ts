// A real Prometheus with the files of deploy/ scrapes a running daemon behind nginx: what it computes is what was sent,
// through a worker that is killed and a reload.
import { expect } from 'chai';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Bridge, FASTCGI_KEEP, startBridge } from '../helpers/bridge.ts';
import { runViaduct } from '../helpers/cli.ts';
import { type Prometheus, startPrometheus } from '../helpers/prometheus.ts';
import { startSteadyClient } from '../helpers/steady-client.ts';
import { waitFor } from '../helpers/wait.ts';

const RATE = 400;
/** So long that what a killed worker has counted since the last scrape is no hundredth of it. */
const WINDOW_SECONDS = 18;
const REQUESTS = 'sum(viaduct_requests_total{job="viaduct", mount="/"})';
const TIMES = 'sum(http_server_request_duration_seconds_count{job="viaduct", mount="/"})';
const TOLERANCE = 0.01;

describe('a real Prometheus', () => {
  let bridge: Bridge;
  let prometheus: Prometheus;
  before(async function () {
    this.timeout(30_000);
    bridge = await startBridge({
      ways: [FASTCGI_KEEP],
      mounts: { '/': 'steady' },
      config: { workers: 2, admin: { address: '127.0.0.1:{{port:admin}}' } },
    });
    prometheus = await startPrometheus({
      target: `127.0.0.1:${bridge.daemon.port('admin')}`,
      interval: '200ms',
    });
  });
  after(async () => {
    await prometheus.stop();
    await bridge.stop();
  });

  it('scrapes it, and has loaded the alerts', async function () {
    this.timeout(30_000);
    // It looks at its list of targets every 5 s.
    await waitFor(async () => (await prometheus.query(REQUESTS)) === 0, {
      what: 'the first scrape',
      timeout: 15_000,
    });
    const targets = await prometheus.targets();
    expect(targets.map(({ health, lastError, labels }) => [health, lastError, labels['job']])).to.deep.equal([
      ['up', '', 'viaduct'],
    ]);
    const rules = await waitFor(
      async () => {
        const found = await prometheus.rules();
        return found.every(({ health }) => health === 'ok') ? found : null;
      },
      { what: 'all rules to be evaluated', timeout: 10_000 },
    );
    expect(rules.map(({ name }) => name)).to.include.members([
      'ViaductDown',
      'ViaductErrors',
      'ViaductCrashLoop',
    ]);
    expect(rules.filter(({ state }) => state !== 'inactive')).to.deep.equal([]);
  });

  it(`computes what was sent within ${TOLERANCE * 100} %, through a worker kill and a reload`, async function () {
    this.timeout(40_000);
    const port = bridge.nginx.portOf(FASTCGI_KEEP.name);
    const before = await prometheus.query(REQUESTS);
    const client = startSteadyClient({ port, rate: RATE, connections: 16 });
    await client.moreAnswers(RATE);
    const from = Date.now();
    const [victim = 0, ...others] = await bridge.daemon.workers();
    await client.moreAnswers(2 * RATE);
    process.kill(victim, 'SIGKILL');
    await client.moreAnswers(3 * RATE);
    expect(await bridge.daemon.workers())
      .to.include.members(others)
      .and.not.include(victim);
    await reload(bridge);
    // The window has to lie inside of the time in which requests came: what rate() makes up at its ends is right then.
    await sleep(Math.max(0, from + (WINDOW_SECONDS + 1) * 1000 - Date.now()));
    const at = from / 1000 + WINDOW_SECONDS;
    const { sent, good, failed } = await client.stop();
    await untilSeen(prometheus);
    const rate = await prometheus.query(
      `sum(rate(viaduct_requests_total{mount="/"}[${WINDOW_SECONDS}s]))`,
      at,
    );
    expect(rate).to.be.closeTo(RATE, RATE * TOLERANCE);
    const increase = await prometheus.query(
      `sum(increase(http_server_request_duration_seconds_count{mount="/"}[${WINDOW_SECONDS}s]))`,
      at,
    );
    expect(increase).to.be.closeTo(RATE * WINDOW_SECONDS, RATE * WINDOW_SECONDS * TOLERANCE);
    const counted = (await prometheus.query(REQUESTS)) - before;
    expect(counted).to.be.closeTo(sent, sent * TOLERANCE);
    expect(await prometheus.query(TIMES)).to.equal(counted);
    expect(sent).to.equal(good + failed);
    // resets() counts every time a counter went back.
    expect(await prometheus.query('sum(resets(viaduct_requests_total[1m]))')).to.equal(0);
    // A scrape may be late where the machine is busy; none is refused.
    expect(await prometheus.query('avg_over_time(up{job="viaduct"}[1m])')).to.be.above(0.9);
    expect(await prometheus.query('sum(viaduct_worker_exits_total{reason="signal"})')).to.equal(1);
    expect(await prometheus.query('viaduct_reloads_total{result="ok"}')).to.equal(1);
    expect(prometheus.stderr()).to.equal('');
  });
});

async function reload({ daemon }: Bridge): Promise<void> {
  const { code, stderr } = await runViaduct(['reload', '-c', join(daemon.dir, 'viaduct.yaml')]);
  expect(code, stderr).to.equal(0);
}

/** Prometheus has scraped once more since now. */
async function untilSeen(prometheus: Prometheus): Promise<void> {
  const now = Date.now() / 1000;
  await waitFor(async () => (await prometheus.query('timestamp(viaduct_build_info)')) > now, {
    what: 'one more scrape',
    interval: 50,
  });
}
