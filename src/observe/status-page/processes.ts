// The parts of the page about workers and listeners.
import { bytes, count, duration, NONE, share } from '../format.ts';
import type { Status, WorkerStatus } from '../status-data.ts';
import { html, type Html } from './html.ts';
import { type Row, state, table } from './table.ts';

const TONES = {
  ready: 'good',
  starting: 'plain',
  draining: 'plain',
  stuck: 'bad',
  dead: 'bad',
} as const satisfies Record<WorkerStatus['state'], string>;

export function workersSection(status: Status): Html {
  const master: Row = {
    key: 'master',
    cells: [
      'master',
      '',
      status.pid,
      state('supervises', 'plain'),
      duration(status.uptime_seconds),
      '',
      '',
      bytes(status.master.rss_bytes),
      share(status.master.cpu_share),
      '',
    ],
  };
  return html`<section>
    <h2 id="workers">Workers</h2>
    ${table({
      heading: 'workers',
      caption: 'CPU is the share of one core',
      columns: [
        { title: 'Worker' },
        { title: 'Kind' },
        { title: 'PID', isNumber: true },
        { title: 'State' },
        { title: 'Up', isNumber: true },
        { title: 'Requests', isNumber: true },
        { title: 'In flight', isNumber: true },
        { title: 'Memory', isNumber: true },
        { title: 'CPU', isNumber: true },
        { title: 'Generation', isNumber: true },
      ],
      rows: [...status.workers.map(workerRow), master],
    })}
  </section>`;
}

function workerRow(worker: WorkerStatus): Row {
  const { kind, slot, pid, state: name, mount, generation } = worker;
  const isThere = pid !== null;
  return {
    key: `${kind} ${slot} ${pid ?? ''}`,
    cells: [
      `${kind} ${slot}`,
      mount === undefined ? 'JavaScript' : html`Python, ${mount}`,
      pid ?? NONE,
      state(name, TONES[name]),
      isThere ? duration(worker.uptime_seconds) : NONE,
      count(worker.requests),
      count(worker.in_flight),
      isThere ? bytes(worker.rss_bytes) : NONE,
      share(worker.cpu_share),
      generation,
    ],
  };
}

export function listenersSection({ listeners }: Status): Html {
  const rows = listeners.map(({ address, protocol, connections, ...totals }, at): Row => ({
    key: `${at} ${address}`,
    cells: [
      html`<code>${address}</code>`,
      protocol,
      count(connections.active),
      count(connections.reading),
      count(connections.idle),
      count(totals.accepted),
      warned(totals.dropped),
      warned(totals.protocol_errors),
    ],
  }));
  return html`<section>
    <h2 id="listeners">Listeners</h2>
    ${table({
      heading: 'listeners',
      caption: 'Connections open now, by what happens on them; then those since the start',
      columns: [
        { title: 'Address', isWide: true },
        { title: 'Protocol' },
        { title: 'Active', isNumber: true },
        { title: 'Reading', isNumber: true },
        { title: 'Idle', isNumber: true },
        { title: 'Accepted', isNumber: true },
        { title: 'Dropped', isNumber: true },
        { title: 'Protocol errors', isNumber: true },
      ],
      rows,
    })}
  </section>`;
}

const warned = (value: number): Html => html`<span class="${value > 0 ? 'warn' : ''}">${count(value)}</span>`;
