// What a scraper gets to see of some metrics, for tests.
import { expect } from 'chai';
import type { Metrics } from '../../../src/observe/metrics.ts';
import { parseExposition } from './exposition.ts';
import type { ParsedFamily } from './exposition.ts';

export async function scrape(metrics: Pick<Metrics, 'render'>): Promise<Map<string, ParsedFamily>> {
  return parseExposition((await metrics.render()).text);
}

/** The value of the one sample with this name that has these labels, and maybe others; undefined: there is none. */
export async function value(
  metrics: Pick<Metrics, 'render'>,
  name: string,
  labels: Record<string, string> = {},
): Promise<number | undefined> {
  const base = name.replace(/_(bucket|sum|count)$/, '');
  const families = await scrape(metrics);
  const samples = (families.get(name) ?? families.get(base))?.samples ?? [];
  const found = samples.filter(
    (sample) =>
      sample.name === name &&
      Object.entries(labels).every(([label, wanted]) => sample.labels[label] === wanted),
  );
  expect(found.length, `${name} ${JSON.stringify(labels)}`).to.be.at.most(1);
  return found[0]?.value;
}

/** Series of our own metrics. prom-client's nodejs_* come and go with what the process does. */
export async function seriesCount(metrics: Pick<Metrics, 'render'>): Promise<number> {
  const ours = [...(await scrape(metrics)).values()].filter((family) => /^(viaduct|http)_/.test(family.name));
  return ours.reduce((total, family) => total + family.samples.length, 0);
}
