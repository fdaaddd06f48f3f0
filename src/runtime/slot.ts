// One place for a worker, kept filled: a worker that ends is followed by another, one that is due is replaced without a
// gap. Knows no configuration and no other place; what is good enough to serve is its owner's to say.
import type { Recycle } from '../config/types.ts';
import { Backoff } from './backoff.ts';
import type { BootFailure } from './boot.ts';
import type { Child, ChildOwner } from './child.ts';
import type { ExitReason } from '../observe/supervisor-metrics.ts';
import type { HandoverMessage } from './handover.ts';

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

export interface SlotOwner {
  /** Starts a worker that does not load the mounts in `skip`. */
  spawn(slot: Slot, skip: readonly BootFailure[]): Child;
  /** The next worker has booted; `current` is the one it would replace. */
  judge(next: Child, current: Child | null, reason: ExitReason): Verdict;
  /** The next worker ended before it served; `culprit` is the mount that did it, as far as that is known. */
  failed(slot: Slot, culprit: BootFailure | null): void;
  /** Anything has changed: a worker serves, or is gone. */
  changed(): void;
  /** It accepts. */
  serving(child: Child): void;
  reported(child: Child, id: number | null, delta: unknown): void;
  gives(child: Child, message: HandoverMessage, handle: unknown): void;
  exited(child: Child, reason: ExitReason): void;
  /** Ends a worker whose place is taken. */
  retire(child: Child, reason: ExitReason): void;
  readonly recycle: Recycle;
}

/** Milliseconds after which a worker counts as sound: its end is then no reason to wait before the next start. */
const SOUND_AFTER = 10_000;

export class Slot implements ChildOwner {
  readonly index: number;
  readonly #owner: SlotOwner;
  #state: SlotState = 'empty';
  #current: Child | null = null;
  #next: Child | null = null;
  readonly #leaving = new Set<Child>();
  /** Mounts that ended a worker which loaded them: those the current one was spared, and those of the start under way. */
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

  constructor(index: number, owner: SlotOwner) {
    this.index = index;
    this.#owner = owner;
  }

  get state(): SlotState {
    return this.#state;
  }

  /** The worker that serves. */
  get current(): Child | null {
    return this.#current;
  }

  /** Every worker there is, the one that serves first. */
  get children(): Child[] {
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

  booted(child: Child): void {
    if (child !== this.#next) return;
    const verdict = this.#owner.judge(child, this.#current, this.#reason);
    if (verdict === 'serve') child.serve();
    else if (verdict === 'drop') child.kill('boot_error');
  }

  serving(child: Child): void {
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

  leaves(child: Child): void {
    if (child === this.#current) this.replace('signal');
  }

  reported(child: Child, id: number | null, delta: unknown): void {
    this.#owner.reported(child, id, delta);
  }

  gives(child: Child, message: HandoverMessage, handle: unknown): void {
    this.#owner.gives(child, message, handle);
  }

  exited(child: Child, reason: ExitReason): void {
    this.#leaving.delete(child);
    this.#owner.exited(child, reason);
    if (child === this.#next) this.#failed(child);
    else if (child === this.#current) this.#lose(child);
    this.#owner.changed();
  }

  /** The current worker is no longer there to accept. */
  #lose(child: Child): void {
    this.#current = null;
    if (child.servingSince !== null && performance.now() - child.servingSince > SOUND_AFTER)
      this.#restarts.reset();
    if (this.#move('lost') && this.#state === 'waiting') this.#startLater();
  }

  #failed(child: Child): void {
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
