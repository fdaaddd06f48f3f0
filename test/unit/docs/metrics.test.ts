// docs/metrics.md is true: its tables are what /metrics has, by name, type, labels and the values labels may have.
import { expect } from 'chai';
import { DROPPED_REASONS } from '../../../src/observe/app-metrics.ts';
import { DROP_REASONS } from '../../../src/observe/listener-metrics.ts';
import { LOG_SINKS } from '../../../src/observe/log-metrics.ts';
import { ABORT_PHASES, SHED_REASONS } from '../../../src/observe/mount-metrics.ts';
import { EXIT_REASONS, MOUNT_STATES, WORKER_STATES } from '../../../src/observe/supervisor-metrics.ts';
import { everyFamily } from '../../helpers/every-metric.ts';
import { codeWordsOf, type Page, readPage, tableRowsOf, userPages } from '../../helpers/markdown.ts';

const OURS = /^(viaduct|http_server)_/;
const page = readPage('docs/metrics.md');
const unquoted = (cell = ''): string => cell.replaceAll('`', '');

const metricsOf = (each: Page): string[] =>
  codeWordsOf(each).filter((word) => /^(viaduct|http_server|nodejs|process)_[a-z0-9_]+[a-z0-9]$/.test(word));

describe('docs/metrics.md', () => {
  const rows = tableRowsOf(page);

  it('has one row for every metric, with its type and labels', async () => {
    const real = (await everyFamily())
      .filter(({ name }) => OURS.test(name))
      .map(({ name, type, labels }) => `${name} ${type} ${labels.join(', ')}`);
    const written = rows
      .filter(([name]) => OURS.test(unquoted(name)))
      .map(([name, type, labels]) => `${unquoted(name)} ${type} ${labels}`);
    expect(written).to.have.members(real);
    expect(real.length).to.be.greaterThan(35);
  });

  it('has every name the contract gives, and those people alert on', async () => {
    const names = (await everyFamily()).map(({ name }) => name);
    expect(names).to.include.members(NAMES);
  });

  const values: readonly (readonly [string, readonly string[]])[] = [
    ['viaduct_connections_dropped_total', DROP_REASONS],
    ['viaduct_requests_shed_total', SHED_REASONS],
    ['viaduct_requests_aborted_total', ABORT_PHASES],
    ['viaduct_log_lines_dropped_total', LOG_SINKS],
    ['viaduct_workers', WORKER_STATES],
    ['viaduct_worker_exits_total', EXIT_REASONS],
    ['viaduct_mount_state', MOUNT_STATES],
    ['viaduct_app_series_dropped_total', DROPPED_REASONS],
  ];
  for (const [metric, all] of values) {
    it(`names every value of the label of ${metric}`, () => {
      const [, , , text = ''] = rows.find(([name]) => unquoted(name) === metric) ?? [];
      expect(all.filter((value) => !text.includes(`\`${value}\``))).to.deep.equal([]);
    });
  }
});

describe('metrics in the pages', () => {
  it('exist', async () => {
    const known = (await everyFamily()).map(({ name }) => name);
    const pages = userPages();
    expect(pages.flatMap((each) => metricsOf(each).filter((name) => !known.includes(name)))).to.deep.equal(
      [],
    );
    expect(pages.flatMap(metricsOf).length).to.be.greaterThan(20);
  });
});

const NAMES: readonly string[] = [
  'http_server_request_duration_seconds',
  'viaduct_requests_total',
  'http_server_active_requests',
  'viaduct_queue_depth',
  'viaduct_queue_limit',
  'viaduct_queue_oldest_age_seconds',
  'viaduct_queue_wait_seconds',
  'viaduct_requests_shed_total',
  'viaduct_requests_aborted_total',
  'viaduct_slow_requests_total',
  'viaduct_request_timeouts_total',
  'viaduct_request_body_bytes_total',
  'viaduct_response_body_bytes_total',
  'viaduct_protocol_errors_total',
  'viaduct_connections',
  'viaduct_connections_accepted_total',
  'viaduct_connections_dropped_total',
  'viaduct_workers',
  'viaduct_worker_exits_total',
  'viaduct_worker_spawns_total',
  'viaduct_worker_boot_seconds',
  'viaduct_reloads_total',
  'viaduct_reload_duration_seconds',
  'viaduct_config_last_reload_successful',
  'viaduct_config_last_reload_success_timestamp_seconds',
  'viaduct_worker_resident_memory_bytes',
  'viaduct_worker_cpu_seconds_total',
  'viaduct_worker_event_loop_delay_seconds',
  'viaduct_log_lines_dropped_total',
  'viaduct_build_info',
];
