// The part of the page about mounts: how much, how fast, how well, and the last 15 minutes of that.
import { count, latency, rate, share } from '../format.ts';
import type { Figures, Status } from '../status-data.ts';
import { html, type Html, type HtmlValue } from './html.ts';
import { highest, plot } from './plot.ts';

export function mountsSection(status: Status): Html {
  const { mounts, unmatched } = status;
  const rows = mounts.map((mount) => row(mount.name, nameOf(mount), mount));
  if (unmatched.requests > 0)
    rows.push(
      row('', html`<span class="name">no mount</span> <span class="about">answered 404</span>`, unmatched),
    );
  // The roles are those of the elements: on a narrow screen they are laid out as cards, and would lose them.
  return html`<section class="mounts">
    <h2 id="mounts">Mounts</h2>
    <div class="scroll" role="region" aria-labelledby="mounts" tabindex="0">
      <table role="table">
        <caption>
          Figures of the last 10 seconds, plots of the last 15 minutes
        </caption>
        <thead role="rowgroup">
          <tr role="row">
            ${HEADS.map((head) => html`<th role="columnheader" scope="col">${head}</th>`)}
          </tr>
        </thead>
        <tbody role="rowgroup">
          ${rows}
        </tbody>
      </table>
    </div>
  </section>`;
}

const HEADS = [
  'Mount',
  'Requests a second',
  'Latency',
  'Errors (5xx)',
  'Running and waiting',
  'Requests',
] as const;

function nameOf({ name, path, host, interface: kind }: Status['mounts'][number]): Html {
  const place = host === null ? path : host + path;
  return html`<span class="name">${name}</span>
    <span class="about">${place === name ? '' : html`${place} · `}${kind}</span>`;
}

function row(key: string, name: Html, figures: Figures): Html {
  const cells = [rateCell(figures), latencyCell(figures), errorCell(figures), placesCell(figures)];
  return html`<tr role="row" data-key="${key}">
    <th role="rowheader" scope="row">${name}</th>
    ${cells.map(
      (cell, at) =>
        html`<td role="cell" class="plotted">
          <span class="label" aria-hidden="true">${HEADS[at + 1]}</span>${cell}
        </td> `,
    )}
    <td role="cell" class="number">
      <span class="label" aria-hidden="true">Requests</span
      ><span class="total">${count(figures.requests)}</span>
    </td>
  </tr> `;
}

function rateCell({ rate: now, history }: Figures): HtmlValue {
  const top = Math.max(now, highest(history.rate));
  const label = `Requests a second over the last 15 minutes, now ${rate(now)}, at most ${rate(top)}`;
  return html`${figure(html`<b>${rate(now)}</b>`, `max ${rate(top)}`)}
  ${plot({ lines: [{ values: history.rate, kind: 'main' }], label, atLeast: 1 })}`;
}

function latencyCell({ p50_seconds: p50, p99_seconds: p99, history }: Figures): HtmlValue {
  const top = Math.max(p99 ?? 0, highest(history.p99_seconds));
  const label = `Latency over the last 15 minutes, half of the requests now within ${latency(p50)}, 99 % within ${latency(p99)}, at most ${latency(top)}`;
  const lines = [
    { values: history.p99_seconds, kind: 'main' },
    { values: history.p50_seconds, kind: 'second' },
  ] as const;
  const now = html`<b>${latency(p50)}</b> <span class="unit second">p50</span> <b>${latency(p99)}</b>
    <span class="unit main">p99</span>`;
  return html`${figure(now, top > 0 && `max ${latency(top)}`)} ${plot({ lines, label, atLeast: 0.005 })}`;
}

function errorCell({ error_share: now, history }: Figures): HtmlValue {
  const top = Math.max(now ?? 0, highest(history.error_share));
  const label = `Share of errors over the last 15 minutes, now ${share(now)}, at most ${share(top)}`;
  const tone = now !== null && now > 0 ? 'bad' : '';
  return html`${figure(html`<b class="${tone}">${share(now)}</b>`, top > 0 && `max ${share(top)}`)}
  ${plot({ lines: [{ values: history.error_share, kind: 'bad' }], label, atLeast: 0.01 })}`;
}

function placesCell({ active, queue_depth: waiting, history }: Figures): HtmlValue {
  const most = Math.max(active, highest(history.active));
  const longest = Math.max(waiting, highest(history.queue_depth));
  const label = `Running and waiting over the last 15 minutes, now ${active} and ${waiting}, at most ${most} and ${longest}`;
  const lines = [
    { values: history.active, kind: 'main' },
    { values: history.queue_depth, kind: 'second' },
  ] as const;
  const now = html`<b>${count(active)}</b> <span class="unit main">running</span>
    <b class="${waiting > 0 ? 'warn' : ''}">${count(waiting)}</b> <span class="unit second">waiting</span>`;
  return html`${figure(now, false)} ${plot({ lines, label, atLeast: 1 })}`;
}

const figure = (now: Html, most: string | false): Html =>
  html`<span class="figure"
    ><span>${now}</span>${most !== false && html`<span class="most">${most}</span>`}</span
  >`;
