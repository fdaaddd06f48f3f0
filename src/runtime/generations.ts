// The generations that live at a time: one serves, one may boot to follow it, older ones drain. Connections that an older
// one gives away go to the one that serves. Knows nothing of files, sockets and operators.
import type { Child } from './child.ts';
import type { Generation } from './generation.ts';
import { type HandoverMessage, Relay } from './handover.ts';

/** Generations that may drain at a time: many reloads under long requests must not add up to a full machine. */
const MAX_DRAINING = 4;

export class Generations {
  /** The one that serves; null: none yet. */
  current: Generation | null = null;
  /** Boots, and is to follow. */
  coming: Generation | null = null;
  readonly #draining = new Map<Generation, Promise<void>>();

  /** Every one that has workers. */
  get all(): Generation[] {
    const found = [this.current, this.coming, ...this.#draining.keys()];
    return found.filter((generation) => generation !== null);
  }

  get children(): Child[] {
    return this.all.flatMap((generation) => generation.children);
  }

  /** For people. */
  get summary(): string {
    return `Generation ${this.current?.id ?? 0} serves with ${this.current?.slots.length ?? 0} workers`;
  }

  /** Whether workers of one configuration only live. */
  get isSingle(): boolean {
    return this.#draining.size === 0 && this.coming === null;
  }

  /** Resolves when there is room for one more generation to drain. */
  async room(): Promise<void> {
    while (this.#draining.size >= MAX_DRAINING) await Promise.race(this.#draining.values());
  }

  /** `next` serves: what was before it drains, and gives its connections to it. Resolves when that is gone. */
  async succeed(next: Generation): Promise<void> {
    const before = this.current;
    this.current = next;
    this.coming = null;
    if (before === null) return;
    const gone = before.drain('reload', next.sockets.listeners);
    this.#draining.set(before, gone);
    before.sockets.release();
    await gone;
    this.#draining.delete(before);
  }

  /**
   * Passes a connection that `from` gives away to a worker of the generation that serves.
   * @param lost called where there is none
   */
  pass(from: Child, message: HandoverMessage, handle: unknown, lost: () => void): void {
    const { listeners } = from.config;
    const relay = new Relay({
      route: (at) => {
        const listener = listeners[at];
        return listener === undefined ? null : (this.current?.route(listener) ?? null);
      },
      lost,
    });
    relay.pass(message, handle);
  }

  /** Ends them all, and nobody goes on with their connections; resolves when they are gone. */
  async drain(): Promise<void> {
    await Promise.all([
      this.coming?.kill('stop'),
      ...this.all.map((generation) => generation.drain('stop', [])),
    ]);
  }

  /** Breaks off what is in flight. */
  stop(): void {
    for (const generation of this.all) generation.stop('stop');
  }
}
