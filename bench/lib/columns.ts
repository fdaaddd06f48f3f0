// The columns that the scenarios' tables are made of.
import type { FigureColumn, FigureName, Figures, RatioColumn, Series } from './scenario.ts';
import { median } from './statistics.ts';

/** The values of one figure that are there. */
function valuesOf({ samples }: Series, name: FigureName): number[] {
  return samples.map((figures) => figures[name]).filter((value) => value !== undefined);
}

/** Median over the rounds; undefined where there is none. */
export function middle(series: Series, name: FigureName): number | undefined {
  const values = valuesOf(series, name);
  return values.length === 0 ? undefined : median(values);
}

/**
 * How a case stands to another: per round, then the median, so that a machine that is busy for a while disturbs both
 * alike. Undefined where no round has both.
 */
export function ratio(one: Series, other: Series, name: FigureName): number | undefined {
  const ratios: number[] = [];
  for (const [round, figures] of one.samples.entries()) {
    const value = figures[name];
    const against: Figures = other.samples[round] ?? {};
    if (value !== undefined && against[name] !== undefined) ratios.push(value / against[name]);
  }
  return ratios.length === 0 ? undefined : median(ratios);
}

/** A case to the same one always, or as `to` says. */
export const ratioColumn = (
  title: string,
  figure: FigureName,
  to: string | RatioColumn['to'],
): RatioColumn => ({ title, figure, to: typeof to === 'string' ? () => to : to });

/** The median, times `scale`. */
export function column(title: string, name: FigureName, scale: number, digits: number): FigureColumn {
  return { title, show: (series) => print(middle(series, name), scale, digits) };
}

/** How much the rounds differ: a ratio within that is no difference. */
export function spread(name: FigureName, scale: number, digits: number): FigureColumn {
  return {
    title: 'min..max',
    show(series) {
      const values = valuesOf(series, name);
      if (values.length === 0) return '-';
      return `${print(Math.min(...values), scale, digits)}..${print(Math.max(...values), scale, digits)}`;
    },
  };
}

/** Of all rounds together. */
export function total(title: string, name: FigureName): FigureColumn {
  return {
    title,
    show(series) {
      const values = valuesOf(series, name);
      return values.length === 0 ? '-' : String(values.reduce((sum, value) => sum + value, 0));
    },
  };
}

const RESIDENT: FigureColumn = column('RSS MiB', 'resident', 2 ** -20, 0);

/** Of pages that wrk asks for. */
export const PAGE_COLUMNS: readonly FigureColumn[] = [
  column('requests/s', 'rate', 1, 0),
  column('CPU us/request', 'cpu', 1e6, 1),
  spread('cpu', 1e6, 1),
  column('nginx us/request', 'nginxCpu', 1e6, 1),
  RESIDENT,
  column('p50 ms', 'p50', 1, 2),
  column('p99 ms', 'p99', 1, 2),
  total('errors', 'errors'),
];

/** Of large bodies. */
export const BULK_COLUMNS: readonly FigureColumn[] = [
  column('MB/s', 'rate', 1e-6, 0),
  column('CPU s/GB', 'cpu', 1, 3),
  spread('cpu', 1, 3),
  column('nginx s/GB', 'nginxCpu', 1, 3),
  RESIDENT,
];

function print(value: number | undefined, scale: number, digits: number): string {
  return value === undefined ? '-' : (value * scale).toFixed(digits);
}
