// What the gateway has to say about requests. The worker turns it into log lines; the gateway knows no log.
import type { AbortPhase } from '../observe/mount-metrics.ts';
import type { Environ } from './contract.ts';
import { requestUri } from './path.ts';
import type { AbortReason } from './exchange.ts';
import type { TraceContext } from './trace-context.ts';

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
  /** Why it was aborted; null: it was not. */
  readonly abortReason: AbortReason | null;
  /** The trace it belongs to; null: none. Found out when it is asked for. */
  readonly trace: TraceContext | null;
}

/**
 * What a request that is not over is about: it waits for a place, for its application, or for more of its body; its
 * response is under way; it has become a tunnel; or it has ended and the application has not.
 */
export type RequestPhase = 'queued' | 'running' | 'reading' | 'sending' | 'tunnel' | 'closing';

/** One request that is not over, as it stands. */
export interface RunningRequest {
  readonly requestId: string;
  /** "" when no mount matched. */
  readonly mount: string;
  readonly method: string;
  /** As the client sent it, query included. */
  readonly uri: string;
  readonly phase: RequestPhase;
  /** Milliseconds since the first byte of the request. */
  readonly age: number;
  /** Milliseconds of them spent waiting for a place. */
  readonly queued: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** @param age and `queued` in milliseconds */
export function runningRequest(
  { environ, mountName, bytesIn, bytesOut }: RequestRecord,
  phase: RequestPhase,
  age: number,
  queued: number,
): RunningRequest {
  return {
    requestId: environ['viaduct.request_id'],
    mount: mountName,
    method: environ.REQUEST_METHOD,
    uri: requestUri(environ),
    phase,
    age,
    queued,
    bytesIn,
    bytesOut,
  };
}

export interface GatewayEvents {
  /** Milliseconds after which a request that still runs is told to stillRuns(); 0 = never. */
  readonly slowAfter: number;
  /** It has run for longer than `slowAfter`; told once a request. */
  stillRuns(request: RunningRequest, trace: TraceContext | null): void;
  finished(request: RequestRecord): void;
  /** The application, or its body, failed. */
  failed(request: RequestRecord, error: unknown): void;
  /** Something the application should not do, and what was done about it. */
  warned(request: RequestRecord, message: string): void;
  /** A line the application wrote to wsgi.errors. */
  appLine(request: RequestRecord, line: string): void;
}
