// The pools of one generation, one a Python mount. Knows the workers only by their numbers.
import type { Logger } from 'pino';
import type { LaneAddress, LaneChange, Overdue, PoolState } from '../../apps/python/lane-server.ts';
import { tooFewThreads } from '../../config/python-checks.ts';
import type { Config } from '../../config/types.ts';
import type { ExitReason } from '../../observe/supervisor-metrics.ts';
import type { BootFailure } from '../boot.ts';
import { targetIds } from '../privileges.ts';
import { lanePath, removeLanes } from '../run-dir.ts';
import { Pool, type PoolEvents } from './pool.ts';
import type { PythonProcess, PythonProcessOptions } from './process.ts';

/** What becomes of Python processes; `place` is the number among those of all pools. */
export interface PythonEvents {
  spawned(process: PythonProcess): void;
  serving(process: PythonProcess): void;
  exited(process: PythonProcess, place: number, reason: ExitReason): void;
}

export interface PoolSetOptions {
  readonly config: Config;
  readonly generation: number;
  readonly workers: number;
  readonly logs: { readonly logger: Logger };
  readonly events: PythonEvents;
  /** Every worker is to know it. */
  readonly tell: (state: PoolState) => void;
  readonly start?: ((options: PythonProcessOptions) => PythonProcess) | undefined;
}

export class PoolSet {
  readonly pools: readonly Pool[];
  readonly #options: PoolSetOptions;
  #isBooted = false;

  constructor(options: PoolSetOptions) {
    this.#options = options;
    const { config } = options;
    let firstPlace = 0;
    this.pools = config.mounts.flatMap((mount, index) => {
      const { python } = mount;
      if (python === null) return [];
      const pool = this.#makePool({ ...mount, python }, index, firstPlace);
      firstPlace += python.processes;
      return [pool];
    });
  }

  /** Why there cannot be so many workers; null: there can. */
  problemWith(workers: number): string | null {
    for (const { name, python } of this.#options.config.mounts) {
      const message = python === null ? null : tooFewThreads(python.processes, python.threads, workers);
      if (message !== null) return `Cannot serve mount ${name}: ${message}`;
    }
    return null;
  }

  /** Where Python threads meet the worker in that place. */
  addresses(worker: number): LaneAddress[] {
    return this.pools.map((pool) => pool.address(worker));
  }

  get states(): PoolState[] {
    return this.pools.map(({ state }) => state);
  }

  get unready(): string[] {
    return this.pools.map(({ unready }) => unready).filter((reason) => reason !== null);
  }

  /**
   * Starts every process; resolves with the mounts that failed once of each it is known.
   * @param failed told each of them at once
   */
  async boot(failed: (failure: BootFailure) => void): Promise<BootFailure[]> {
    const failures = await Promise.all(
      this.pools.map(async (pool) => {
        const failure = await pool.boot();
        if (failure !== null) failed(failure);
        return failure;
      }),
    );
    this.#isBooted = true;
    return failures.filter((failure) => failure !== null);
  }

  tick(now: number): void {
    for (const pool of this.pools) {
      for (const each of pool.processes) each.measure();
      if (this.#isBooted) pool.tick(now);
    }
  }

  laneChanged(change: LaneChange, worker: number): void {
    this.#find(change.mount)?.laneChanged(change, worker);
  }

  overdue(overdue: Overdue): void {
    this.#find(overdue.mount)?.overdue(overdue);
  }

  /** A worker process is gone. */
  workerGone(worker: number): void {
    for (const pool of this.pools) pool.workerGone(worker);
  }

  /** There are more or fewer workers: these, by their places. */
  deal(workers: readonly number[]): void {
    for (const pool of this.pools) pool.deal(workers);
  }

  /** Ends every process once no worker is left; resolves when all are gone. */
  async drain(reason: ExitReason): Promise<void> {
    await Promise.all(this.pools.map((pool) => pool.drain(reason)));
    this.#clean();
  }

  /** Resolves when all are gone. */
  async kill(reason: ExitReason): Promise<void> {
    await Promise.all(this.pools.map((pool) => pool.kill(reason)));
    this.#clean();
  }

  #find(mount: string): Pool | undefined {
    return this.pools.find((pool) => pool.mount === mount);
  }

  #clean(): void {
    if (this.pools.length > 0) removeLanes(this.#options.config.runDir, this.#options.generation);
  }

  #makePool(
    mount: Config['mounts'][number] & { python: NonNullable<Config['mounts'][number]['python']> },
    index: number,
    firstPlace: number,
  ): Pool {
    const { config, generation, workers, logs, events, tell, start } = this.#options;
    const poolEvents: PoolEvents = {
      spawned: (process) => events.spawned(process),
      serving: (process) => events.serving(process),
      exited: (process, reason) => events.exited(process, firstPlace + process.number, reason),
      state: tell,
    };
    return new Pool({
      mount,
      python: mount.python,
      firstPlace,
      lanePath: (worker) => lanePath(config.runDir, generation, worker, index),
      workers,
      graceful: config.timeouts.graceful,
      repeats: !config.development,
      ids: targetIds(config),
      logs,
      events: poolEvents,
      ...(start === undefined ? {} : { start }),
    });
  }
}
