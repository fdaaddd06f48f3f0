// What the gateway and the transport have to say, as log lines: the access log, slow requests, failures, broken peers.
import type { Logger } from 'pino';
import { GatewayError } from '../gateway/errors.ts';
import type { GatewayEvents, RequestPhase, RequestRecord, RunningRequest } from '../gateway/events.ts';
import { requestUri } from '../gateway/path.ts';
import type { TraceContext } from '../gateway/trace-context.ts';
import type { AccessChoice } from '../observe/access-choice.ts';
import type { AccessLog } from '../observe/access-log.ts';
import { loggable, sayThrown } from '../observe/describe-error.ts';
import type { MetricSlots } from '../observe/metric-slots.ts';
import { RateLimitedLog } from '../observe/rate-limit.ts';
import type { ProtocolError } from '../protocol/errors.ts';

/** Lines of one kind within an interval of milliseconds, before the rest is only counted. */
const LIMIT = 10;
const INTERVAL = 10_000;

const PHASES: Readonly<Record<RequestPhase, string>> = {
  queued: 'queued',
  running: 'waiting for the app',
  reading: 'reading the body',
  sending: 'sending',
  tunnel: 'a tunnel',
  closing: 'the app still at work after its response',
};

export class RequestLog implements GatewayEvents {
  readonly #logger: Logger;
  readonly #access: AccessLog;
  readonly #choice: AccessChoice | null;
  readonly #metrics: MetricSlots;
  readonly slowAfter: number;
  readonly #limited: RateLimitedLog;
  /** Requests that are over. */
  requests = 0;

  /** `slow` in milliseconds; 0 = never. `choice`: which requests have a line in the access log; default: all. */
  constructor(
    logger: Logger,
    access: AccessLog,
    slow: number,
    metrics: MetricSlots,
    choice: AccessChoice | null = null,
  ) {
    this.#logger = logger;
    this.#metrics = metrics;
    this.#access = access;
    this.#choice = choice;
    this.slowAfter = slow;
    this.#limited = new RateLimitedLog({
      limit: LIMIT,
      interval: INTERVAL,
      now: () => performance.now(),
      onSuppressed: (key, count) =>
        logger.warn({ key, count }, `${count} more lines like "${key}" were left out`),
    });
  }

  /** Says what was left out; called now and then. */
  tick(): void {
    this.#limited.sweep();
  }

  stillRuns(request: RunningRequest, trace: TraceContext | null): void {
    const age = (request.age / 1000).toFixed(3);
    this.#logger.warn(
      { ...runningFields(request), ...traceFields(trace) },
      `Slow request: still runs after ${age} s, ${PHASES[request.phase]}`,
    );
  }

  finished(request: RequestRecord): void {
    this.requests += 1;
    if (this.#access.enabled && this.#isWanted(request)) this.#writeAccess(request);
    if (this.slowAfter > 0 && request.duration > this.slowAfter) this.#logSlow(request);
  }

  #isWanted(request: RequestRecord): boolean {
    const { environ } = request;
    return (
      this.#choice === null || this.#choice.wants(request, () => environ.SCRIPT_NAME + environ.PATH_INFO)
    );
  }

  #writeAccess(request: RequestRecord): void {
    const { environ, trace } = request;
    this.#access.write({
      time: Date.now() - request.duration,
      requestId: environ['viaduct.request_id'],
      mount: request.mountName,
      remoteAddr: text(environ['REMOTE_ADDR']),
      remoteUser: optional(environ['REMOTE_USER']),
      method: environ.REQUEST_METHOD,
      uri: requestUri(environ),
      scheme: environ['wsgi.url_scheme'],
      host: text(environ['HTTP_HOST']),
      protocol: environ.SERVER_PROTOCOL,
      upstream: request.protocol,
      status: request.status,
      bytesIn: request.bytesIn,
      bytesOut: request.bytesOut,
      duration: request.duration / 1000,
      queue: request.queued / 1000,
      aborted: request.aborted ?? undefined,
      userAgent: optional(environ['HTTP_USER_AGENT']),
      referer: optional(environ['HTTP_REFERER']),
      traceId: trace?.traceId,
      spanId: trace?.spanId,
    });
  }

  failed(request: RequestRecord, error: unknown): void {
    // A body that the client cut short is its own business; what the application did is an error.
    const isClients = error instanceof GatewayError && error.status < 500;
    if (isClients) {
      if (this.#limited.allow(error.code))
        this.#logger.warn({ ...fields(request), code: error.code }, error.message);
    } else {
      this.#logger.error({ ...fields(request), err: loggable(error) }, `Request failed: ${sayThrown(error)}`);
    }
  }

  warned(request: RequestRecord, message: string): void {
    // What stands behind the colon varies; a key for each would defeat the limit.
    const [kind = ''] = message.split(':', 1);
    if (this.#limited.allow(`${request.mountName} ${kind}`)) this.#logger.warn(fields(request), message);
  }

  appLine(request: RequestRecord, line: string): void {
    this.#logger.info({ ...fields(request), source: 'wsgi.errors' }, line);
  }

  /** A peer broke its protocol. */
  protocolError(error: ProtocolError, protocol: string, listener: string): void {
    if (!this.#limited.allow(`${listener} ${error.code}`)) return;
    const line = { listener, protocol, code: error.code };
    if (error.scope === 'notice') this.#logger.info(line, error.message);
    else this.#logger.warn(line, error.message);
  }

  transportWarning(message: string): void {
    if (this.#limited.allow(message)) this.#logger.warn(message);
  }

  #logSlow(request: RequestRecord): void {
    this.#metrics.mount(request.mountName).slow();
    const seconds = (request.duration / 1000).toFixed(3);
    const queued = (request.queued / 1000).toFixed(3);
    const line = {
      ...fields(request),
      duration: request.duration / 1000,
      queue: request.queued / 1000,
      bytes_in: request.bytesIn,
      bytes_out: request.bytesOut,
    };
    this.#logger.warn(
      line,
      `Slow request: ${seconds} s, ${queued} s of them in the queue, status ${request.status}`,
    );
  }
}

/** Milliseconds -> seconds, whole milliseconds of them. */
const seconds = (milliseconds: number): number => Math.round(milliseconds) / 1000;
const text = (value: unknown): string => (typeof value === 'string' ? value : '');
const optional = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

const fields = ({ environ, mountName, trace }: RequestRecord): Record<string, unknown> => ({
  request_id: environ['viaduct.request_id'],
  mount: mountName,
  method: environ.REQUEST_METHOD,
  uri: requestUri(environ),
  ...traceFields(trace),
});

const traceFields = (trace: TraceContext | null): Record<string, unknown> =>
  trace === null ? {} : { trace_id: trace.traceId, span_id: trace.spanId };

/** A request that still runs, as the log has it: seconds and bytes. */
export const runningFields = (request: RunningRequest): Record<string, unknown> => ({
  request_id: request.requestId,
  mount: request.mount,
  method: request.method,
  uri: request.uri,
  phase: request.phase,
  age: seconds(request.age),
  queue: seconds(request.queued),
  bytes_in: request.bytesIn,
  bytes_out: request.bytesOut,
});
