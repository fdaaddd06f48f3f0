// Where the metrics of apps are: the default registry of every copy of prom-client that an app has loaded, and registries
// that apps hand over. May not know what becomes of them, and loads no prom-client itself.
import { createRequire } from 'node:module';

/** A registry of prom-client, of any copy and version. */
export interface SharedRegistry {
  getMetricsAsArray(): unknown;
}

/** A name that is the same for each copy of viaduct: the app's own is another one than the one that runs it. */
const PLACE = Symbol.for('viaduct.registries');

/**
 * Has the metrics of a registry of prom-client in viaduct's /metrics, added up over all workers. The default registry is
 * there without it.
 */
export function shareMetrics(registry: SharedRegistry): void {
  shared().add(registry);
}

/** All there are now, each once. */
export function sharedRegistries(): SharedRegistry[] {
  return [...new Set([...shared(), ...defaultRegistries()])].filter(isRegistry);
}

function shared(): Set<unknown> {
  const place = globalThis as { [PLACE]?: unknown };
  const found = place[PLACE];
  if (found instanceof Set) return found;
  const made = new Set<unknown>();
  place[PLACE] = made;
  return made;
}

// prom-client is CommonJS: whoever imports or requires it, it is in the cache of require(), wherever its folder is. Only
// what an app has bundled is not, and has to be handed over.
function* defaultRegistries(): Iterable<unknown> {
  const { cache } = createRequire(import.meta.url);
  for (const file of Object.keys(cache)) {
    if (!MAIN.test(file)) continue;
    const exported: unknown = cache[file]?.exports;
    if (exported !== null && typeof exported === 'object' && 'register' in exported) yield exported.register;
  }
}

const MAIN = /[\\/]prom-client[\\/]index\.js$/;

const isRegistry = (value: unknown): value is SharedRegistry =>
  value !== null &&
  typeof value === 'object' &&
  'getMetricsAsArray' in value &&
  typeof value.getMetricsAsArray === 'function';
