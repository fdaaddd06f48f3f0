// A place for a worker: a Slot that also passes on what only workers say; and which place is next when workers are to be
// more or fewer.
import type { LaneChange, Overdue } from '../apps/python/lane-server.ts';
import type { BootFailure } from './boot.ts';
import type { Child, ChildOwner, ChildReports } from './child.ts';
import type { HandoverMessage } from './handover.ts';
import { Slot, type SlotOwner } from './slot.ts';

export interface WorkerSlotOwner extends Omit<SlotOwner<Child>, 'spawn'>, ChildReports {
  /** Starts a worker that does not load the mounts in `skip`. */
  spawn(slot: WorkerSlot, skip: readonly BootFailure[]): Child;
}

export class WorkerSlot extends Slot<Child> implements ChildOwner {
  readonly #reports: ChildReports;

  constructor(index: number, owner: WorkerSlotOwner) {
    super(index, owner);
    this.#reports = owner;
  }

  reported(child: Child, id: number | null, delta: unknown): void {
    this.#reports.reported(child, id, delta);
  }

  gives(child: Child, message: HandoverMessage, handle: unknown): void {
    this.#reports.gives(child, message, handle);
  }

  laneChanged(child: Child, change: LaneChange): void {
    this.#reports.laneChanged(child, change);
  }

  overdue(child: Child, overdue: Overdue): void {
    this.#reports.overdue(child, overdue);
  }
}

/** The lowest number that none of them has; they are sorted. The one given up last may have been any. */
export function freePlace(slots: readonly WorkerSlot[]): number {
  const gap = slots.findIndex(({ index }, at) => index !== at);
  return gap === -1 ? slots.length : gap;
}

/** Where in `slots` the one is that is missed least: nobody serves there, or is stuck; else the last. */
export function mostDispensable(slots: readonly WorkerSlot[]): number {
  const idle = slots.findLastIndex(({ current }) => current === null);
  if (idle !== -1) return idle;
  const stuck = slots.findLastIndex(({ current }) => current?.shownState === 'stuck');
  return stuck === -1 ? slots.length - 1 : stuck;
}
