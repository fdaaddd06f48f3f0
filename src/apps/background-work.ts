// Work that apps of this process go on with after their answers. It does not know what it is, nor whether it fails.
import { withResolvers } from '../gateway/with-resolvers.ts';

export class BackgroundWork {
  #running = 0;
  #whenIdle: (() => void)[] = [];

  /** @param work handles its own failure */
  add(work: Promise<void>): void {
    this.#running += 1;
    void work.then(() => this.#done());
  }

  /** Resolves once nothing runs any more. */
  idle(): Promise<void> {
    const { promise, resolve } = withResolvers();
    if (this.#running === 0) resolve();
    else this.#whenIdle.push(resolve);
    return promise;
  }

  #done(): void {
    this.#running -= 1;
    if (this.#running > 0) return;
    for (const resolve of this.#whenIdle.splice(0)) resolve();
  }
}

/** That of all mounts: a process stops as a whole. */
export const backgroundWork: BackgroundWork = new BackgroundWork();
