// Reloads from the outside: asked for by many, done one after the other, logged, counted and answered. Does not know what
// a reload does.
import type { Logger } from 'pino';
import type { ReloadStatus } from '../observe/status-data.ts';
import { Coalesced } from './coalesce.ts';
import type { Record } from './record.ts';

export interface ReloadOutcome {
  readonly result: 'ok' | 'rejected';
  /** Why it was rejected; null: it was not. */
  readonly reason: string | null;
  /** The one that serves now. */
  readonly generation: number;
}

export interface ReloadsOptions {
  /** Does it, or throws an Error that says why not and leaves everything as it was. */
  readonly change: () => Promise<void>;
  /** The one that serves now. */
  readonly generation: () => number;
  readonly logs: { readonly logger: Logger };
  readonly record: Pick<Record, 'reloaded'>;
}

export class Reloads {
  readonly #options: ReloadsOptions;
  readonly #runs = new Coalesced(() => this.#reload());
  readonly #counts = { ok: 0, rejected: 0 };
  #last: ReloadStatus | null = null;

  constructor(options: ReloadsOptions) {
    this.#options = options;
  }

  /** How many there were, by result. */
  get counts(): Readonly<{ ok: number; rejected: number }> {
    return this.#counts;
  }

  /** null: there was none. */
  get last(): ReloadStatus | null {
    return this.#last;
  }

  /** One is under way, or is to be. */
  get busy(): boolean {
    return this.#runs.busy;
  }

  /** Never rejects. */
  run(): Promise<ReloadOutcome> {
    return this.#runs.run();
  }

  /** Resolves when none is under way. */
  idle(): Promise<void> {
    return this.#runs.idle();
  }

  async #reload(): Promise<ReloadOutcome> {
    const { change, generation, logs, record } = this.#options;
    const began = performance.now();
    let reason: string | null = null;
    try {
      await change();
    } catch (error) {
      reason = error instanceof Error ? error.message : String(error);
    }
    const result = reason === null ? 'ok' : 'rejected';
    this.#counts[result] += 1;
    const duration = (performance.now() - began) / 1000;
    this.#last = { time: new Date().toISOString(), result, reason, duration_seconds: duration };
    record.reloaded(result, duration);
    if (reason === null) logs.logger.info({ generation: generation() }, 'Reloaded');
    else logs.logger.error({ generation: generation() }, `Reload rejected: ${reason}`);
    return { result, reason, generation: generation() };
  }
}
