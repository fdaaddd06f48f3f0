// Everything a process counts, by mount, by listener and by log; and how it gets from the workers, which count, to the
// master, which keeps the record. May not know prom-client (it costs a process 11 MB of resident memory, by
// process.memoryUsage() around its import), nor how the processes talk.
import { type AppDelta, DroppedSeries } from './app-metrics.ts';
import { type Ledger, type LedgerDelta, listOf, type WorkerKey } from './ledger.ts';
import { ListenerMetrics } from './listener-metrics.ts';
import { LogMetrics } from './log-metrics.ts';
import { MountMetrics } from './mount-metrics.ts';
import { ProcessMetrics } from './process-metrics.ts';

/** The `mount` label of a request that belongs to none: no mount matched, or its params were no good. */
export const NO_MOUNT = '_none';

interface PartName {
  readonly kind: 'mount' | 'listener' | 'logs' | 'process' | 'app_series';
  /** '' of a part of which there is one. */
  readonly name: string;
}

type PartDelta = PartName & LedgerDelta;

/** What has changed since the last one: plain data, so that it can cross a process boundary. */
export type MetricsDelta = readonly (PartDelta | AppDelta)[];

export type UnknownPart = Readonly<Partial<Record<string, unknown>>>;

export interface MetricSlotsOptions {
  /** What a worker may name as the reason of a protocol error. Default: anything, up to 64 for each protocol. */
  readonly errorReasons?: Iterable<string>;
}

export class MetricSlots {
  readonly #mounts = new Map<string, MountMetrics>();
  readonly #listeners = new Map<string, ListenerMetrics>();
  readonly logs = new LogMetrics();
  readonly process = new ProcessMetrics();
  readonly droppedSeries = new DroppedSeries();
  readonly #errorReasons: ReadonlySet<string> | null;

  constructor(options: MetricSlotsOptions = {}) {
    this.#errorReasons = options.errorReasons === undefined ? null : new Set(options.errorReasons);
  }

  /**
   * The slots of a mount, made on first call: call it for every mount at boot, so that its series exist at 0, and in
   * the master for every mount a worker may count for. '' is NO_MOUNT.
   */
  mount(name: string): MountMetrics {
    const key = name === '' ? NO_MOUNT : name;
    let mount = this.#mounts.get(key);
    if (!mount) this.#mounts.set(key, (mount = new MountMetrics(key)));
    return mount;
  }

  /** The slots of a listener, made on first call; `protocol` is the one it is configured for (`auto` included). */
  listener(label: string, protocol: string): ListenerMetrics {
    let listener = this.#listeners.get(label);
    if (!listener)
      this.#listeners.set(label, (listener = new ListenerMetrics(label, protocol, this.#errorReasons)));
    return listener;
  }

  get mounts(): Iterable<MountMetrics> {
    return this.#mounts.values();
  }

  get listeners(): Iterable<ListenerMetrics> {
    return this.#listeners.values();
  }

  /** In a worker: what to send to the master now. null: nothing has changed. What is taken counts as sent. */
  takeDelta(): readonly PartDelta[] | null {
    this.logs.update();
    const delta: PartDelta[] = [];
    for (const { kind, name, ledger } of this.#parts()) {
      const taken = ledger.take();
      if (taken !== null) delta.push({ kind, name, ...taken });
    }
    return delta.length === 0 ? null : delta;
  }

  /**
   * In the master: adds what a worker took, and what its apps have told. A worker runs other people's code, so nothing in it is trusted: it cannot
   * throw, lower a counter, nor count for a mount, listener, method, code or reason that is not known here.
   * @param worker one process among the living: not the slot alone, which two share while one replaces the other
   * @param delta a MetricsDelta as it came from the worker
   * @returns how many values were left out: 0 unless the worker is broken
   */
  applyDelta(worker: WorkerKey, delta: unknown): number {
    let leftOut = 0;
    for (const each of listOf(delta)) leftOut += this.applyPart(worker, (each ?? {}) as UnknownPart);
    return leftOut;
  }

  /** One part of a delta; as applyDelta(). */
  protected applyPart(worker: WorkerKey, { kind, name, counters, gauges }: UnknownPart): number {
    return this.#find(kind, name)?.apply(worker, counters, gauges) ?? 1;
  }

  /**
   * In the master: the process is gone, its gauges go with it. To be called when its channel has closed ('disconnect'),
   * after its last message: a delta applied later would bring its gauges back for ever.
   */
  forgetSlot(worker: WorkerKey): void {
    for (const { ledger } of this.#parts()) ledger.forget(worker);
  }

  /**
   * In the master, once no worker of an older configuration lives: drops the series of mounts and listeners that are
   * not in the present one, or names that change with each reload would add up.
   */
  retain(mounts: Iterable<string>, listeners: Iterable<string>): void {
    const isMount = new Set(mounts).add(NO_MOUNT);
    const isListener = new Set(listeners);
    for (const name of this.#mounts.keys()) if (!isMount.has(name)) this.#mounts.delete(name);
    for (const label of this.#listeners.keys()) if (!isListener.has(label)) this.#listeners.delete(label);
  }

  *#parts(): Iterable<PartName & { ledger: Ledger }> {
    for (const [name, { ledger }] of this.#mounts) yield { kind: 'mount', name, ledger };
    for (const [name, { ledger }] of this.#listeners) yield { kind: 'listener', name, ledger };
    yield { kind: 'logs', name: '', ledger: this.logs.ledger };
    yield { kind: 'process', name: '', ledger: this.process.ledger };
    yield { kind: 'app_series', name: '', ledger: this.droppedSeries.ledger };
  }

  #find(kind: unknown, name: unknown): Ledger | undefined {
    if (typeof name !== 'string') return undefined;
    if (kind === 'mount') return this.#mounts.get(name)?.ledger;
    if (kind === 'listener') return this.#listeners.get(name)?.ledger;
    if (kind === 'process') return this.process.ledger;
    if (kind === 'app_series') return this.droppedSeries.ledger;
    return kind === 'logs' ? this.logs.ledger : undefined;
  }
}
