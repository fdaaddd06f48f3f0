// In the master: the metrics of the apps over all workers, as families of its registry. May not know how the processes
// talk. Nothing that comes in is trusted: it is made by other people's code.
import type { Registry } from 'prom-client';
import { appSeriesLimit, type DroppedSeries, judgeName } from './app-metrics.ts';
import { AppFamily, type AppShape, isSameShape, shapeOf } from './app-series.ts';
import { registerFamily } from './family.ts';
import { listOf, type WorkerKey } from './ledger.ts';

/** Milliseconds for which a count is kept that no worker has any more: the next worker may be a while in coming. */
const KEPT = 10 * 60_000;

export class AppRecord {
  /** Series there may be, over all apps. */
  limit: number = appSeriesLimit(1);
  readonly #registry: Registry;
  readonly #dropped: DroppedSeries;
  readonly #families = new Map<string, AppFamily>();

  constructor(registry: Registry, dropped: DroppedSeries) {
    this.#registry = registry;
    this.#dropped = dropped;
  }

  get size(): number {
    let size = 0;
    for (const family of this.#families.values()) size += family.size;
    return size;
  }

  /**
   * Adds what a worker has told of one metric.
   * @param worker by numbers that rise: the later process has the newer code
   * @param told an AppDelta as it came
   * @returns how many values were left out, those over the limit not among them
   */
  apply(worker: WorkerKey, told: Readonly<Record<string, unknown>>, now = performance.now()): number {
    const { name, source } = told;
    const series = listOf(told['series']);
    const shape = shapeOf(told);
    if (judgeName(name) !== 'take' || shape === null || typeof source !== 'number') return series.length + 1;
    if (this.size >= this.limit) this.prune(now);
    const family = this.#family(String(name), shape, worker);
    if (family === null) {
      this.#dropped.inc('invalid', series.length);
      return 0;
    }
    const owner = ownerOf(worker, source);
    let leftOut = 0;
    let size = this.size;
    for (const each of series) {
      const [key, ...values] = listOf(each);
      const isNew = !family.has(key);
      if (isNew && size >= this.limit) this.#dropped.inc('limit');
      else if (!family.add(owner, key, values)) leftOut += 1;
      else if (isNew) size += 1;
    }
    for (const key of listOf(told['gone'])) family.remove(owner, key, now);
    return leftOut;
  }

  /** The process is gone. */
  forget(worker: WorkerKey, now = performance.now()): void {
    const prefix = ownerOf(worker, '');
    for (const family of this.#families.values()) family.forget((owner) => owner.startsWith(prefix), now);
    this.prune(now);
  }

  /** Drops what nobody has had for long. */
  prune(now = performance.now()): void {
    for (const [name, family] of this.#families) {
      family.prune(now - KEPT);
      if (family.size === 0) this.#drop(name);
    }
  }

  /** null: there is one of that name that is another thing, and is in use. */
  #family(name: string, shape: AppShape, worker: WorkerKey): AppFamily | null {
    const known = this.#families.get(name);
    if (known !== undefined) {
      if (isSameShape(known.shape, shape)) return known;
      // After a reload it may be another thing, also while workers of before still live. In one worker the first has it.
      for (const owner of known.owners()) if (Number(worker) <= Number(workerOf(owner))) return null;
      this.#drop(name);
    }
    const family = new AppFamily(name, shape);
    this.#families.set(name, family);
    registerFamily(this.#registry, family.family);
    return family;
  }

  #drop(name: string): void {
    this.#families.delete(name);
    this.#registry.removeSingleMetric(name);
  }
}

const workerOf = (owner: string): string => owner.slice(0, owner.indexOf('/'));
const ownerOf = (worker: WorkerKey, source: number | string): string => `${worker}/${source}`;
