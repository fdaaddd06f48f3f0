// The last errors, for the page: so many, whatever happens. The same one over and over is one entry.
import type { ErrorReport } from './error-report.ts';

/** As /status.json has it. */
export interface ErrorEntry {
  /** RFC 3339, UTC: when it happened last, and when first. */
  readonly time: string;
  readonly first_time: string;
  /** How often it was reported. */
  readonly count: number;
  /** The worker's slot; null: the master says so. */
  readonly worker: number | null;
  readonly mount: string | null;
  /** Of the last time. */
  readonly request_id: string | null;
  readonly method: string | null;
  readonly uri: string | null;
  readonly message: string;
  readonly traceback: string | null;
}

const KEPT = 50;

export class RecentErrors {
  /** The newest first. */
  #entries: readonly ErrorEntry[] = [];

  /** @param worker the slot of who reports it; null: the master */
  add(report: ErrorReport, worker: number | null): void {
    const { mount, message, traceback } = report;
    const isSame = (entry: ErrorEntry): boolean =>
      entry.message === message && entry.traceback === traceback && entry.mount === mount;
    const before = this.#entries.find(isSame);
    const time = isoTime(report.time);
    const entry: ErrorEntry = {
      time,
      first_time: before?.first_time ?? time,
      count: (before?.count ?? 0) + 1,
      worker,
      mount,
      request_id: report.requestId,
      method: report.method,
      uri: report.uri,
      message,
      traceback,
    };
    this.#entries = [entry, ...this.#entries.filter((each) => each !== before)].slice(0, KEPT);
  }

  list(): readonly ErrorEntry[] {
    return this.#entries;
  }
}

/** Of any number: a worker may have made it up. */
function isoTime(time: number): string {
  const date = new Date(time);
  return (Number.isNaN(date.getTime()) ? new Date() : date).toISOString();
}
