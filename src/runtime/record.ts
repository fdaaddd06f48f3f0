// The numbers of record: what the workers count, what the master does with them and what they use, over the lives of all
// workers. Knows no generation; the table of workers is shown to it.
import { formatAddress } from '../config/address.ts';
import type { Config } from '../config/types.ts';
import { Metrics } from '../observe/metrics.ts';
import {
  type ExitReason,
  SupervisorMetrics,
  type SupervisorTables,
  type WorkerKind,
} from '../observe/supervisor-metrics.ts';
import { PROTOCOL_ERRORS } from '../protocol/errors.ts';
import { seriesLimitOf } from './app-series.ts';
import type { Child } from './child.ts';
import type { PythonProcess } from './python/process.ts';
import { VERSION } from './version.ts';

export class Record {
  readonly metrics: Metrics;
  readonly #supervisor: SupervisorMetrics;

  constructor(tables: SupervisorTables) {
    const errorReasons = Object.values(PROTOCOL_ERRORS).map(({ reason }) => reason);
    this.metrics = new Metrics({ version: VERSION, errorReasons });
    this.#supervisor = new SupervisorMetrics(this.metrics.registry, tables);
  }

  /** From now on counts the lines that the master's own log loses. */
  watch(logs: { readonly dropped: number }): void {
    this.metrics.logs.watch('log', () => logs.dropped);
  }

  /** Log lines given up so far, by whomever. */
  get droppedLines(): number {
    return this.metrics.logs.samples().reduce((sum, { value }) => sum + value, 0);
  }

  /** From now on workers may count for what this configuration has. */
  expect(config: Config): void {
    for (const { name, python } of config.mounts) {
      const mount = this.metrics.mount(name);
      if (python !== null) mount.watchThreads(() => 0);
    }
    this.metrics.mount('');
    this.metrics.apps.limit = seriesLimitOf(config);
    for (const { address, protocol } of config.listeners)
      this.metrics.listener(formatAddress(address), protocol);
  }

  /** No worker of another configuration lives any more: what only those had is dropped. */
  retain(config: Config): void {
    this.metrics.retain(
      config.mounts.map(({ name }) => name),
      config.listeners.map(({ address }) => formatAddress(address)),
    );
  }

  spawned(kind: WorkerKind): void {
    this.#supervisor.spawned(kind);
  }

  serving(kind: WorkerKind, { startedAt }: Pick<Child, 'startedAt'>): void {
    this.#supervisor.booted(kind, (performance.now() - startedAt) / 1000);
  }

  /** @param delta as it came from the worker */
  counted(child: Child, delta: unknown): void {
    if (delta !== null) this.metrics.applyDelta(child.serial, delta);
  }

  exited(child: Child, reason: ExitReason): void {
    this.metrics.forgetSlot(child.serial);
    this.#supervisor.exited({ kind: 'node', slot: child.slot, cpuSeconds: child.usage.cpu }, reason);
  }

  /** @param place its number among those of all pools */
  pythonExited({ usage }: PythonProcess, place: number, reason: ExitReason): void {
    this.#supervisor.exited({ kind: 'python', slot: place, cpuSeconds: usage.cpu }, reason);
  }

  /** A reload is over, `seconds` after it began. */
  reloaded(result: 'ok' | 'rejected', seconds: number): void {
    this.#supervisor.reloaded(result, seconds);
  }
}
