// The head of the page: whether it is well, what runs, and the figures of all mounts together.
import { bytes, clock, count, dateTime, duration, latency, rate, share } from '../format.ts';
import type { Status } from '../status-data.ts';
import { html, type Html, type HtmlValue } from './html.ts';
import { highest, plot } from './plot.ts';
import { state } from './table.ts';

export function header(status: Status): Html {
  const { version, ready, reasons } = status;
  return html`<header>
    <h1>viaduct <span class="version">${version}</span></h1>
    <div class="health" role="status">
      ${ready ? state('Ready', 'good') : state('Not ready', 'bad')}
      ${
        reasons.length > 0 &&
        html`<ul>
          ${reasons.map((reason) => html`<li>${reason}</li>`)}
        </ul>`
      }
    </div>
    <dl class="facts">
      ${facts(status).map(
        ([name, value]) =>
          html`<div>
            <dt>${name}</dt>
            <dd>${value}</dd>
          </div>`,
      )}
    </dl>
  </header>`;
}

function facts(status: Status): [name: string, value: HtmlValue][] {
  const { last_reload: last, reloads } = status;
  const reload =
    last === null
      ? 'none'
      : html`<time datetime="${last.time}">${dateTime(last.time)}</time>
          ${last.result === 'ok' ? state('ok', 'good') : state('rejected', 'bad')}
          ${last.reason !== null && html`<span class="reason">${last.reason.split('\n', 1)[0]}</span>`}`;
  return [
    ['Up', duration(status.uptime_seconds)],
    ['Since', html`<time datetime="${status.started_at}">${dateTime(status.started_at)}</time> UTC`],
    ['Generation', count(status.generation)],
    ['Reloads', `${count(reloads.ok)} ok, ${count(reloads.rejected)} rejected`],
    ['Last reload', reload],
    ['Node', status.node],
    ['Configuration', html`<code>${status.config}</code>`],
  ];
}

export function tiles(status: Status): Html {
  const { totals, workers, master, listeners } = status;
  const { history } = totals;
  const memory = workers.reduce((sum, { rss_bytes: used }) => sum + used, master.rss_bytes);
  const cpu = workers.reduce((sum, { cpu_share: used }) => sum + (used ?? 0), master.cpu_share ?? 0);
  const ready = workers.filter((worker) => worker.state === 'ready').length;
  const open = listeners.reduce(
    (sum, { connections: { idle, reading, active } }) => sum + idle + reading + active,
    0,
  );
  const graph = (
    label: string,
    kind: 'main' | 'bad',
    values: readonly (number | null)[],
    atLeast: number,
  ): Html => plot({ label: `${label} over the last 15 minutes`, lines: [{ values, kind }], atLeast });
  return html`<section>
    <h2 id="now" class="hidden">Now</h2>
    <dl class="tiles">
      ${tile('Requests a second', rate(totals.rate), `max ${rate(Math.max(totals.rate, highest(history.rate)))}`, graph('Requests a second', 'main', history.rate, 1))}
      ${tile('Latency p99', latency(totals.p99_seconds), `p50 ${latency(totals.p50_seconds)}`, graph('Latency p99', 'main', history.p99_seconds, 0.005))}
      ${tile('Errors (5xx)', share(totals.error_share), `max ${share(Math.max(totals.error_share ?? 0, highest(history.error_share)))}`, graph('Share of errors', 'bad', history.error_share, 0.01))}
      ${tile('Running', count(totals.active), `${count(totals.queue_depth)} waiting`, graph('Running requests', 'main', history.active, 1))}
      ${tile('Workers ready', `${ready}`, `of ${workers.length}`)}
      ${tile('Connections', count(open), `${count(totals.requests)} requests`)}
      ${tile('Memory', bytes(memory), 'in all')} ${tile('CPU', share(cpu), 'of one core')}
    </dl>
  </section>`;
}

function tile(name: string, value: string, more: string, graph: Html | null = null): Html {
  return html`<div class="tile">
    <dt>${name}</dt>
    <dd><b>${value}</b> <span class="more">${more}</span></dd>
    ${graph !== null && html`<dd class="graph">${graph}</dd>`}
  </div>`;
}

export const asOf = ({ time }: Status): Html =>
  html`as of <time datetime="${time}">${clock(time)}</time> UTC`;
