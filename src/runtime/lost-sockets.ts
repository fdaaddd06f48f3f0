// Looks whether the files of our Unix sockets are still there: somebody may delete or replace one while we run, and then
// nobody can connect any more though all is well with us. Does not know how a socket is bound anew.
import type { Logger } from 'pino';
import { formatAddress, type ListenAddress } from '../config/address.ts';
import { Backoff } from './backoff.ts';

export interface LostSocketsOptions {
  /** The addresses that nobody can reach now. */
  readonly lost: () => readonly ListenAddress[];
  /** Has them bound anew. */
  readonly rebind: () => void;
  readonly logs: { readonly logger: Logger };
}

export class LostSockets {
  readonly #options: LostSocketsOptions;
  readonly #backoff = new Backoff();
  #nextTry = 0;

  constructor(options: LostSocketsOptions) {
    this.#options = options;
  }

  /** `now`: performance.now(). */
  tick(now: number): void {
    const { lost, rebind, logs } = this.#options;
    if (now < this.#nextTry) return;
    const addresses = lost().map(formatAddress);
    if (addresses.length === 0) {
      this.#backoff.reset();
      return;
    }
    this.#nextTry = now + this.#backoff.pause();
    logs.logger.error(
      { addresses },
      `Somebody removed or replaced the socket file of ${addresses.join(', ')}: binding it anew`,
    );
    rebind();
  }
}
