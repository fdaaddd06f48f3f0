// What a request needs of the gateway that took it. Types only.
import type { MountMetrics } from '../observe/mount-metrics.ts';
import type { Call } from './call.ts';
import type { Explain } from './error-page.ts';
import type { GatewayEvents } from './events.ts';
import type { Tracing } from './tracing.ts';

export interface CallOwner {
  readonly events: GatewayEvents;
  /** Counts requests that no mount answers. */
  readonly noMount: MountMetrics;
  /** The server has begun to stop. */
  readonly draining: boolean;
  /** Makes spans of requests; null: nobody traces. */
  readonly tracing: Tracing | null;
  /** Makes pages that say what went wrong; null: clients are not told. */
  readonly explain: Explain | null;
  /** The call has ended, and the application is done with it. */
  left(call: Call): void;
}
