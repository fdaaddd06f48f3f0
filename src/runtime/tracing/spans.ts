// Spans of requests through @opentelemetry/api, by the semantic conventions for HTTP servers. May not know who collects
// them, nor how it was found out that somebody does.
import {
  type Attributes,
  type Context,
  context,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type TextMapGetter,
  trace,
  type Tracer,
} from '@opentelemetry/api';
import type { Environ } from '../../gateway/contract.ts';
import { environKey } from '../../gateway/environ.ts';
import type { RequestRecord } from '../../gateway/events.ts';
import { hostName, hostPort } from '../../gateway/mounts.ts';
import { requestUri } from '../../gateway/path.ts';
import type { RequestSpan, TracedRequest, Tracing } from '../../gateway/tracing.ts';
import { describeThrown } from '../../observe/describe-error.ts';
import { VERSION } from '../version.ts';

/** What the conventions know; others would make as many names as a client likes. */
const METHODS = new Set([
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'OPTIONS',
  'TRACE',
  'CONNECT',
  'QUERY',
]);
const FIRST_SERVER_ERROR = 500;

/** Query parameters that sign a URL, which the conventions want left out. */
const SIGNATURE = /(^|&)(AWSAccessKeyId|Signature|sig|X-Goog-Signature)=[^&]*/g;

/** Headers as the environ has them. */
const HEADERS: TextMapGetter<Environ> = {
  keys: (environ) =>
    Object.keys(environ).flatMap((key) =>
      key.startsWith('HTTP_') ? [key.slice(5).toLowerCase().replaceAll('_', '-')] : [],
    ),
  get: (environ, name) => text(environ[environKey(name)]),
};

/** Gives what `action` gives, or null where it throws. */
type Attempt = <T>(action: () => T) => T | null;

export class Spans implements Tracing {
  readonly #tracer: Tracer;
  /** What follows must not reach the request. */
  readonly #attempt: Attempt;

  /** @param failed told what a span processor, a sampler or the like throws */
  constructor(failed: (error: unknown) => void) {
    this.#tracer = trace.getTracer('viaduct', VERSION);
    this.#attempt = (action) => {
      try {
        return action();
      } catch (error) {
        failed(error);
        return null;
      }
    };
  }

  begin(request: TracedRequest): RequestSpan | null {
    return this.#attempt(() => this.#start(request));
  }

  #start({ environ, mountPath, startedAt }: TracedRequest): RequestSpan {
    const method = METHODS.has(environ.REQUEST_METHOD) ? environ.REQUEST_METHOD : null;
    const name = [method ?? 'HTTP', ...(mountPath === null ? [] : [mountPath === '' ? '/' : mountPath])].join(
      ' ',
    );
    const parent = propagation.extract(ROOT_CONTEXT, environ, HEADERS);
    const span = this.#tracer.startSpan(
      name,
      { kind: SpanKind.SERVER, startTime: epoch(startedAt), attributes: attributesOf(environ, method) },
      parent,
    );
    return new ActiveSpan(span, trace.setSpan(parent, span), this.#attempt);
  }
}

class ActiveSpan implements RequestSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly #span: Span;
  readonly #context: Context;
  readonly #attempt: Attempt;
  #failure: string | null = null;

  constructor(span: Span, own: Context, attempt: Attempt) {
    const { traceId, spanId } = span.spanContext();
    this.traceId = traceId;
    this.spanId = spanId;
    this.#span = span;
    this.#context = own;
    this.#attempt = attempt;
  }

  run(work: () => void): void {
    context.with(this.#context, work);
  }

  failed(error: unknown): void {
    const { type, message, stack } = describeThrown(error);
    this.#failure = type;
    const exception = { name: type, message, ...(stack !== undefined && { stack }) };
    this.#attempt(() => this.#span.recordException(exception));
  }

  end(request: RequestRecord): void {
    this.#attempt(() => this.#end(request));
  }

  #end({ status, aborted, abortReason }: RequestRecord): void {
    const span = this.#span;
    if (status !== 0) span.setAttribute('http.response.status_code', status);
    const isError = status >= FIRST_SERVER_ERROR || aborted !== null;
    if (isError) {
      const type = this.#failure ?? abortReason ?? String(status);
      span.setAttribute('error.type', type);
      span.setStatus({ code: SpanStatusCode.ERROR });
    }
    if (aborted !== null) span.setAttribute('viaduct.aborted', aborted);
    span.end(epoch(performance.now()));
  }
}

function attributesOf(environ: Environ, method: string | null): Attributes {
  const [path, query] = splitOnce(requestUri(environ), '?');
  const host = text(environ['HTTP_HOST']) ?? '';
  const port = Number(hostPort(host) || environ.SERVER_PORT);
  return {
    'http.request.method': method ?? '_OTHER',
    ...(method === null && { 'http.request.method_original': environ.REQUEST_METHOD }),
    'url.scheme': environ['wsgi.url_scheme'],
    'url.path': path,
    ...(query !== '' && { 'url.query': query.replace(SIGNATURE, '$1$2=REDACTED') }),
    'server.address': hostName(host) || environ.SERVER_NAME,
    ...(Number.isInteger(port) && { 'server.port': port }),
    ...given('client.address', environ['REMOTE_ADDR']),
    ...given('user_agent.original', environ['HTTP_USER_AGENT']),
    ...given('network.protocol.version', version(environ.SERVER_PROTOCOL)),
    'viaduct.mount': environ['viaduct.mount'],
    'viaduct.request_id': environ['viaduct.request_id'],
  };
}

/** HTTP/1.1 -> 1.1, HTTP/2.0 -> 2 */
const version = (protocol: string): string | undefined =>
  /^HTTP\/([\d.]+?)(?:(?<=[^1])\.0)?$/.exec(protocol)?.[1];

const given = (name: string, value: unknown): Attributes =>
  typeof value === 'string' && value !== '' ? { [name]: value } : {};

function splitOnce(whole: string, separator: string): [string, string] {
  const at = whole.indexOf(separator);
  return at === -1 ? [whole, ''] : [whole.slice(0, at), whole.slice(at + 1)];
}

const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

/** performance.now() -> milliseconds since the epoch. */
const epoch = (now: number): number => performance.timeOrigin + now;
