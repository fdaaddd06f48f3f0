// The first boot of a generation: who has tried every app by now, and whether the outcome is good enough. Knows workers by
// their places and what failed in them; ending them is its owner's.
import type { BootFailure } from './boot.ts';
import type { Verdict } from './slot.ts';

/** Apps that could not be booted. */
export class BootError extends Error {
  override readonly name = 'BootError';
  readonly failures: readonly BootFailure[];

  constructor(failures: readonly BootFailure[]) {
    const what = failures.length === 1 ? 'an app' : `${failures.length} apps`;
    super(
      [`${what} did not boot`, ...failures.map(({ mount, message }) => `mount ${mount}: ${message}`)].join(
        '\n',
      ),
    );
    this.failures = failures;
  }
}

/**
 * all: every mount has to boot in every worker. any: one mount is enough, the others are tried again later. none: whatever
 * comes of it.
 */
export type Demand = 'all' | 'any' | 'none';

export interface FirstBootOptions {
  readonly demand: Demand;
  /** The places of the workers. */
  readonly workers: readonly number[];
  readonly hasPython: boolean;
  /** How many mounts there are. */
  readonly mounts: number;
  /** What failed in each worker that lives. */
  readonly failures: () => readonly (readonly BootFailure[])[];
  /** It is in vain: everything is to be ended. */
  readonly onFailed: () => void;
}

export class FirstBoot {
  readonly #options: FirstBootOptions;
  /** Rejects with a BootError, or with what giveUp() was given. */
  readonly outcome: Promise<void>;
  #resolve: () => void = () => undefined;
  #reject: (error: Error) => void = () => undefined;
  /** Workers that have not tried every app yet. */
  readonly #waiting: Set<number>;
  /** Python mounts that failed; null: that is not known of all yet. */
  #python: readonly BootFailure[] | null;
  #isOver = false;

  constructor(options: FirstBootOptions) {
    this.#options = options;
    this.#waiting = new Set(options.workers);
    this.#python = options.hasPython ? null : [];
    this.outcome = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** A worker has tried every app. */
  workerTried(worker: number, failures: readonly BootFailure[]): Verdict {
    if (this.#options.demand === 'all' && failures.length > 0) {
      this.giveUp(new BootError(failures));
      return 'drop';
    }
    this.#waiting.delete(worker);
    return this.#conclude() ? 'hold' : 'drop';
  }

  /** A worker ended before it had tried every app; `culprit` is the mount that did it, as far as that is known. */
  workerEnded(worker: number, culprit: BootFailure | null): void {
    if (culprit === null)
      this.giveUp(new Error(`Cannot start worker ${worker}: it ended before it had loaded the apps`));
    else if (this.#options.demand === 'all') this.giveUp(new BootError([culprit]));
  }

  pythonFailed(failure: BootFailure): void {
    if (this.#options.demand === 'all') this.giveUp(new BootError([failure]));
  }

  /** Every Python mount has been tried. */
  pythonTried(failures: readonly BootFailure[]): void {
    this.#python = failures;
    this.#conclude();
  }

  giveUp(error: Error): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#options.onFailed();
    this.#reject(error);
  }

  /** False once it is in vain. */
  #conclude(): boolean {
    if (this.#isOver || this.#waiting.size > 0 || this.#python === null) return true;
    const python = this.#python;
    const left = this.#options.mounts - python.length;
    const workers = this.#options.failures();
    if (this.#options.demand !== 'none' && workers.every(({ length }) => length === left)) {
      this.giveUp(new BootError([...(workers.at(-1) ?? []), ...python]));
      return false;
    }
    this.#isOver = true;
    this.#resolve();
    return true;
  }
}
