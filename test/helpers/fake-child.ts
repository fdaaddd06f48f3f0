// A worker process of the master that is none: a test says what becomes of it, and sees what it was told.
import type { BootFailure } from '../../src/runtime/boot.ts';
import type { Child, ChildOptions, ChildOwner } from '../../src/runtime/child.ts';
import type { WorkerStats } from '../../src/runtime/ipc.ts';
import type { Usage } from '../../src/runtime/proc.ts';
import type { ExitReason, WorkerState } from '../../src/observe/supervisor-metrics.ts';

export class FakeChild {
  state: WorkerState = 'starting';
  /** Whether it shows as stuck. */
  quiet = false;
  failures: readonly BootFailure[];
  culprit: BootFailure | null = null;
  stats: WorkerStats = { requests: 0, inFlight: 0, heapUsed: 0 };
  usage: Usage = { rss: 0, cpu: 0 };
  startedAt: number = performance.now();
  heardAt: number = performance.now();
  servingSince: number | null = null;
  /** For isSilent(). */
  silent = false;
  readonly slot: number;
  /** What it was told, in order: "serve", "drain reload", "kill stuck". */
  readonly told: string[] = [];
  /** Mounts it was not to load. */
  readonly skipped: readonly string[];
  readonly outbox = {};
  readonly #owner: ChildOwner;

  constructor({ slot, skip, owner }: Pick<ChildOptions, 'slot' | 'skip' | 'owner'>) {
    this.slot = slot;
    this.failures = skip;
    this.skipped = skip.map(({ mount }) => mount);
    this.#owner = owner;
  }

  /** As what the master takes it for. */
  get asChild(): Child {
    return this as unknown as Child;
  }

  get shownState(): WorkerState {
    return this.quiet ? 'stuck' : this.state;
  }

  /** It has tried to load every app. */
  boots(...failed: string[]): void {
    this.failures = [...this.failures, ...failed.map((mount) => ({ mount, message: 'no' }))];
    this.#owner.booted(this.asChild);
  }

  /** It accepts, as it was told. */
  serves(): void {
    this.state = 'ready';
    this.servingSince = performance.now();
    this.#owner.serving(this.asChild);
  }

  /** Somebody has sent it TERM. */
  leaves(): void {
    this.#owner.leaves(this.asChild);
  }

  /** It is gone; while it loaded `culprit`, where that is given. */
  ends(reason: ExitReason = 'crash', culprit: string | null = null): void {
    this.state = 'dead';
    this.culprit = culprit === null ? null : { mount: culprit, message: 'its worker ended' };
    this.#owner.exited(this.asChild, reason);
  }

  serve(): void {
    this.told.push('serve');
  }

  drain(reason: ExitReason): void {
    this.told.push(`drain ${reason}`);
  }

  stop(reason: ExitReason): void {
    this.told.push(`stop ${reason}`);
  }

  kill(reason: ExitReason): void {
    this.told.push(`kill ${reason}`);
  }

  measure(): void {
    // `usage` is the test's to set.
  }

  isSilent(): boolean {
    return this.silent;
  }
}
