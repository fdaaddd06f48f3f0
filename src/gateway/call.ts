// One request from its environ to its last byte: it waits for a place, is answered, and ends exactly once whatever happens.
import type { AbortPhase, MountMetrics, ShedReason } from '../observe/mount-metrics.ts';
import type { Waiting } from './admission.ts';
import type { CallOwner } from './call-owner.ts';
import { Cancellation } from './cancellation.ts';
import type { HeaderList, Tunnel } from './contract.ts';
import { Delivery, type DeliveryOwner } from './delivery.ts';
import { exposeSignal, makeEnviron, type RequestEnviron } from './environ.ts';
import { type ErrorPage, errorPage } from './error-page.ts';
import { ErrorLines, type LineSink } from './error-stream.ts';
import { GatewayError } from './errors.ts';
import { type RequestPhase, type RequestRecord, type RunningRequest, runningRequest } from './events.ts';
import type { AbortReason, Exchange } from './exchange.ts';
import { Input } from './input.ts';
import type { Mount } from './mount.ts';
import { Response, type ResponseOwner } from './response.ts';
import type { Member } from './roster.ts';
import { type TraceContext, traceContext } from './trace-context.ts';
import type { RequestSpan, Tracing } from './tracing.ts';
import { mayUpgrade } from './upgrade.ts';

/** nginx's code for a client that left before there was an answer. */
const CLIENT_CLOSED_REQUEST = 499;

export class Call implements RequestRecord, Waiting, LineSink, DeliveryOwner, ResponseOwner, Member {
  readonly exchange: Exchange;
  readonly environ: RequestEnviron;
  readonly #owner: CallOwner;
  readonly #cancellation = new Cancellation();
  readonly #input: Input;
  readonly #errors: ErrorLines;

  #mount: Mount | null = null;
  #response: Response | null = null;
  #delivery: Delivery | null = null;
  #tunnel: Tunnel | null = null;
  #span: RequestSpan | null = null;
  #waits = false;
  #holdsPlace = false;
  #deadline = Infinity;
  #over = false;
  #givenUp = false;
  #saidSlow = false;

  status = 0;
  duration = 0;
  queuedAt = 0;
  queued = 0;
  aborted: AbortPhase | null = null;
  abortReason: AbortReason | null = null;
  place = -1;
  ahead: Waiting | null = null;
  behind: Waiting | null = null;

  constructor(exchange: Exchange, owner: CallOwner) {
    this.exchange = exchange;
    this.#owner = owner;
    this.#input = new Input(exchange.body);
    this.#errors = new ErrorLines(this);
    this.environ = makeEnviron(exchange.params, this.#input, this.#errors, this.#cancellation);
    exchange.onClose = (reason) => this.#closed(reason);
  }

  get mountName(): string {
    return this.#mount?.name ?? '';
  }

  get protocol(): string {
    return this.exchange.protocol;
  }

  get trace(): TraceContext | null {
    return this.#span ?? traceContext(this.environ['HTTP_TRACEPARENT']);
  }

  get bytesIn(): number {
    return this.exchange.body.received + (this.#tunnel?.bytesRead ?? 0);
  }

  get bytesOut(): number {
    return this.#tunnel?.bytesWritten ?? this.#response?.sent ?? 0;
  }

  /** Answers at once where there is a place, later or with 503 where there is none. */
  begin(mount: Mount): void {
    const { declared, received } = this.exchange.body;
    const { bodySize } = mount.limits;
    // What came together with the params was not measured yet: only now is the limit known.
    const size = declared === -1 ? received : declared;
    this.#mount = mount;
    if (this.#owner.tracing !== null) this.#beginSpan(this.#owner.tracing);
    this.exchange.configure(mount.limits);
    if (bodySize > 0 && size > bodySize) {
      this.refuse(413, `the body has ${size} bytes or more, limits.body_size is ${bodySize}`);
    } else if (mount.admission.enter()) {
      this.#run(mount);
    } else {
      this.queuedAt = performance.now();
      this.#waits = true;
      mount.metrics.queued();
      if (!mount.admission.wait(this)) this.#shed('queue_full', 'the queue is full');
    }
  }

  /** Answers with an error page instead of an application. */
  refuse(status: number, why: string, retryAfter?: number): void {
    if (this.#owner.tracing !== null) this.#beginSpan(this.#owner.tracing);
    this.#metrics.requestStarted();
    this.#owner.events.warned(this, `Refused request with ${status}: ${why}`);
    this.#sendError(status, retryAfter);
    this.#end();
  }

  /** A place came free. */
  admit(): void {
    const mount = this.#mount;
    if (mount === null) return;
    if (this.#over) {
      mount.admission.leave();
      return;
    }
    this.#dequeue();
    this.#run(mount);
  }

  /** It waited too long for a place. */
  giveUp(): void {
    this.#shed('queue_timeout', 'it waited longer than timeouts.queue');
  }

  /** Says that it is slow, and ends it when it has run for too long at `now` (performance.now()). */
  tick(now: number): void {
    if (this.#over) return;
    const { slowAfter } = this.#owner.events;
    if (!this.#saidSlow && slowAfter > 0 && now - this.exchange.startedAt > slowAfter) {
      this.#saidSlow = true;
      this.#owner.events.stillRuns(this.describe(now), this.trace);
    }
    if (now >= this.#deadline) this.#tooLong();
  }

  /** How it stands at `now` (performance.now()). */
  describe(now: number): RunningRequest {
    return runningRequest(
      this,
      this.#phase,
      now - this.exchange.startedAt,
      this.#waits ? now - this.queuedAt : this.queued,
    );
  }

  #tooLong(): void {
    this.#metrics.timedOut();
    const limit = this.#mount?.requestTimeout ?? 0;
    const message = `The request took longer than timeouts.request, ${limit} ms`;
    this.#cutOff(new GatewayError('ERR_GATEWAY_TIMEOUT', message), 'request_timeout');
  }

  /** The server stops and cannot wait for it any longer. A tunnel has no other end: there nobody has failed. */
  shutdown(): void {
    if (this.#over) return;
    this.#cutOff(
      new GatewayError('ERR_GATEWAY_SHUTDOWN', 'The server stopped before the response ended'),
      'shutdown',
    );
  }

  /** The server begins to stop: a request comes to its end soon, a tunnel has to be told. */
  drain(): void {
    const tunnel = this.#tunnel;
    if (tunnel !== null) process.nextTick(() => tunnel.emit('shutdown'));
  }

  appLine(line: string): void {
    this.#owner.events.appLine(this, line);
  }

  warned(message: string): void {
    this.#owner.events.warned(this, message);
  }

  delivered(): void {
    this.#end();
  }

  failed(error: unknown): void {
    // What an application says to being given up is no news.
    if (this.#over || this.#givenUp) return;
    const response = this.#response;
    this.#span?.failed(error);
    this.#owner.events.failed(this, error);
    this.#giveUp(error);
    if (response === null || !response.onWire) this.#sendFailure(error);
    // The client has all it was promised; what failed came after that.
    else if (response.isFull) response.finish();
    else this.#abort('app_error');
    this.#end();
  }

  closeFailed(error: unknown): void {
    this.#owner.events.failed(this, error);
  }

  /** The place is given back once the application is done, not when the client is. */
  left(): void {
    // What close() wrote came after the response.
    this.#errors.flush();
    this.#leavePlace();
    this.#owner.left(this);
  }

  get #phase(): RequestPhase {
    if (this.#over) return 'closing';
    if (this.#waits) return 'queued';
    if (this.#tunnel !== null) return 'tunnel';
    if (this.#input.busy) return 'reading';
    return this.#response?.onWire === true ? 'sending' : 'running';
  }

  get #metrics(): MountMetrics {
    return this.#mount?.metrics ?? this.#owner.noMount;
  }

  #run(mount: Mount): void {
    this.#holdsPlace = true;
    mount.metrics.requestStarted();
    if (mount.requestTimeout > 0) this.#deadline = this.exchange.startedAt + mount.requestTimeout;
    const response = this.#newResponse(mount.responseHeadersSize);
    const delivery = new Delivery(this.exchange, response, this);
    this.#delivery = delivery;
    if (mount.showsEnviron) exposeSignal(this.environ);
    if (this.environ['HTTP_UPGRADE'] !== undefined && mayUpgrade(this.environ, this.exchange))
      this.environ['viaduct.upgrade'] = (headers?: HeaderList) => this.#upgrade(response, headers);
    if (this.#span === null) delivery.start(mount.app, this.environ);
    else this.#span.run(() => delivery.start(mount.app, this.environ));
  }

  #beginSpan(tracing: Tracing): void {
    const { environ, exchange } = this;
    const mountPath = this.#mount?.path ?? null;
    this.#span ??= tracing.begin({ environ, mountPath, startedAt: exchange.startedAt });
  }

  #newResponse(maxHeaders: number): Response {
    const isHead = this.environ.REQUEST_METHOD === 'HEAD';
    this.#response = new Response(this.exchange, this.#input, isHead, maxHeaders, this);
    return this.#response;
  }

  #giveUp(reason: unknown): void {
    this.#givenUp = true;
    this.#cancellation.cancel(reason);
  }

  /** From here on it is over when the tunnel is; what limits a request does not limit that, a peer that reads nothing does. */
  #upgrade(response: Response, headers: unknown): Tunnel {
    const tunnel = response.upgrade(headers, String(this.environ['HTTP_UPGRADE']));
    this.#tunnel = tunnel;
    this.#deadline = Infinity;
    this.#saidSlow = true;
    // Open connections are limited by limits.connections; these would soon leave no place for requests.
    this.#leavePlace();
    tunnel.once('close', () => this.#end());
    if (this.#owner.draining) this.drain();
    return tunnel;
  }

  #leavePlace(): void {
    if (this.#holdsPlace) this.#mount?.admission.leave();
    this.#holdsPlace = false;
  }

  #cutOff(error: GatewayError, reason: AbortReason): void {
    if (this.#tunnel !== null) this.warned(`Tunnel cut off: ${error.message}`);
    else {
      this.#span?.failed(error);
      this.#owner.events.failed(this, error);
    }
    this.#giveUp(error);
    if (this.#waits) this.#leaveQueue();
    if (this.#response?.onWire === true) this.#abort(reason);
    else this.#sendError(error.status);
    this.#end();
  }

  /** The transport says that nothing more can reach the client. */
  #closed(reason: AbortReason): void {
    if (this.#over) return;
    this.#giveUp(
      new GatewayError('ERR_GATEWAY_CLIENT_GONE', `The client left before the response ended (${reason})`),
    );
    // It is how most tunnels end.
    if (this.#tunnel === null || reason !== 'client_gone') this.#abort(reason);
    if (this.#waits) this.#leaveQueue();
    if (this.#response?.onWire !== true) this.status = CLIENT_CLOSED_REQUEST;
    this.#end();
  }

  #abort(reason: AbortReason): void {
    this.aborted = this.#response?.onWire === true ? 'sending' : this.#waits ? 'queued' : 'running';
    this.abortReason = reason;
    this.#metrics.aborted(this.aborted);
    const unable = this.exchange.abort(reason);
    if (unable !== null) this.warned(`A response broke off, and ${unable}`);
  }

  #shed(reason: ShedReason, why: string): void {
    const mount = this.#mount;
    if (mount === null || this.#over) return;
    this.#dequeue();
    mount.metrics.shed(reason);
    this.refuse(503, why, Math.max(1, Math.ceil(mount.queueTimeout / 1000)));
  }

  #leaveQueue(): void {
    this.#mount?.admission.forget(this);
    this.#dequeue();
    this.#metrics.requestStarted();
  }

  #dequeue(): void {
    this.#waits = false;
    this.queued = performance.now() - this.queuedAt;
    this.#metrics.dequeued(this.queued / 1000);
  }

  #sendFailure(error: unknown): void {
    const status = error instanceof GatewayError ? error.status : 500;
    this.#sendError(status, undefined, this.#owner.explain?.(this, status, error));
  }

  #sendError(status: number, retryAfter?: number, explained?: ErrorPage | null): void {
    const page = explained ?? errorPage(status, this.environ['viaduct.request_id'], retryAfter);
    (this.#response ?? this.#newResponse(0)).sendError(page.status, page.headers, page.body);
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    if (this.status === 0) this.status = this.#response?.code ?? 0;
    this.duration = performance.now() - this.exchange.startedAt;
    this.#errors.flush();
    const method = this.environ.REQUEST_METHOD;
    this.#metrics.requestFinished(method, this.status, this.duration / 1000, this.bytesIn, this.bytesOut);
    this.#span?.end(this);
    this.#owner.events.finished(this);
    if (this.#delivery === null) this.left();
    else this.#delivery.stop();
  }
}
