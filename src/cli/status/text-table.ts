// Tables for a terminal: as wide as there is room, without the least important columns where there is little. Text may
// come from anybody: no control character gets through.
import { visible } from '../../observe/format.ts';

export type Tone = 'good' | 'warn' | 'bad' | 'quiet' | 'strong';

export interface Terminal {
  /** Infinity: nobody counts. */
  readonly columns: number;
  readonly isColoured: boolean;
  /** Whether it shows more than ASCII. */
  readonly isUnicode: boolean;
}

export interface Cell {
  readonly text: string;
  readonly tone?: Tone | undefined;
}

export interface Column {
  readonly title: string;
  readonly isNumber?: boolean;
  /** Goes first where the room is too small: the highest of all. Without it the column stays. */
  readonly drop?: number;
  /** Characters it may be cut to. */
  readonly least?: number;
}

const CODES: Readonly<Record<Tone, string>> = {
  good: '32',
  warn: '33',
  bad: '31',
  quiet: '2',
  strong: '1',
};
const GAP = 2;

export function paint(text: string, tone: Tone | undefined, { isColoured }: Terminal): string {
  return !isColoured || tone === undefined || text === '' ? text : `\u001b[${CODES[tone]}m${text}\u001b[0m`;
}

/** As a line of the terminal can have it. */
export function plain(text: string, { isUnicode }: Terminal): string {
  const shown = visible(text).replaceAll('\n', '\\n').replaceAll('\t', ' ');
  if (isUnicode) return shown;
  return shown
    .replaceAll('–', '-')
    .replaceAll('…', '~')
    .replaceAll(/[^ -~]/gu, '?');
}

const lengthOf = (text: string): number => Array.from(text).length;

export function cut(text: string, width: number, { isUnicode }: Terminal): string {
  if (lengthOf(text) <= width) return text;
  return `${Array.from(text)
    .slice(0, Math.max(0, width - 1))
    .join('')}${isUnicode ? '…' : '~'}`;
}

/** @returns lines, each with its end */
export function textTable(
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  terminal: Terminal,
): string {
  const texts = rows.map((row) => row.map(({ text }) => plain(text, terminal)));
  const widths = columns.map(({ title }, at) =>
    Math.max(title.length, ...texts.map((row) => lengthOf(row[at] ?? ''))),
  );
  const shown = fit(columns, widths, terminal.columns);
  const line = (cells: readonly string[], tones: readonly (Tone | undefined)[]): string => {
    const parts = shown.map((at) => {
      const text = cut(cells[at] ?? '', widths[at] ?? 0, terminal);
      const room = ' '.repeat(Math.max(0, (widths[at] ?? 0) - lengthOf(text)));
      const painted = paint(text, tones[at], terminal);
      return columns[at]?.isNumber === true ? room + painted : painted + room;
    });
    return `${parts.join(' '.repeat(GAP)).trimEnd()}\n`;
  };
  const titles = columns.map(({ title }) => title);
  return [
    line(
      titles,
      titles.map(() => 'quiet' as const),
    ),
    ...texts.map((row, at) =>
      line(
        row,
        (rows[at] ?? []).map(({ tone }) => tone),
      ),
    ),
  ].join('');
}

/** Which columns are shown; `widths` become what there is room for. */
function fit(columns: readonly Column[], widths: number[], room: number): number[] {
  // A column without a title and without a word in it is none.
  let shown = columns.map((_, at) => at).filter((at) => (widths[at] ?? 0) > 0);
  const needed = (): number => shown.reduce((sum, at) => sum + (widths[at] ?? 0), GAP * (shown.length - 1));
  const droppable = shown
    .filter((at) => columns[at]?.drop !== undefined)
    .toSorted((a, b) => (columns[b]?.drop ?? 0) - (columns[a]?.drop ?? 0));
  for (;;) {
    const excess = needed() - room;
    if (excess <= 0) return shown;
    const slack = (at: number): number => Math.max(0, (widths[at] ?? 0) - (columns[at]?.least ?? Infinity));
    const given = shown.reduce((sum, at) => sum + slack(at), 0);
    const next = droppable.shift();
    if (given >= excess || next === undefined) {
      narrow(shown, widths, excess, slack);
      return shown;
    }
    shown = shown.filter((at) => at !== next);
  }
}

/** From the widest, character by character. */
function narrow(
  shown: readonly number[],
  widths: number[],
  excess: number,
  slack: (at: number) => number,
): void {
  for (let left = excess; left > 0; left -= 1) {
    const [widest] = shown
      .filter((at) => slack(at) > 0)
      .toSorted((a, b) => (widths[b] ?? 0) - (widths[a] ?? 0));
    if (widest === undefined) return;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
}
