// A place for a worker: a Slot that also passes on what only workers say.
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
