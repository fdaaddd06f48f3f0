// What a fetch app gets as its third argument, and the work it goes on with after its answer.
import type { ErrorStream } from '../../gateway/contract.ts';
import { backgroundWork } from '../background-work.ts';

/** As Workers of Cloudflare and others have it. */
export class ExecutionContext {
  readonly #errors: ErrorStream;
  readonly props: Readonly<Record<string, unknown>> = {};

  constructor(errors: ErrorStream) {
    this.#errors = errors;
  }

  /** Goes on after the answer; a stop of the server waits for it, and its failure is logged. */
  waitUntil(work: unknown): void {
    const errors = this.#errors;
    backgroundWork.add(
      Promise.resolve(work).then(
        () => undefined,
        (error: unknown) => {
          const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
          errors.write(`A promise given to waitUntil() failed: ${text}\n`);
        },
      ),
    );
  }

  /** There is no server behind this one to pass a request on to: an exception is a 500. */
  passThroughOnException(): void {}
}
