// What master and worker say to each other, one union each way, and the layout of a worker's descriptors. Neither
// side's behaviour is known here.
import type { Config } from '../config/types.ts';
import type { LaneAddress, LaneChange, Overdue, PoolState } from '../apps/python/lane-server.ts';
import type { RunningRequest } from '../gateway/events.ts';
import type { ErrorReport } from '../observe/error-report.ts';
import type { MetricsDelta } from '../observe/metric-slots.ts';
import type { BootFailure } from './boot.ts';
import type { AdoptMessage, HandoverMessage } from './handover.ts';

/** Descriptors of a worker beside 0 (nothing), 1 and 2 (read by the master line by line) and 3 (this channel). */
export const LOG_DESCRIPTOR = 4;
/** The first listening socket; the others follow in the order of the configuration's listeners. */
export const FIRST_LISTENER_DESCRIPTOR = 5;
/** Behind the listeners: further ways to the master's stderr, one for each who closes its descriptor when it has failed. */
export const accessLogDescriptor = (config: Config): number =>
  FIRST_LISTENER_DESCRIPTOR + config.listeners.length;
export const watchdogDescriptor = (config: Config): number => accessLogDescriptor(config) + 1;

export type ToWorker =
  /** The first message: become a worker for this. */
  | {
      readonly kind: 'boot';
      readonly slot: number;
      readonly config: Config;
      /** Whether other workers serve the same apps. */
      readonly multiprocess: boolean;
      /** Where its Python threads come to, one a Python mount. */
      readonly lanes: readonly LaneAddress[];
      /** Mounts not to be loaded: loading them has ended a worker before. */
      readonly skip: readonly BootFailure[];
    }
  /** Begin to accept. */
  | { readonly kind: 'serve' }
  /**
   * Accept no more, end after what is in flight, at the latest after so many milliseconds. Connections of a listener that
   * has an heir are sent to the master, the others closed. `releases`: Python threads are to go as soon as they can, to
   * another worker.
   */
  | {
      readonly kind: 'drain';
      readonly graceful: number;
      readonly heirs: readonly boolean[];
      readonly releases: boolean;
    }
  /** What a pool of Python processes is like now. */
  | { readonly kind: 'pool'; readonly state: PoolState }
  /** End now. */
  | { readonly kind: 'stop' }
  /** Open the log files anew. */
  | { readonly kind: 'reopen' }
  /** Send `stats` now, with this id and what is running. */
  | { readonly kind: 'flush'; readonly id: number }
  /** Go on with the connection that comes along. */
  | AdoptMessage;

export type ToMaster =
  /** About to load a file of this mount: should the worker die or hang, this one is to blame. */
  | { readonly kind: 'loading'; readonly mount: string }
  | { readonly kind: 'booted'; readonly failures: readonly BootFailure[] }
  /** It accepts. */
  | { readonly kind: 'serving' }
  /** It cannot become a worker, and exits. */
  | { readonly kind: 'unfit'; readonly message: string }
  /** Every second, when asked, and last before the end. */
  | {
      readonly kind: 'stats';
      readonly id: number | null;
      readonly stats: WorkerStats;
      readonly delta: MetricsDelta | null;
      /** The oldest requests in flight, where it was asked. */
      readonly running?: readonly RunningRequest[];
    }
  /** It has logged an error. */
  | { readonly kind: 'error'; readonly report: ErrorReport }
  /** A Python thread has come, or is gone. */
  | { readonly kind: 'lane'; readonly change: LaneChange }
  /** A Python thread does not come back from a request. */
  | { readonly kind: 'overdue'; readonly overdue: Overdue }
  /** Somebody has sent it TERM: it goes on until it has been replaced and is told to drain. */
  | { readonly kind: 'leaves' }
  /** A connection comes along for another worker. */
  | HandoverMessage;

export interface WorkerStats {
  /** Requests that are over. */
  readonly requests: number;
  readonly inFlight: number;
  /** Bytes of its JavaScript heap that are in use. */
  readonly heapUsed: number;
}

/** Whether it is one of ours, as far as the master would stumble over it: a worker runs other people's code. */
export function isToMaster(message: unknown): message is ToMaster {
  if (typeof message !== 'object' || message === null || !('kind' in message)) return false;
  if (message.kind === 'booted') return 'failures' in message && Array.isArray(message.failures);
  if (message.kind !== 'stats' || !('stats' in message)) return message.kind !== 'stats';
  const { requests, inFlight, heapUsed } = (message.stats ?? {}) as Partial<
    Record<keyof WorkerStats, unknown>
  >;
  return [requests, inFlight, heapUsed].every((value) => typeof value === 'number');
}
