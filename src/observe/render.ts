// From a registry to the text a scraper asked for: Prometheus text, or OpenMetrics by Accept. May not know what is measured.
import type { Registry } from 'prom-client';
import { CONTENT_TYPES, type FamilySnapshot, writeFamilies } from './exposition.ts';

export interface Rendered {
  readonly contentType: string;
  readonly text: string;
}

/** True where the Accept header ranks application/openmetrics-text at least as high as text/plain (RFC 9110 section 12.5.1). */
export function wantsOpenMetrics(accept: string): boolean {
  let openMetrics = 0;
  let plain = 0;
  for (const range of accept.split(',')) {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
    const weight = parameters.find((parameter) => parameter.startsWith('q='));
    const q = weight === undefined ? 1 : Number(weight.slice(2)) || 0;
    if (type === 'application/openmetrics-text') openMetrics = Math.max(openMetrics, q);
    if (type === 'text/plain') plain = Math.max(plain, q);
  }
  return openMetrics > 0 && openMetrics >= plain;
}

/** Everything in the registry, as the scraper wants it. */
export async function render(registry: Registry, accept: string): Promise<Rendered> {
  const format = wantsOpenMetrics(accept) ? 'openmetrics' : 'text';
  const snapshots = await Promise.all(registry.getMetricsAsArray().map((metric) => read(metric)));
  return { contentType: CONTENT_TYPES[format], text: writeFamilies(snapshots, format) };
}

/** A Family, or a metric of prom-client. */
function read(metric: object): Promise<FamilySnapshot> {
  const family = metric as { get(): Promise<FamilySnapshot>; getForPromString?(): Promise<FamilySnapshot> };
  // Where there is one, the labels of a histogram come in one object for all of its samples.
  return family.getForPromString?.() ?? family.get();
}
