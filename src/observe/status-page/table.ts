// One table of the page: a caption, heads, rows that keep their identity from one second to the next. Scrolls inside
// itself where the screen is too narrow.
import { html, type Html, type HtmlValue } from './html.ts';

export interface Column {
  readonly title: string;
  /** Right-aligned. */
  readonly isNumber?: boolean;
  /** Has what room is left. */
  readonly isWide?: boolean;
}

export interface Row {
  /** Its own among the rows of the table. */
  readonly key: string;
  /** One a column; the first one heads the row. */
  readonly cells: readonly HtmlValue[];
}

export interface TableOptions {
  /** The id of the heading that names it. */
  readonly heading: string;
  readonly caption: HtmlValue;
  readonly columns: readonly Column[];
  readonly rows: readonly Row[];
}

export function table({ heading, caption, columns, rows }: TableOptions): Html {
  const kind = (at: number): string => {
    const { isNumber = false, isWide = false } = columns[at] ?? {};
    return isNumber ? 'number' : isWide ? 'wide' : 'text';
  };
  const heads = columns.map(({ title }, at) => html`<th scope="col" class="${kind(at)}">${title}</th>`);
  const lines = rows.map(({ key, cells: [first, ...cells] }) => {
    const rest = cells.map((cell, at) => html`<td class="${kind(at + 1)}">${cell}</td>`);
    return html`<tr data-key="${key}">
      <th scope="row" class="${kind(0)}">${first}</th>
      ${rest}
    </tr> `;
  });
  return html`<div class="scroll" role="region" aria-labelledby="${heading}" tabindex="0">
    <table>
      <caption>
        ${caption}
      </caption>
      <thead>
        <tr>
          ${heads}
        </tr>
      </thead>
      <tbody>
        ${lines}
      </tbody>
    </table>
  </div>`;
}

/** A state as text with a colour; the text says it all. */
export const state = (text: string, tone: 'good' | 'warn' | 'bad' | 'plain'): Html =>
  html`<span class="state ${tone}">${text}</span>`;
