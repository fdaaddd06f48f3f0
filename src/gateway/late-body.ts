// A body that an application gives later, as a promise would, but told at once: a promise takes two more turns of the
// microtask queue and three objects, for each request. For adapters whose application answers from elsewhere.
import type { Body } from './contract.ts';

type Settled = { readonly body: Body } | { readonly error: unknown };

export class LateBody implements PromiseLike<Body> {
  #settled: Settled | null = null;
  #onBody: ((body: Body) => void) | null = null;
  #onError: ((error: unknown) => void) | null = null;

  get isSettled(): boolean {
    return this.#settled !== null;
  }

  /** Who comes first decides. */
  resolve(body: Body): void {
    if (this.#settled !== null) return;
    this.#settled = { body };
    this.#onBody?.(body);
  }

  reject(error: unknown): void {
    if (this.#settled !== null) return;
    this.#settled = { error };
    this.#onError?.(error);
  }

  /** Calls one of them, at once where it is known already. For one listener. */
  listen(onBody: (body: Body) => void, onError: (error: unknown) => void): void {
    if (this.#settled === null) {
      this.#onBody = onBody;
      this.#onError = onError;
    } else if ('body' in this.#settled) {
      onBody(this.#settled.body);
    } else {
      onError(this.#settled.error);
    }
  }

  /** For middleware that awaits what it wraps. */
  // oxlint-disable-next-line unicorn/no-thenable -- a promise to everybody but the gateway
  then<R = Body, E = never>(
    onBody?: ((body: Body) => R | PromiseLike<R>) | null,
    onError?: ((error: unknown) => E | PromiseLike<E>) | null,
  ): Promise<R | E> {
    return new Promise<Body>((resolve, reject) => this.listen(resolve, reject)).then(onBody, onError);
  }
}
