// The status as text: a few lines on how it is, then tables. Knows how wide the terminal is and what it can show.
import { bytes, clock, count, duration, latency, NONE, rate, share, time } from '../../observe/format.ts';
import { SAMPLES_KEPT } from '../../observe/mount-history.ts';
import type { Status } from '../../observe/status-data.ts';
import { sparkline } from './sparkline.ts';
import { type Cell, cut, paint, plain, type Terminal, textTable, type Tone } from './text-table.ts';

/** Characters of a sparkline: in 80 columns, and where there is more room. */
const SHORT_LINE = 10;
const LONG_LINE = 30;
const WIDE = 110;
/** Requests and errors that are shown. */
const REQUESTS = 10;
const ERRORS = 5;

export function statusText(status: Status, terminal: Terminal): string {
  const parts = [
    summary(status, terminal),
    mounts(status, terminal),
    workers(status, terminal),
    listeners(status, terminal),
    running(status, terminal),
    errors(status, terminal),
  ];
  return parts.filter((part) => part !== '').join('\n');
}

const cell = (text: string | number, tone?: Tone | false): Cell => ({
  text: String(text),
  tone: tone === false ? undefined : tone,
});

function summary(status: Status, terminal: Terminal): string {
  const { version, pid, uptime_seconds: up, generation, reloads, last_reload: last, totals } = status;
  const line = (text: string, tone?: Tone): string =>
    `${paint(cut(plain(text, terminal), terminal.columns, terminal), tone, terminal)}\n`;
  const ready = paint(status.ready ? 'ready' : 'not ready', status.ready ? 'good' : 'bad', terminal);
  const reloaded = last === null ? '' : `, the last at ${clock(last.time)} UTC: ${last.result}`;
  return [
    `${paint(`viaduct ${version}`, 'strong', terminal)}, pid ${pid}, up ${duration(up)}, ${ready}\n`,
    ...status.reasons.map((reason) => line(`  ${reason}`, 'bad')),
    line(status.config),
    line(`generation ${generation}, reloads: ${reloads.ok} ok, ${reloads.rejected} rejected${reloaded}`),
    line(
      `${rate(totals.rate)} requests/s, p50 ${latency(totals.p50_seconds)}, p99 ${latency(totals.p99_seconds)}, errors ${share(totals.error_share)}, ${totals.active} running, ${totals.queue_depth} waiting`,
    ),
    status.log_lines_dropped > 0 ? line(`${status.log_lines_dropped} log lines dropped`, 'warn') : '',
  ].join('');
}

function mounts({ mounts: all }: Status, terminal: Terminal): string {
  const width = terminal.columns >= WIDE ? LONG_LINE : SHORT_LINE;
  const line = (values: readonly (number | null)[]): Cell =>
    cell(terminal.isUnicode ? sparkline(values, width, SAMPLES_KEPT) : '');
  // Where the terminal has no blocks, the columns are empty, and left out.
  const over = terminal.isUnicode ? '15 MINUTES' : '';
  return textTable(
    [
      { title: 'MOUNT', least: 12 },
      { title: 'PATH', least: 12, drop: 3 },
      { title: 'INTERFACE', drop: 4 },
      { title: 'RATE/S', isNumber: true },
      { title: over, drop: 2 },
      { title: 'P50', isNumber: true },
      { title: 'P99', isNumber: true },
      { title: over, drop: 5 },
      { title: 'ERRORS', isNumber: true },
      { title: 'RUN', isNumber: true },
      { title: 'WAIT', isNumber: true },
    ],
    all.map((mount) => [
      cell(mount.name, 'strong'),
      cell(`${mount.host ?? ''}${mount.path}`),
      cell(mount.interface),
      cell(rate(mount.rate)),
      line(mount.history.rate),
      cell(latency(mount.p50_seconds)),
      cell(latency(mount.p99_seconds)),
      line(mount.history.p99_seconds),
      cell(share(mount.error_share), (mount.error_share ?? 0) > 0 && 'bad'),
      cell(count(mount.active)),
      cell(count(mount.queue_depth), mount.queue_depth > 0 && 'warn'),
    ]),
    terminal,
  );
}

const STATES = {
  ready: 'good',
  starting: 'quiet',
  draining: 'quiet',
  stuck: 'bad',
  dead: 'bad',
} as const satisfies Record<Status['workers'][number]['state'], Tone>;

function workers({ workers: all }: Status, terminal: Terminal): string {
  return textTable(
    [
      { title: 'WORKER' },
      { title: 'KIND' },
      { title: 'MOUNT', least: 5, drop: 2 },
      { title: 'PID', isNumber: true },
      { title: 'STATE' },
      { title: 'UP', isNumber: true },
      { title: 'REQUESTS', isNumber: true },
      { title: 'IN FLIGHT', isNumber: true },
      { title: 'MEMORY', isNumber: true },
      { title: 'CPU', isNumber: true },
      { title: 'GEN', isNumber: true, drop: 1 },
    ],
    all.map((worker) => [
      cell(worker.slot, 'strong'),
      cell(worker.kind),
      cell(worker.mount ?? ''),
      cell(worker.pid ?? NONE),
      cell(worker.state, STATES[worker.state]),
      cell(duration(worker.uptime_seconds)),
      cell(count(worker.requests)),
      cell(count(worker.in_flight)),
      cell(bytes(worker.rss_bytes)),
      cell(share(worker.cpu_share)),
      cell(worker.generation),
    ]),
    terminal,
  );
}

function listeners({ listeners: all }: Status, terminal: Terminal): string {
  return textTable(
    [
      { title: 'LISTENER', least: 20 },
      { title: 'PROTOCOL' },
      { title: 'ACTIVE', isNumber: true },
      { title: 'READING', isNumber: true },
      { title: 'IDLE', isNumber: true },
      { title: 'ACCEPTED', isNumber: true, drop: 1 },
      { title: 'DROPPED', isNumber: true, drop: 2 },
    ],
    all.map(({ address, protocol, connections: { active, reading, idle }, accepted, dropped }) => [
      cell(address, 'strong'),
      cell(protocol),
      cell(count(active)),
      cell(count(reading)),
      cell(count(idle)),
      cell(count(accepted)),
      cell(count(dropped), dropped > 0 && 'warn'),
    ]),
    terminal,
  );
}

function running({ running: all, requests_in_flight: total }: Status, terminal: Terminal): string {
  if (all.length === 0) return '';
  const shown = all.slice(0, REQUESTS);
  const table = textTable(
    [
      { title: 'RUNNING', isNumber: true },
      { title: 'PHASE' },
      { title: 'METHOD', least: 6 },
      { title: 'PATH', least: 10 },
      { title: 'MOUNT', least: 6, drop: 1 },
      { title: 'REQUEST ID', least: 12, drop: 2 },
    ],
    shown.map((request) => [
      cell(time(request.age_seconds), request.age_seconds >= 2 && 'warn'),
      cell(request.phase, request.phase === 'queued' && 'warn'),
      cell(request.method),
      cell(request.uri),
      cell(request.mount),
      cell(request.request_id),
    ]),
    terminal,
  );
  const more = Math.max(total, all.length) - shown.length;
  return more > 0 ? `${table}${paint(`and ${count(more)} more`, 'quiet', terminal)}\n` : table;
}

function errors({ errors: all }: Status, terminal: Terminal): string {
  if (all.length === 0) return '';
  return textTable(
    [
      { title: 'LAST ERRORS' },
      { title: 'TIMES', isNumber: true },
      { title: 'MOUNT', least: 6, drop: 1 },
      { title: 'MESSAGE', least: 20 },
    ],
    all
      .slice(0, ERRORS)
      .map((error) => [
        cell(`${clock(error.time)} UTC`),
        cell(count(error.count)),
        cell(error.mount ?? ''),
        cell(error.message, 'bad'),
      ]),
    terminal,
  );
}
