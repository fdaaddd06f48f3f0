// What there is to see of a running viaduct: gathered once a second, shown to whoever asks, with fresh numbers. Waits for
// nobody longer than a page can. Decides nothing about workers.
import type { LoadedConfig } from '../config/load.ts';
import { History } from '../observe/history.ts';
import { sharedRefresh } from '../observe/refresh.ts';
import type { Status } from '../observe/status-data.ts';
import { CpuShares } from './cpu-shares.ts';
import type { Flush } from './flush.ts';
import type { Generations } from './generations.ts';
import type { Logs } from './logs.ts';
import type { Record } from './record.ts';
import type { Reloads } from './reloads.ts';
import { activeWorkers, statusOf } from './status.ts';

export interface StatusBoardOptions {
  /** The configuration that serves. */
  readonly loaded: () => LoadedConfig;
  /** Why requests cannot be served; empty when they can. */
  readonly unready: () => readonly string[];
  readonly generations: Generations;
  readonly flush: Flush;
  readonly record: Record;
  readonly reloads: Pick<Reloads, 'counts' | 'last'>;
  readonly logs: Logs;
}

export class StatusBoard {
  readonly #options: StatusBoardOptions;
  readonly #startedAt = Date.now();
  readonly #history: History;
  readonly #cpu = new CpuShares<object>();
  #maxActiveWorkers = 0;
  /** Fresh numbers of the workers, for as long as who asks can wait. */
  readonly refresh: () => Promise<void>;

  constructor(options: StatusBoardOptions) {
    const { flush, generations, logs, record } = options;
    this.#options = options;
    this.#history = new History(record.metrics, performance.now());
    this.refresh = sharedRefresh(
      () => flush.refresh(generations.children),
      (error) =>
        logs.logger.error({ err: error }, 'Cannot refresh the numbers, the last ones known are shown'),
    );
  }

  /** To be called once a second, with performance.now(). */
  tick(now: number): void {
    const { all } = this.#options.generations;
    this.#history.tick(now);
    this.#maxActiveWorkers = Math.max(this.#maxActiveWorkers, activeWorkers(all));
    const { user, system } = process.cpuUsage();
    this.#cpu.look(process, (user + system) / 1e6, now);
    for (const { children, pools } of all)
      for (const each of [...children, ...pools.flatMap(({ processes }) => processes)])
        this.#cpu.look(each, each.usage.cpu, now);
  }

  /** As it is known. */
  status(): Status {
    const { loaded, unready, generations, record, reloads, logs } = this.#options;
    return statusOf({
      loaded: loaded(),
      startedAt: this.#startedAt,
      generations: generations.all,
      current: generations.current,
      unready: unready(),
      reloads,
      metrics: record.metrics,
      history: this.#history,
      cpu: this.#cpu,
      errors: logs.errors.list(),
      maxActiveWorkers: this.#maxActiveWorkers,
      logLinesDropped: record.droppedLines,
    });
  }

  /** With fresh numbers. */
  async fresh(): Promise<Status> {
    await this.refresh();
    return this.status();
  }
}
