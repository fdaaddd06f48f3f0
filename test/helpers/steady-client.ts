// Asks without a pause, at a constant rate or on so many connections back to back, and takes note of every answer that is
// not the one it must be. Talks HTTP to nginx; what it asks is test/fixtures/apps/steady.js.
import { expect } from 'chai';
import { Agent, type ClientRequest, type IncomingMessage, request as httpRequest } from 'node:http';
import { waitFor } from './wait.ts';

export interface SteadyOptions {
  port: number;
  /** Where steady.js is mounted; `/` unless told. */
  path?: string;
  /** Requests a second over all connections. Without it each connection asks again as soon as it has its answer. */
  rate?: number;
  /** Kept-alive connections to nginx; 64 unless told. */
  connections?: number;
  /** Milliseconds after which it asks no more, should nobody stop it; 60000 unless told. */
  maxTime?: number;
  /** Milliseconds for one answer; 10000 unless told. */
  timeout?: number;
}

/** One answer that was not the one wanted. */
export interface SteadyFailure {
  /** Milliseconds since the client began: when it was asked, and when it failed. */
  readonly askedAt: number;
  readonly at: number;
  /** `POST /?n=17`. */
  readonly request: string;
  /** 0 where there was none. */
  readonly status: number;
  /** What came instead. */
  readonly what: string;
}

export interface SteadyReport {
  readonly sent: number;
  /** Answers that were as they must be. */
  readonly good: number;
  readonly failed: number;
  /** The first 1000. */
  readonly failures: readonly SteadyFailure[];
  /** Good answers by the process that gave them (X-Worker), and by what its configuration calls it (X-Release). */
  readonly workers: ReadonlyMap<string, number>;
  readonly releases: ReadonlyMap<string, number>;
  /** Milliseconds from when it was to be asked to the last byte of a good answer; NaN without one. */
  readonly latency: { readonly p50: number; readonly p99: number; readonly max: number };
  readonly seconds: number;
}

/** Milliseconds between two looks at what is due: requests go out in small bursts, as from many clients. */
const PULSE = 10;
const FAILURES_KEPT = 1000;
/** Every so many POSTs carry a body that does not fit into one buffer of nginx. */
const LARGE_EVERY = 16;
const LARGE = 'large '.repeat(5000);

export class SteadyClient {
  readonly #options: Required<Omit<SteadyOptions, 'rate'>> & { rate: number | null };
  readonly #startedAt = performance.now();
  readonly #idle: Agent[];
  /** When each request that no connection was free for was to be asked. */
  readonly #overdue: number[] = [];
  readonly #failures: SteadyFailure[] = [];
  readonly #latencies: number[] = [];
  readonly #workers = new Map<string, number>();
  readonly #releases = new Map<string, number>();
  readonly #pulse: NodeJS.Timeout;
  #scheduled = 0;
  #sent = 0;
  #failed = 0;
  #stopping = false;

  constructor(options: SteadyOptions) {
    const { port, path = '/', rate = null, connections = 64, maxTime = 60_000, timeout = 10_000 } = options;
    this.#options = { port, path, rate, connections, maxTime, timeout };
    this.#idle = Array.from({ length: connections }, () => new Agent({ keepAlive: true, maxSockets: 1 }));
    this.#pulse = setInterval(() => this.#schedule(), PULSE);
    this.#schedule();
  }

  /** Milliseconds since it began, the clock of the failures. */
  get now(): number {
    return performance.now() - this.#startedAt;
  }

  get good(): number {
    return this.#latencies.length;
  }

  get failed(): number {
    return this.#failed;
  }

  /** Resolves once `count` more good answers have come. */
  async moreAnswers(count: number, timeout = 10_000): Promise<void> {
    const wanted = this.good + count;
    await waitFor(() => this.good >= wanted, { what: `${count} more good answers`, timeout });
  }

  /** Asks no more, waits for the answers under way, and tells how it was. */
  async stop(): Promise<SteadyReport> {
    this.#stopping = true;
    clearInterval(this.#pulse);
    const { connections, timeout } = this.#options;
    await waitFor(() => this.#idle.length === connections, {
      what: 'the last answers',
      timeout: timeout + 5000,
    });
    for (const agent of this.#idle) agent.destroy();
    return this.#report();
  }

  #schedule(): void {
    const { rate, maxTime } = this.#options;
    if (this.#stopping || this.now > maxTime) return;
    if (rate === null) {
      for (const agent of this.#idle.splice(0)) this.#ask(agent, performance.now());
      return;
    }
    // Counted from the beginning: a pulse that comes late makes up for it, and the wait counts as latency.
    for (; this.#scheduled <= (this.now * rate) / 1000; this.#scheduled += 1)
      this.#overdue.push(this.#startedAt + (this.#scheduled * 1000) / rate);
    this.#askOverdue();
  }

  #askOverdue(): void {
    while (this.#overdue.length > 0) {
      const agent = this.#idle.shift();
      if (agent === undefined) return;
      this.#ask(agent, this.#overdue.shift() ?? 0);
    }
  }

  #ask(agent: Agent, dueAt: number): void {
    const { port, path, timeout } = this.#options;
    const n = (this.#sent += 1);
    const target = `${path}?n=${n}`;
    const isPost = n % 2 === 0;
    const body = isPost ? `body of ${n} ${n % (2 * LARGE_EVERY) === 0 ? LARGE : ''}` : '';
    const method = isPost ? 'POST' : 'GET';
    const wanted = `${method} ${target}\n${body}`;
    const askedAt = this.now;
    let isOver = false;
    const over = (status: number, what: string | null): void => {
      if (isOver) return;
      isOver = true;
      clearTimeout(timer);
      if (what === null) this.#latencies.push(performance.now() - dueAt);
      else this.#fail({ askedAt, at: this.now, request: `${method} ${target}`, status, what });
      this.#free(agent);
    };
    const headers = isPost ? { 'content-length': Buffer.byteLength(body) } : {};
    const asked: ClientRequest = httpRequest({
      host: '127.0.0.1',
      port,
      method,
      path: target,
      agent,
      headers,
    });
    const timer = setTimeout(() => {
      over(0, `no answer within ${timeout} ms`);
      asked.destroy();
    }, timeout);
    asked.on('error', (error: NodeJS.ErrnoException) => over(0, `${error.code ?? ''} ${error.message}`));
    asked.on('response', (response) => this.#read(response, wanted, over));
    asked.end(body);
  }

  #read(
    response: IncomingMessage,
    wanted: string,
    over: (status: number, what: string | null) => void,
  ): void {
    const { statusCode: status = 0, headers } = response;
    const chunks: Buffer[] = [];
    response.on('data', (chunk: Buffer) => chunks.push(chunk));
    response.on('error', (error) => over(status, `cut short: ${error.message}`));
    response.on('end', () => {
      const text = Buffer.concat(chunks).toString('latin1');
      if (status !== 200) over(status, `status ${status}`);
      else if (text !== wanted) over(status, `another body: ${JSON.stringify(text.slice(0, 200))}`);
      else {
        countOne(this.#workers, headers['x-worker']);
        countOne(this.#releases, headers['x-release']);
        over(status, null);
      }
    });
  }

  #fail(failure: SteadyFailure): void {
    this.#failed += 1;
    if (this.#failures.length < FAILURES_KEPT) this.#failures.push(failure);
  }

  #free(agent: Agent): void {
    // In the next turn: the agent takes its socket back only after the response's 'end'.
    setImmediate(() => {
      this.#idle.push(agent);
      if (this.#stopping) return;
      if (this.#options.rate === null) this.#schedule();
      else this.#askOverdue();
    });
  }

  #report(): SteadyReport {
    const sorted = Float64Array.from(this.#latencies).toSorted();
    const quantile = (part: number): number => sorted[Math.ceil(sorted.length * part) - 1] ?? NaN;
    return {
      sent: this.#sent,
      good: this.good,
      failed: this.#failed,
      failures: this.#failures,
      workers: this.#workers,
      releases: this.#releases,
      latency: { p50: quantile(0.5), p99: quantile(0.99), max: quantile(1) },
      seconds: this.now / 1000,
    };
  }
}

export function startSteadyClient(options: SteadyOptions): SteadyClient {
  return new SteadyClient(options);
}

/** Fails where any answer was not as it must be, or where there was none at all. */
export function expectSteady(report: SteadyReport): void {
  const { sent, good, failed, failures } = report;
  const first = failures
    .slice(0, 5)
    .map(({ at, request, what }) => `\n  after ${at.toFixed(0)} ms ${request}: ${what}`);
  expect(failed, `of ${sent} requests ${failed} failed${first.join('')}`).to.equal(0);
  expect(good, 'answers').to.be.above(0);
}

function countOne(counts: Map<string, number>, header: string | string[] | undefined): void {
  const key = String(header ?? '');
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
