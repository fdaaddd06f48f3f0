// Finds out whether an app, or a module that Node was told to --import, has registered a tracer provider of OpenTelemetry,
// now or later. Where none has, not even the API is loaded: an app's own copy of it shares one global with ours.
import type { Logger } from 'pino';
import type { Tracing } from '../../gateway/tracing.ts';
import { loggable, sayThrown } from '../../observe/describe-error.ts';

/** Where every copy of @opentelemetry/api of major version 1 keeps what was registered. */
const SHARED = Symbol.for('opentelemetry.js.api.1');

interface Registered {
  readonly version?: unknown;
  readonly trace?: unknown;
}

const registered = (): Registered | undefined => (globalThis as { [SHARED]?: Registered })[SHARED];

export interface Traceable {
  tracing: Tracing | null;
}

export class ProviderWatch {
  readonly #target: Traceable;
  readonly #logger: Logger;
  #provider: unknown = undefined;
  /** The provider whose failure was logged. */
  #saidOf: unknown = undefined;

  constructor(target: Traceable, logger: Logger) {
    this.#target = target;
    this.#logger = logger;
  }

  /** For a coarse timer: looks again, and takes what has changed. */
  tick(): void {
    if (registered()?.trace !== this.#provider) void this.look();
  }

  /** Resolves once what is registered now is in use. */
  async look(): Promise<void> {
    const found = registered();
    this.#provider = found?.trace;
    if (found?.trace === undefined) {
      this.#target.tracing = null;
      return;
    }
    try {
      const { trace } = await import('@opentelemetry/api');
      // An API takes nothing from an older one than itself (its semver.js): spans would go nowhere.
      if (trace.getTracerProvider() !== found.trace) {
        this.#logger.warn(
          `Requests are not traced: the app has @opentelemetry/api ${String(found.version)}, which is older than viaduct's; update it`,
        );
        return;
      }
      const { Spans } = await import('./spans.ts');
      this.#target.tracing = new Spans((error) => this.#failed(error));
    } catch (error) {
      this.#failed(error);
    }
  }

  /** Once a provider: the next request is likely to meet the same. */
  #failed(error: unknown): void {
    if (this.#saidOf === this.#provider) return;
    this.#saidOf = this.#provider;
    this.#logger.error({ err: loggable(error) }, `Cannot trace requests: ${sayThrown(error)}`);
  }
}
