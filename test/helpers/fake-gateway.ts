// Runs applications through the real Gateway, with fake exchanges on one side and recorded events on the other.
import { expect } from 'chai';
import { Admission } from '../../src/gateway/admission.ts';
import type { Application, Body, Environ, HeaderList } from '../../src/gateway/contract.ts';
import { GatewayError } from '../../src/gateway/errors.ts';
import type { GatewayEvents, RequestRecord, RunningRequest } from '../../src/gateway/events.ts';
import { Gateway } from '../../src/gateway/gateway.ts';
import type { Mount } from '../../src/gateway/mount.ts';
import { MountMetrics } from '../../src/observe/mount-metrics.ts';
import { FakeExchange, type FakeExchangeOptions } from './fake-exchange.ts';
import { bytes } from './mini-gateway.ts';
import { waitFor } from './wait.ts';

/** What the gateway said, as it came. */
export class RecordedEvents implements GatewayEvents {
  slowAfter = 0;
  /** Told to be slow while they ran. */
  readonly slow: RunningRequest[] = [];
  readonly requests: RequestRecord[] = [];
  readonly errors: unknown[] = [];
  readonly warnings: string[] = [];
  readonly lines: string[] = [];

  stillRuns(request: RunningRequest): void {
    this.slow.push(request);
  }

  finished(request: RequestRecord): void {
    this.requests.push(request);
  }

  failed(_request: RequestRecord, error: unknown): void {
    this.errors.push(error);
  }

  warned(_request: RequestRecord, message: string): void {
    this.warnings.push(message);
  }

  appLine(_request: RequestRecord, line: string): void {
    this.lines.push(line);
  }

  /** The errors by code, or by message where they are not the gateway's. */
  get codes(): string[] {
    return this.errors.map((error) => {
      if (error instanceof GatewayError) return error.code;
      return error instanceof Error ? error.message : String(error);
    });
  }
}

export interface StageOptions extends Partial<Mount> {
  /** How many requests run at once, may wait, and for how many milliseconds. */
  requests?: number;
  queue?: number;
  queueTimeout?: number;
}

export interface RequestOptions extends FakeExchangeOptions {
  method?: string;
  path?: string;
}

/** nginx's stock params for GET / of http://example.com/, which `more` overrides: the last of a name counts. */
export function stockParams(method = 'GET', path = '/', more: readonly string[] = []): string[] {
  const all: Record<string, string> = {
    QUERY_STRING: '',
    REQUEST_METHOD: method,
    CONTENT_TYPE: '',
    CONTENT_LENGTH: '',
    SCRIPT_NAME: path,
    REQUEST_URI: path,
    DOCUMENT_URI: path,
    SERVER_PROTOCOL: 'HTTP/1.1',
    REMOTE_ADDR: '127.0.0.1',
    SERVER_PORT: '80',
    SERVER_NAME: 'example.com',
    HTTP_HOST: 'example.com',
  };
  return [...Object.entries(all).flat(), ...more];
}

/** One gateway with one mount (or `mounts`), and whatever it said. */
export class Stage {
  readonly gateway: Gateway;
  readonly events: RecordedEvents = new RecordedEvents();
  readonly noMount: MountMetrics = new MountMetrics('_none');
  readonly mounts: readonly Mount[];
  readonly #handled: FakeExchange[] = [];

  constructor(...mounts: readonly Mount[]) {
    this.mounts = mounts;
    this.gateway = new Gateway(mounts, this.events, this.noMount);
  }

  get mount(): Mount {
    const [first] = this.mounts;
    if (first === undefined) throw new Error('Cannot give a mount: the stage has none');
    return first;
  }

  handle(options: RequestOptions = {}): FakeExchange {
    const { method, path, params = [] } = options;
    return this.handleRaw({ ...options, params: stockParams(method, path, params) });
  }

  /** With exactly these params. */
  handleRaw(options: FakeExchangeOptions): FakeExchange {
    const exchange = new FakeExchange(options);
    this.#handled.push(exchange);
    this.gateway.handle(exchange);
    return exchange;
  }

  /** Waits until every request is over and its application done with it, and checks that nothing is left behind. */
  async settled(): Promise<void> {
    await waitFor(() => this.gateway.active === 0, { what: 'the gateway to be done' });
    await new Promise((resolve) => setImmediate(resolve));
    for (const { metrics, admission } of this.mounts) {
      expect({ active: metrics.active, depth: metrics.queueDepth }).to.deep.equal({ active: 0, depth: 0 });
      expect({ running: admission.running, waiting: admission.waiting }).to.deep.equal({
        running: 0,
        waiting: 0,
      });
    }
    expect(this.noMount.active).to.equal(0);
    expect(this.events.requests).to.have.lengthOf(this.#handled.length);
    for (const exchange of this.#handled) {
      expect(exchange.misuse).to.deep.equal([]);
      expect(exchange.closed).to.equal(true);
    }
  }
}

export function makeMount(app: Application, options: StageOptions = {}): Mount {
  const { requests = 100, queue = 10, queueTimeout = 5000, ...changes } = options;
  return {
    path: '',
    host: null,
    name: '/',
    app,
    showsEnviron: true,
    env: [],
    limits: { bodySize: 0, bodyTimeout: 60_000, sendTimeout: 60_000 },
    responseHeadersSize: 65_536,
    requestTimeout: 0,
    queueTimeout,
    admission: new Admission({ requests, queue, queueTimeout }),
    metrics: new MountMetrics('/'),
    ...changes,
  };
}

export const stageFor = (app: Application, options: StageOptions = {}): Stage =>
  new Stage(makeMount(app, options));

export interface Outcome {
  readonly exchange: FakeExchange;
  readonly events: RecordedEvents;
  readonly stage: Stage;
}

/** One request from beginning to end. */
export async function run(
  app: Application,
  request: RequestOptions = {},
  options: StageOptions = {},
): Promise<Outcome> {
  const stage = stageFor(app, options);
  const exchange = stage.handle(request);
  await stage.settled();
  return { exchange, events: stage.events, stage };
}

/** The environ an application gets for these params, after nginx's stock ones; null where it is never called. */
export async function environFor(request: RequestOptions = {}, options: StageOptions = {}): Promise<Environ> {
  let seen: Environ | null = null;
  const app: Application = (environ, startResponse) => {
    seen = environ;
    startResponse('204 No Content', []);
    return [];
  };
  const { exchange } = await run(app, request, options);
  if (seen === null)
    throw new Error(`Cannot give an environ: the request was answered with ${exchange.status}`);
  return seen;
}

export const PLAIN: HeaderList = [['Content-Type', 'text/plain']];

/** A body that counts what is done to it. `chunks` are texts; a function among them is called when its turn comes. */
export class WatchedBody implements AsyncIterable<Uint8Array> {
  readonly #steps: readonly (string | (() => unknown))[];
  iterations = 0;
  nexts = 0;
  returns = 0;
  closes = 0;

  constructor(...steps: readonly (string | (() => unknown))[]) {
    this.#steps = steps;
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array, undefined> {
    this.iterations += 1;
    return {
      next: async () => {
        const step = this.#steps[this.nexts];
        this.nexts += 1;
        if (step === undefined) return { done: true, value: undefined };
        const value = typeof step === 'string' ? bytes(step) : await step();
        return { done: false, value: value as Uint8Array };
      },
      return: async () => {
        this.returns += 1;
        return { done: true, value: undefined };
      },
    };
  }

  close(): void {
    this.closes += 1;
  }

  /** How often return() and close() were called. */
  get ends(): { returns: number; closes: number } {
    return { returns: this.returns, closes: this.closes };
  }
}

/** The same, iterated synchronously. */
export class WatchedSyncBody implements Iterable<Uint8Array> {
  readonly #steps: readonly (string | (() => unknown))[];
  nexts = 0;
  returns = 0;
  closes = 0;

  constructor(...steps: readonly (string | (() => unknown))[]) {
    this.#steps = steps;
  }

  [Symbol.iterator](): Iterator<Uint8Array, undefined> {
    return {
      next: () => {
        const step = this.#steps[this.nexts];
        this.nexts += 1;
        if (step === undefined) return { done: true, value: undefined };
        return { done: false, value: (typeof step === 'string' ? bytes(step) : step()) as Uint8Array };
      },
      return: () => {
        this.returns += 1;
        return { done: true, value: undefined };
      },
    };
  }

  close(): void {
    this.closes += 1;
  }

  get ends(): { returns: number; closes: number } {
    return { returns: this.returns, closes: this.closes };
  }
}

/** An application that answers 200 with `body`. */
export const answering =
  (body: Body, headers: HeaderList = PLAIN, status = '200 OK'): Application =>
  (_environ, startResponse) => {
    startResponse(
      status,
      headers.map(([name, value]) => [name, value]),
    );
    return body;
  };

export const texts = (...chunks: readonly string[]): Uint8Array[] => chunks.map(bytes);
