// Asks the workers for fresh numbers, and waits until they have come. A worker that does not answer is not asked again
// before it has: nothing piles up on one that is stuck.
import type { Child } from './child.ts';

interface Round {
  readonly open: Set<Child>;
  readonly done: () => void;
}

export class Flush {
  readonly #silent = new Set<Child>();
  readonly #rounds = new Map<number, Round>();
  #last = 0;

  /** Fresh numbers of all: of those that serve their own, of each what the kernel says. */
  refresh(children: readonly Child[]): Promise<void> {
    for (const child of children) child.measure();
    return this.ask(children.filter(({ state }) => state === 'ready' || state === 'draining'));
  }

  /** Resolves once everybody who was asked has answered or is gone. Those who owe an older answer are not waited for. */
  ask(children: Iterable<Child>): Promise<void> {
    const open = new Set([...children].filter((child) => !this.#silent.has(child)));
    if (open.size === 0) return Promise.resolve();
    const id = (this.#last += 1);
    return new Promise((resolve) => {
      this.#rounds.set(id, { open, done: resolve });
      for (const child of open) {
        this.#silent.add(child);
        child.flush(id);
      }
    });
  }

  /** `child` has sent numbers: those asked for with `id`, or, with null, unasked ones. */
  answered(child: Child, id: number | null): void {
    if (id === null) return;
    this.#silent.delete(child);
    this.#close(id, child);
  }

  gone(child: Child): void {
    this.#silent.delete(child);
    for (const id of this.#rounds.keys()) this.#close(id, child);
  }

  #close(id: number, child: Child): void {
    const round = this.#rounds.get(id);
    if (round === undefined || !round.open.delete(child) || round.open.size > 0) return;
    this.#rounds.delete(id);
    round.done();
  }
}
