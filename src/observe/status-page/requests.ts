// The parts of the page about single requests: those that run, and the errors of those that failed.
import { count, dateTime, time } from '../format.ts';
import type { ErrorEntry } from '../recent-errors.ts';
import type { RunningStatus, Status } from '../status-data.ts';
import { html, type Html } from './html.ts';
import { type Row, state, table } from './table.ts';

/** Seconds from which a request is worth a look. */
const LONG = 2;

export function runningSection({ running, requests_in_flight: total }: Status): Html {
  return html`<section class="tall">
    <h2 id="running">Running requests</h2>
    ${
      running.length === 0
        ? html`<p class="empty">None now.</p>`
        : table({
            heading: 'running',
            caption: html`${count(Math.max(total, running.length))} in flight, the oldest first`,
            columns: [
              { title: 'Age', isNumber: true },
              { title: 'Phase' },
              { title: 'Method' },
              { title: 'Path', isWide: true },
              { title: 'Mount' },
              { title: 'Worker', isNumber: true },
              { title: 'Request id' },
            ],
            rows: running.map(runningRow),
          })
    }
  </section>`;
}

function runningRow(request: RunningStatus): Row {
  const { age_seconds: age, phase, method, uri, mount, worker, request_id: id } = request;
  return {
    key: `${worker} ${id}`,
    cells: [
      html`<span class="${age >= LONG ? 'warn' : ''}">${time(age)}</span>`,
      state(phase, phase === 'queued' ? 'warn' : 'plain'),
      method,
      html`<code class="uri">${uri}</code>`,
      mount === '' ? 'none' : mount,
      worker,
      html`<code>${id}</code>`,
    ],
  };
}

export function errorsSection({ errors }: Status): Html {
  return html`<section class="tall">
    <h2 id="errors">Recent errors</h2>
    ${
      errors.length === 0
        ? html`<p class="empty">None since the start.</p>`
        : html`<div class="scroll" role="region" aria-labelledby="errors" tabindex="0">
            <ol class="errors">
              ${errors.map(errorItem)}
            </ol>
          </div>`
    }
  </section>`;
}

function errorItem(error: ErrorEntry): Html {
  const { count: times, message, traceback, mount } = error;
  // The time of the first one stays the same when it happens again, and so does what is open.
  return html`<li data-key="${[error.first_time, mount ?? '', message].join(' ')}">
    <details>
      <summary>
        <time datetime="${error.time}">${dateTime(error.time)}</time>
        <span class="where">${mount ?? (error.worker === null ? 'master' : `worker ${error.worker}`)}</span>
        <span class="message"
          >${message}${times > 1 && html` <span class="times">${count(times)} times</span>`}</span
        >
      </summary>
      <dl>
        ${facts(error).map(
          ([name, value]) =>
            html`<div>
              <dt>${name}</dt>
              <dd>${value}</dd>
            </div>`,
        )}
      </dl>
      ${traceback === null ? html`<p class="empty">No traceback.</p>` : html`<pre>${traceback}</pre>`}
    </details>
  </li> `;
}

function facts(error: ErrorEntry): [name: string, value: Html][] {
  const { method, uri, request_id: id, worker, count: times, first_time: first } = error;
  const found: [string, Html | null][] = [
    ['Request', uri === null ? null : html`<code>${method} ${uri}</code>`],
    ['Request id', id === null ? null : html`<code>${id}</code>`],
    ['Worker', worker === null ? null : html`${worker}`],
    ['First', times > 1 ? html`${dateTime(first)}` : null],
  ];
  return found.flatMap(([name, value]) => (value === null ? [] : [[name, value]]));
}
