// Turns samples into the tables of bench/results.md, ratios first.
import type { Sample } from './measure.ts';
import { median } from './statistics.ts';
import { table } from './table.ts';

/** The samples of one backend, one a round. */
export interface Series {
  readonly name: string;
  readonly samples: readonly Sample[];
}

/**
 * How a backend stands to the baseline: per round, then the median, so that a machine that is busy for a while disturbs
 * both alike. `others` are further columns of CPU ratios.
 */
export function ratioTable(series: readonly Series[], baseline: Series, others: readonly Series[]): string {
  const head = ['backend', `CPU/request : ${baseline.name}`];
  head.push(...others.map(({ name }) => `CPU/request : ${name}`), `requests/s : ${baseline.name}`);
  const rows = series.map((each) => [
    each.name,
    ...[baseline, ...others].map((other) => ratio(each, other, (sample) => sample.cpu)),
    ratio(each, baseline, (sample) => sample.rate),
  ]);
  return table(head, rows);
}

/** Medians of the figures themselves. */
export function figureTable(series: readonly Series[]): string {
  const head = ['backend', 'requests/s', 'CPU us/request', 'min..max', 'nginx us/request'];
  head.push('RSS MiB', 'p50 ms', 'p99 ms', 'errors');
  return table(head, series.map(figureRow));
}

function figureRow({ name, samples }: Series): string[] {
  const middle = (of: (sample: Sample) => number): number => median(samples.map(of));
  const cpu = samples.map((sample) => sample.cpu);
  return [
    name,
    middle((sample) => sample.rate).toFixed(0),
    median(cpu).toFixed(1),
    `${Math.min(...cpu).toFixed(1)}..${Math.max(...cpu).toFixed(1)}`,
    middle((sample) => sample.nginxCpu).toFixed(1),
    (middle((sample) => sample.resident) / 2 ** 20).toFixed(0),
    middle((sample) => sample.p50).toFixed(2),
    middle((sample) => sample.p99).toFixed(2),
    String(samples.reduce((sum, sample) => sum + sample.errors, 0)),
  ];
}

function ratio(one: Series, other: Series, of: (sample: Sample) => number): string {
  const ratios: number[] = [];
  for (const [round, sample] of one.samples.entries()) {
    const against = other.samples[round];
    if (against !== undefined) ratios.push(of(sample) / of(against));
  }
  return ratios.length === 0 ? '-' : median(ratios).toFixed(2);
}
