// One place for a worker or a Python process, kept filled: one that ends is followed by another, one that is due is replaced
// without a gap. Knows no configuration and no other place; what is good enough to serve is its owner's to say.
import type { Recycle } from '../config/types.ts';
import { Backoff } from './backoff.ts';
import type { BootFailure } from './boot.ts';
import type { ExitReason } from '../observe/supervisor-metrics.ts';
import type { Usage } from './proc.ts';

export type SlotState = 'empty' | 'starting' | 'serving' | 'replacing' | 'waiting' | 'over';

/**
 * start: time to fill it. serves: the next worker accepts. failed: the next worker is gone before it did. lost: the
 * worker that serves is gone. replace: it is due. end: the place is given up.
 */
export type SlotEvent = 'start' | 'serves' | 'failed' | 'lost' | 'replace' | 'end';

/** What is not in the table does not happen in that state, or means nothing. */
export const SLOT_TABLE: Readonly<Record<SlotState, Readonly<Partial<Record<SlotEvent, SlotState>>>>> = {
  /** Nobody there, and nobody to come. */
  empty: { start: 'starting', end: 'over' },
  /** Nobody serves, the next one boots. */
  starting: { serves: 'serving', failed: 'waiting', end: 'over' },
  serving: { lost: 'waiting', replace: 'replacing', end: 'over' },
  /** One serves, the next one boots. */
  replacing: { serves: 'serving', failed: 'serving', lost: 'starting', end: 'over' },
  /** Nobody serves; the next one starts after a pause. */
  waiting: { start: 'starting', end: 'over' },
  /** Whoever is still there is on the way out. */
  over: {},
};

/** serve: take over. hold: stay ready until the slot's serve() is called. drop: not good enough. */
export type Verdict = 'serve' | 'hold' | 'drop';

/** A process, as far as its place looks at it. */
export interface Occupant {
  /** Mounts it does not have; complete once it has booted. */
  readonly failures: readonly BootFailure[];
  /** Whom to blame where it ended before it had booted; null: nobody knows. */
  readonly culprit: BootFailure | null;
  readonly stats: { readonly requests: number };
  readonly usage: Usage;
  /** performance.now() */
  readonly startedAt: number;
  /** Since when it serves, performance.now(); null: it does not yet. */
  readonly servingSince: number | null;
  /** It will not recover by itself. */
  readonly isStuck?: boolean;
  serve(): void;
  kill(reason: ExitReason): void;
}

/** What a process tells its place. */
export interface Occupancy<P extends Occupant> {
  /** Every app has been tried. */
  booted(child: P): void;
  /** It takes requests. */
  serving(child: P): void;
  /** It serves, and has been asked by somebody else to go. */
  leaves(child: P): void;
  /** It is gone, with all its descendants that stayed in its group. */
  exited(child: P, reason: ExitReason): void;
}

export interface SlotOwner<P extends Occupant> {
  /** Starts a process that does not load the mounts in `skip`. */
  spawn(slot: Slot<P>, skip: readonly BootFailure[]): P;
  /** The next process has booted; `current` is the one it would replace. */
  judge(next: P, current: P | null, reason: ExitReason): Verdict;
  /** The next process ended before it served; `culprit` is the mount that did it, as far as that is known. */
  failed(slot: Slot<P>, culprit: BootFailure | null): void;
  /** Anything has changed: a process serves, or is gone. */
  changed(): void;
  /** It takes requests. */
  serving(child: P): void;
  exited(child: P, reason: ExitReason): void;
  /** Ends a process whose place is taken. */
  retire(child: P, reason: ExitReason): void;
  readonly recycle: Recycle;
}

/** Milliseconds after which a worker counts as sound: its end is then no reason to wait before the next start. */
const SOUND_AFTER = 10_000;

export class Slot<P extends Occupant> implements Occupancy<P> {
  readonly index: number;
  readonly #owner: SlotOwner<P>;
  #state: SlotState = 'empty';
  #current: P | null = null;
  #next: P | null = null;
  readonly #leaving = new Set<P>();
  /**
   * Mounts not to be loaded, since they ended a worker or did not boot in the last one: those the current one was spared, and
   * those of the start under way.
   */
  #spared: readonly BootFailure[] = [];
  #attempt: readonly BootFailure[] = [];
  /** Why the next one is to take over. */
  #reason: ExitReason = 'boot_error';
  readonly #restarts = new Backoff();
  readonly #replacements = new Backoff();
  /** Before then (performance.now()) it is not replaced. */
  #replaceAt = 0;
  /** What this worker's limits are lowered to. */
  #limitFactor = 1;
  #timer: NodeJS.Timeout | undefined;

  constructor(index: number, owner: SlotOwner<P>) {
    this.index = index;
    this.#owner = owner;
  }

  get state(): SlotState {
    return this.#state;
  }

  /** The worker that serves. */
  get current(): P | null {
    return this.#current;
  }

  /** Every worker there is, the one that serves first. */
  get children(): P[] {
    return [this.#current, this.#next, ...this.#leaving].filter((child) => child !== null);
  }

  start(): void {
    if (!this.#move('start')) return;
    this.#attempt = this.#spared;
    this.#spawn();
  }

  /** Lets a worker that was held take over. */
  serve(): void {
    this.#next?.serve();
  }

  /** Starts a worker that is to take the place of the current one. */
  replace(reason: ExitReason): void {
    if (!this.#move('replace')) return;
    this.#reason = reason;
    // A fresh try for every mount: its file may have been mended.
    this.#attempt = [];
    this.#spawn();
  }

  /** Why the current worker should be replaced at `now` (performance.now()); null: it should not. */
  due(now: number): ExitReason | null {
    const child = this.#current;
    if (this.#state !== 'serving' || child === null || now < this.#replaceAt) return null;
    if (child.failures.length > 0) return 'boot_error';
    if (child.isStuck === true) return 'stuck';
    const { maxRequests, maxAge, maxMemory } = this.#owner.recycle;
    const exceeds = (value: number, limit: number): boolean =>
      limit > 0 && value >= limit * this.#limitFactor;
    if (exceeds(child.stats.requests, maxRequests)) return 'max_requests';
    if (exceeds(child.usage.rss, maxMemory)) return 'max_memory';
    return exceeds(now - child.startedAt, maxAge) ? 'max_age' : null;
  }

  /** Gives the place up: no worker follows those that are there. */
  giveUp(): void {
    clearTimeout(this.#timer);
    this.#move('end');
  }

  booted(child: P): void {
    if (child !== this.#next) return;
    const verdict = this.#owner.judge(child, this.#current, this.#reason);
    if (verdict === 'serve') child.serve();
    else if (verdict === 'drop') child.kill('boot_error');
  }

  serving(child: P): void {
    if (child !== this.#next || !this.#move('serves')) return;
    const before = this.#current;
    this.#current = child;
    this.#next = null;
    this.#owner.serving(child);
    this.#spared = this.#attempt;
    this.#limitFactor = 1 - Math.random() * this.#owner.recycle.jitter;
    if (child.failures.length > 0) this.#replaceAt = performance.now() + this.#replacements.pause();
    else this.#replacements.reset();
    if (before !== null) {
      this.#leaving.add(before);
      this.#owner.retire(before, this.#reason);
    }
    this.#owner.changed();
  }

  leaves(child: P): void {
    if (child === this.#current) this.replace('signal');
  }

  exited(child: P, reason: ExitReason): void {
    this.#leaving.delete(child);
    this.#owner.exited(child, reason);
    if (child === this.#next) this.#failed(child);
    else if (child === this.#current) this.#lose(child);
    this.#owner.changed();
  }

  /** The current worker is no longer there to accept. */
  #lose(child: P): void {
    this.#current = null;
    // The next one serves the others at once; what failed is tried again in a replacement, while they are served.
    const known = new Set(this.#spared.map(({ mount }) => mount));
    this.#spared = [...this.#spared, ...child.failures.filter(({ mount }) => !known.has(mount))];
    if (child.servingSince !== null && performance.now() - child.servingSince > SOUND_AFTER)
      this.#restarts.reset();
    if (this.#move('lost') && this.#state === 'waiting') this.#startLater();
  }

  #failed(child: P): void {
    this.#next = null;
    if (this.#state === 'over') return;
    const { culprit } = child;
    this.#owner.failed(this, culprit);
    // The owner may have given up on everything.
    if (this.isOver) return;
    if (culprit !== null) {
      // Without the mount that ended it the next one comes further: no reason to wait, and no more tries than mounts.
      this.#attempt = [...this.#attempt, culprit];
      this.#spawn();
      return;
    }
    this.#replaceAt = performance.now() + this.#replacements.pause();
    if (this.#move('failed') && this.#state === 'waiting') this.#startLater();
  }

  get isOver(): boolean {
    return this.#state === 'over';
  }

  #startLater(): void {
    this.#timer = setTimeout(() => this.start(), this.#restarts.pause());
  }

  #spawn(): void {
    this.#next = this.#owner.spawn(this, this.#attempt);
  }

  #move(event: SlotEvent): boolean {
    const next = SLOT_TABLE[this.#state][event];
    if (next === undefined) return false;
    this.#state = next;
    return true;
  }
}
