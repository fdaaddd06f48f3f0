// What the gateway wants of whoever makes spans of its requests. It knows no tracing library, and where nobody traces, a
// request costs one comparison.
import type { TraceContext } from './trace-context.ts';
import type { Environ } from './contract.ts';
import type { RequestRecord } from './events.ts';

/** A request that begins, as far as its span says something of it. */
export interface TracedRequest {
  readonly environ: Environ;
  /** The path of its mount, "" for the root; null: no mount answers it. */
  readonly mountPath: string | null;
  /** performance.now() of its first byte. */
  readonly startedAt: number;
}

/** The span of one request; its trace context is its own. */
export interface RequestSpan extends TraceContext {
  /** Calls `work`, and what it starts, within the span. */
  run(work: () => void): void;
  /** The application failed. */
  failed(error: unknown): void;
  /** The request is over. */
  end(request: RequestRecord): void;
}

/** None of it throws, whatever those who collect spans do. */
export interface Tracing {
  /** null: it could not be made. */
  begin(request: TracedRequest): RequestSpan | null;
}
