// Turns what was measured into the tables of bench/results.md, ratios first.
import { ratio } from './columns.ts';
import type { RatioColumn, Scenario, Series } from './scenario.ts';
import { table } from './table.ts';

/** All series of one scenario, by the names of their cases. */
export type SeriesByCase = ReadonlyMap<string, Series>;

/** A scenario's section: what it is, its ratios, its figures. */
export function section(scenario: Scenario, byCase: SeriesByCase, rounds: number): string {
  const series = [...byCase.values()];
  const about = [...scenario.about, `${rounds} interleaved ${rounds === 1 ? 'round' : 'rounds'}, medians`];
  const parts = [`## ${scenario.title}`, about.map((line) => `- ${line}`).join('\n')];
  const ratios = scenario.ratios.filter((column) => series.some(({ name }) => isThere(column, name, byCase)));
  if (ratios.length > 0) parts.push(ratioTable(ratios, byCase));
  const head = ['case', ...scenario.figures.map(({ title }) => title)];
  const rows = series.map((each) => [each.name, ...scenario.figures.map((column) => column.show(each))]);
  parts.push(table(head, rows));
  return `${parts.join('\n\n')}\n`;
}

/** A column without the case that it compares with would be empty. */
function isThere(column: RatioColumn, name: string, byCase: SeriesByCase): boolean {
  return byCase.has(column.to(name) ?? '');
}

function ratioTable(columns: readonly RatioColumn[], byCase: SeriesByCase): string {
  const rows = [...byCase.values()].map((each) => [
    each.name,
    ...columns.map((column) => {
      const other = byCase.get(column.to(each.name) ?? '');
      return (other === undefined ? undefined : ratio(each, other, column.figure))?.toFixed(2) ?? '-';
    }),
  ]);
  return table(['ratios', ...columns.map(({ title }) => title)], rows);
}
