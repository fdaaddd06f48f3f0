// The numbers of record: what the workers count, what the master does with them and what they use, over the lives of all
// workers. Knows no generation; the table of workers is shown to it.
import { formatAddress } from '../config/address.ts';
import type { Config } from '../config/types.ts';
import { Metrics } from '../observe/metrics.ts';
import { type ExitReason, SupervisorMetrics, type WorkerRow } from '../observe/supervisor-metrics.ts';
import { PROTOCOL_ERRORS } from '../protocol/errors.ts';
import type { Child } from './child.ts';
import { VERSION } from './version.ts';

export class Record {
  readonly metrics: Metrics;
  readonly #supervisor: SupervisorMetrics;

  /** @param workers the table as it stands */
  constructor(workers: () => Iterable<WorkerRow>) {
    const errorReasons = Object.values(PROTOCOL_ERRORS).map(({ reason }) => reason);
    this.metrics = new Metrics({ version: VERSION, errorReasons });
    this.#supervisor = new SupervisorMetrics(this.metrics.registry, workers);
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
    for (const { name } of config.mounts) this.metrics.mount(name);
    this.metrics.mount('');
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

  spawned(): void {
    this.#supervisor.spawned('node');
  }

  serving(child: Child): void {
    this.#supervisor.booted('node', (performance.now() - child.startedAt) / 1000);
  }

  /** @param delta as it came from the worker */
  counted(child: Child, delta: unknown): void {
    if (delta !== null) this.metrics.applyDelta(child.serial, delta);
  }

  exited(child: Child, reason: ExitReason): void {
    this.metrics.forgetSlot(child.serial);
    this.#supervisor.exited({ kind: 'node', slot: child.slot, cpuSeconds: child.usage.cpu }, reason);
  }

  /** A reload is over, `seconds` after it began. */
  reloaded(result: 'ok' | 'rejected', seconds: number): void {
    this.#supervisor.reloaded(result, seconds);
  }
}
