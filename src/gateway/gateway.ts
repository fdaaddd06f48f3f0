// The gateway: takes exchanges from any transport, finds their mount, and keeps track of what runs.
import type { MountMetrics } from '../observe/mount-metrics.ts';
import type { Admission } from './admission.ts';
import { Call } from './call.ts';
import type { CallOwner } from './call-owner.ts';
import { completeEnviron, type RequestPath } from './environ.ts';
import type { Explain } from './error-page.ts';
import { GatewayError } from './errors.ts';
import type { GatewayEvents, RunningRequest } from './events.ts';
import type { Exchange } from './exchange.ts';
import type { Mount } from './mount.ts';
import { MountTable } from './mounts.ts';
import { requestId } from './request-id.ts';
import { Roster } from './roster.ts';
import type { Tracing } from './tracing.ts';

export interface GatewayOptions {
  /** Whether other processes serve the same mounts, for wsgi.multiprocess. Default false. */
  readonly multiprocess?: boolean;
  /** The environ key that may name a request; null: none. Default HTTP_X_REQUEST_ID. */
  readonly requestIdKey?: string | null;
  /** Makes pages that say what went wrong; default: clients are not told. */
  readonly explain?: Explain | undefined;
}

export class Gateway implements CallOwner {
  readonly events: GatewayEvents;
  readonly noMount: MountMetrics;
  /** May come and go. */
  tracing: Tracing | null = null;
  readonly explain: Explain | null;
  readonly #multiprocess: boolean;
  readonly #requestIdKey: string | null;
  readonly #table: MountTable<Mount>;
  readonly #admissions: ReadonlySet<Admission>;
  readonly #calls = new Roster<Call>();
  #whenEmpty: (() => void)[] = [];
  #draining = false;

  constructor(
    mounts: readonly Mount[],
    events: GatewayEvents,
    noMount: MountMetrics,
    { multiprocess = false, requestIdKey = 'HTTP_X_REQUEST_ID', explain }: GatewayOptions = {},
  ) {
    this.events = events;
    this.noMount = noMount;
    this.explain = explain ?? null;
    this.#multiprocess = multiprocess;
    this.#requestIdKey = requestIdKey;
    this.#table = new MountTable(mounts);
    this.#admissions = new Set(mounts.map((mount) => mount.admission));
  }

  /** Requests that are not over, those in the queue included. */
  get active(): number {
    return this.#calls.size;
  }

  get draining(): boolean {
    return this.#draining;
  }

  /** Takes one request; everything that happens to it from here on is told to `events`. */
  handle(exchange: Exchange): void {
    const call = new Call(exchange, this);
    this.#calls.add(call);
    const { environ } = call;
    let place: RequestPath;
    try {
      place = completeEnviron(environ);
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      environ['viaduct.request_id'] = requestId(undefined);
      call.refuse(error.status, error.message);
      return;
    }
    const key = this.#requestIdKey;
    environ['viaduct.request_id'] = requestId(key === null ? undefined : environ[key]);
    if (this.#multiprocess) environ['wsgi.multiprocess'] = true;
    const mount = this.#place(environ, place);
    if (mount === null) call.refuse(404, 'no mount has its path');
    else call.begin(mount);
  }

  /** What is not over, in no order. Made when asked for: a request costs nothing for it. */
  running(): RunningRequest[] {
    const now = performance.now();
    return this.#calls.list().map((call) => call.describe(now));
  }

  /** Looks after deadlines and slow requests; called a few times a second with performance.now(). */
  tick(now: number): void {
    for (const call of this.#calls.list()) call.tick(now);
    for (const admission of this.#admissions) admission.expire(now);
  }

  /** The server begins to stop; what still comes is answered as before. */
  drain(): void {
    if (this.#draining) return;
    this.#draining = true;
    for (const call of this.#calls.list()) call.drain();
  }

  /** Resolves once nothing runs any more. */
  drained(): Promise<void> {
    if (this.#calls.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#whenEmpty.push(resolve));
  }

  /** Ends everything that still runs. */
  shutdown(): void {
    for (const call of this.#calls.list()) call.shutdown();
  }

  left(call: Call): void {
    this.#calls.delete(call);
    if (this.#calls.size > 0 || this.#whenEmpty.length === 0) return;
    for (const resolve of this.#whenEmpty.splice(0)) resolve();
  }

  /**
   * Splits the path at the mount: SCRIPT_NAME + PATH_INFO is always the whole path. A SCRIPT_NAME that the front server
   * set stays in front; mounts then count from the root, or, where none lies that deep, from below it.
   */
  #place(environ: Call['environ'], { script, path }: RequestPath): Mount | null {
    const host = environ['HTTP_HOST'];
    const hostHeader = typeof host === 'string' ? host : environ.SERVER_NAME;
    let front = '';
    let whole = script + path;
    let mount = this.#table.find(whole, hostHeader);
    if (script !== '' && (mount === null || mount.path.length < script.length)) {
      front = script;
      whole = path;
      mount = this.#table.find(path, hostHeader);
    }
    if (mount === null) return null;
    environ.SCRIPT_NAME = front + mount.path;
    environ.PATH_INFO = whole.slice(mount.path.length);
    environ['viaduct.mount'] = mount.name;
    for (const [name, value] of mount.env) environ[name] = value;
    return mount;
  }
}
