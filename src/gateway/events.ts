// What the gateway has to say about requests. The worker turns it into log lines; the gateway knows no log.
import type { AbortPhase } from '../observe/mount-metrics.ts';
import type { Environ } from './contract.ts';

/** One request as it is logged, running or done. */
export interface RequestRecord {
  readonly environ: Environ;
  /** "" when no mount matched. */
  readonly mountName: string;
  /** fastcgi, uwsgi, scgi or http. */
  readonly protocol: string;
  /** 499 when the client left before there was a status (nginx's code for it); 0 while there is none. */
  readonly status: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Milliseconds since the first byte of the request. */
  readonly duration: number;
  /** Milliseconds of them spent waiting for a place. */
  readonly queued: number;
  readonly aborted: AbortPhase | null;
}

export interface GatewayEvents {
  finished(request: RequestRecord): void;
  /** The application, or its body, failed. */
  failed(request: RequestRecord, error: unknown): void;
  /** Something the application should not do, and what was done about it. */
  warned(request: RequestRecord, message: string): void;
  /** A line the application wrote to wsgi.errors. */
  appLine(request: RequestRecord, line: string): void;
}
