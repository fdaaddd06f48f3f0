// What the supervisor's metrics show of processes and mounts, from the master's own tables. Asks nobody.
import type { MountRow, PlaceCount, SupervisorTables } from '../observe/supervisor-metrics.ts';
import type { Generation } from './generation.ts';
import type { Generations } from './generations.ts';
import { rowsOf } from './status.ts';

export function supervisorTables(generations: Generations): SupervisorTables {
  return {
    workers: () => rowsOf(generations.all),
    mounts: () => mountRowsOf(generations.current),
    places: () => placesOf(generations.current),
    generation: () => generations.current?.id ?? 0,
  };
}

/** One row a mount of the generation that serves. */
export function mountRowsOf(current: Generation | null): MountRow[] {
  if (current === null) return [];
  const serving = current.slots.map((slot) => slot.current).filter((child) => child !== null);
  const pools = new Map(current.pools.map((pool) => [pool.mount, pool]));
  return current.loaded.config.mounts.map(({ name: mount }) => {
    const loaded = serving.filter(({ failures }) => failures.every((failure) => failure.mount !== mount));
    const pool = pools.get(mount);
    if (loaded.length === 0 || (pool !== undefined && pool.unready !== null))
      return { mount, state: 'failed' };
    const isWhole =
      loaded.length === current.slots.length &&
      (pool === undefined || pool.slots.every((slot) => slot.current !== null));
    return { mount, state: isWhole ? 'ready' : 'degraded' };
  });
}

/** How many processes there are to be. */
export function placesOf(current: Generation | null): PlaceCount {
  if (current === null) return { node: 0, python: 0 };
  return {
    node: current.slots.length,
    python: current.pools.reduce((sum, { slots }) => sum + slots.length, 0),
  };
}
