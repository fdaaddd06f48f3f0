// What /status.json has, as types: the page, the terminal and php-fpm's fields are made of it. Knows no process; the
// names are documented, and stay.
import type { ConnectionState } from './listener-metrics.ts';
import type { ErrorEntry } from './recent-errors.ts';
import type { WorkerKind, WorkerState } from './supervisor-metrics.ts';

/** The last 15 minutes, the oldest first, one value an interval; null: nothing was measured then. */
export interface Plots {
  readonly interval_seconds: number;
  /** Requests a second. */
  readonly rate: readonly (number | null)[];
  readonly p50_seconds: readonly (number | null)[];
  readonly p99_seconds: readonly (number | null)[];
  /** 0 to 1. */
  readonly error_share: readonly (number | null)[];
  /** The most that ran, and that waited. */
  readonly active: readonly (number | null)[];
  readonly queue_depth: readonly (number | null)[];
}

/** Of one mount, or of all. Rates and times are those of the last 5 to 10 seconds. */
export interface Figures {
  /** Over since the start. */
  readonly requests: number;
  /** A second. */
  readonly rate: number;
  /** null: no request ended. */
  readonly p50_seconds: number | null;
  readonly p99_seconds: number | null;
  /** Of the answers, those with a status of 5xx: 0 to 1. */
  readonly error_share: number | null;
  /** Running now, and waiting now. */
  readonly active: number;
  readonly queue_depth: number;
  readonly queue_limit: number;
  readonly queue_oldest_seconds: number;
  readonly history: Plots;
}

export interface MountStatus extends Figures {
  readonly name: string;
  readonly path: string;
  readonly host: string | null;
  readonly interface: string;
}

export interface TotalStatus extends Figures {
  /** Since the start: took longer than log.slow; found no place free. */
  readonly slow: number;
  readonly waited: number;
  /** The most there were at a time, as seen once a second. */
  readonly max_queue_depth: number;
  readonly max_active_workers: number;
}

export interface WorkerStatus {
  readonly slot: number;
  readonly kind: WorkerKind;
  /** Of a Python process: whose it is. */
  readonly mount?: string;
  /** null: none runs there now, the next one starts after a pause. */
  readonly pid: number | null;
  readonly state: WorkerState;
  readonly uptime_seconds: number;
  readonly requests: number;
  readonly rss_bytes: number;
  readonly cpu_seconds: number;
  /** Of one core, 1 being all of it, over the last 5 to 10 seconds; null: not known yet. */
  readonly cpu_share: number | null;
  readonly in_flight: number;
  readonly generation: number;
}

export interface ListenerStatus {
  readonly address: string;
  readonly protocol: string;
  /** Open now. */
  readonly connections: Readonly<Record<ConnectionState, number>>;
  /** Since the start. */
  readonly accepted: number;
  readonly dropped: number;
  readonly protocol_errors: number;
}

/** One request that is not over. */
export interface RunningStatus {
  /** The slot of its worker. */
  readonly worker: number;
  /** "" where no mount has its path. */
  readonly mount: string;
  readonly request_id: string;
  readonly method: string;
  readonly uri: string;
  readonly phase: string;
  readonly age_seconds: number;
  /** Of that, spent in the queue. */
  readonly queue_seconds: number;
  readonly bytes_in: number;
  readonly bytes_out: number;
}

export interface ReloadStatus {
  /** RFC 3339, UTC: when it was over. */
  readonly time: string;
  readonly result: 'ok' | 'rejected';
  /** Why it was rejected. */
  readonly reason: string | null;
  readonly duration_seconds: number;
}

export interface Status {
  readonly version: string;
  readonly node: string;
  /** RFC 3339, UTC. */
  readonly time: string;
  readonly started_at: string;
  /** The master's. */
  readonly pid: number;
  readonly uptime_seconds: number;
  /** The file. */
  readonly config: string;
  readonly ready: boolean;
  readonly reasons: readonly string[];
  readonly generation: number;
  readonly reloads: Readonly<Record<'ok' | 'rejected', number>>;
  /** null: there was none. */
  readonly last_reload: ReloadStatus | null;
  readonly requests_in_flight: number;
  readonly totals: TotalStatus;
  readonly master: {
    readonly rss_bytes: number;
    readonly cpu_seconds: number;
    readonly cpu_share: number | null;
  };
  readonly workers: readonly WorkerStatus[];
  readonly listeners: readonly ListenerStatus[];
  readonly mounts: readonly MountStatus[];
  /** Requests whose path no mount has. */
  readonly unmatched: Figures;
  /** The oldest first. */
  readonly running: readonly RunningStatus[];
  /** The newest first. */
  readonly errors: readonly ErrorEntry[];
  readonly log_lines_dropped: number;
}
