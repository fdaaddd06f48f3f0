// One mount as the gateway runs it: an application with everything that is its own.
import type { MountMetrics } from '../observe/mount-metrics.ts';
import type { Admission } from './admission.ts';
import type { Application } from './contract.ts';
import type { ExchangeLimits } from './exchange.ts';
import type { MountPoint } from './mounts.ts';

export interface Mount extends MountPoint {
  readonly name: string;
  readonly app: Application;
  /** Code of others gets to see the environ: its app, or a middleware. */
  readonly showsEnviron: boolean;
  /** The deployer's own environ keys. */
  readonly env: readonly (readonly [name: string, value: string])[];
  readonly limits: ExchangeLimits;
  /** Bytes. */
  readonly responseHeadersSize: number;
  /** Milliseconds for the whole request; 0 = no limit. */
  readonly requestTimeout: number;
  /** Milliseconds a request may wait for a place. */
  readonly queueTimeout: number;
  readonly admission: Admission;
  readonly metrics: MountMetrics;
}
