// From a registry to the text a scraper asked for: Prometheus text, or OpenMetrics by Accept. May not know what is measured.
import { Registry } from 'prom-client';
import type { OpenMetricsContentType } from 'prom-client';
import { registerFamily } from './family.ts';

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
  const source = wantsOpenMetrics(accept) ? await openMetricsView(registry) : registry;
  return { contentType: source.contentType, text: await source.metrics() };
}

// In OpenMetrics a counter's family has no _total, its samples do. prom-client (15.1.3, Registry.metrics) gets there by
// renaming the metric itself for ever, so that one OpenMetrics scrape would rename every counter in the text scrapes
// after it. A registry made for this scrape holds stand-ins instead, named as the format wants them.
async function openMetricsView(registry: Registry): Promise<Registry<OpenMetricsContentType>> {
  const view = new Registry<OpenMetricsContentType>();
  view.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
  for (const snapshot of await registry.getMetricsAsJSON()) {
    registerFamily(view, openMetricsFamily(snapshot));
  }
  return view;
}

// What an app counts under a name without _total would get one; as `unknown` it is called the same in both formats.
function openMetricsFamily(snapshot: { readonly name: string; readonly type: unknown }): {
  name: string;
  get(): Promise<unknown>;
} {
  const isCounter = String(snapshot.type) === 'counter';
  const name = isCounter ? snapshot.name.replace(/_total$/, '') : snapshot.name;
  const type = isCounter && name === snapshot.name ? 'unknown' : snapshot.type;
  return { name, get: () => Promise.resolve({ ...snapshot, name, type }) };
}
