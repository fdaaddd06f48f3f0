// A request body on its way from a connection to wsgi.input: a queue with a high-water mark, limits and one reader.
import { GatewayError } from '../gateway/errors.ts';
import type { BodyReader } from '../gateway/exchange.ts';
import { BODY_HIGH_WATER, BODY_LOW_WATER, type Flow } from './flow-control.ts';

/** Milliseconds without a byte after which a peer that saw our headers is taken to have stopped sending for good. */
const AFTER_HEADERS_LIMIT = 2000;

interface Reader {
  resolve(chunk: Uint8Array | null): void;
  reject(error: GatewayError): void;
  readonly since: number;
}

export class BodyQueue implements BodyReader {
  readonly #flow: Flow;
  readonly #chunks: Uint8Array[] = [];
  #size = 0;
  #paused = false;
  #error: GatewayError | null = null;
  #reader: Reader | null = null;
  #discarding = false;

  readonly declared: number;
  received = 0;
  complete = false;
  onComplete: (() => void) | null = null;
  /** Bytes; 0 = no limit. */
  limit = 0;
  /** Milliseconds between two reads; 0 = none. */
  timeout = 0;
  /** Set when the peer may have seen response headers and stopped sending because of it. */
  mayHaveStopped = false;

  constructor(declared: number, flow: Flow) {
    this.declared = declared;
    this.#flow = flow;
    if (declared === 0) this.complete = true;
  }

  /** Bytes that were received. */
  push(chunk: Uint8Array): void {
    this.received += chunk.length;
    if (this.#discarding || this.#error !== null) return;
    if (this.limit > 0 && this.received > this.limit) {
      this.fail(
        new GatewayError(
          'ERR_BODY_TOO_LARGE',
          `Cannot read body: it is larger than limits.body_size, ${this.limit} bytes`,
        ),
      );
      return;
    }
    const reader = this.#reader;
    if (reader === null) {
      this.#chunks.push(chunk);
      this.#size += chunk.length;
      if (this.#size >= BODY_HIGH_WATER) this.#pause();
    } else {
      this.#reader = null;
      reader.resolve(chunk);
    }
    if (this.received === this.declared) this.#finish();
  }

  /** The peer says that the body has ended. */
  end(): void {
    if (this.complete || this.#error !== null) return;
    if (this.declared > this.received) {
      const found = `${this.received} of ${this.declared} bytes`;
      this.fail(new GatewayError('ERR_BODY_TRUNCATED', `Cannot read body: it ended after ${found}`));
    } else {
      this.#finish();
    }
  }

  /** No more can come, and every read from here on gives `error`. */
  fail(error: GatewayError): void {
    if (this.complete || this.#error !== null) return;
    this.#error = error;
    this.#chunks.length = 0;
    this.#size = 0;
    this.#resume();
    const reader = this.#reader;
    this.#reader = null;
    reader?.reject(error);
  }

  /** Nobody will read any more: what still comes is dropped. */
  discard(): void {
    this.#discarding = true;
    this.#chunks.length = 0;
    this.#size = 0;
    this.onComplete = null;
    this.#resume();
  }

  read(): Uint8Array | null | Promise<Uint8Array | null> {
    const chunk = this.#chunks.shift();
    if (chunk !== undefined) {
      this.#size -= chunk.length;
      if (this.#size <= BODY_LOW_WATER) this.#resume();
      return chunk;
    }
    if (this.#error !== null) throw this.#error;
    if (this.complete) return null;
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject, since: performance.now() };
    });
  }

  tick(now: number): void {
    if (this.#reader === null) return;
    const waited = now - this.#reader.since;
    if (this.mayHaveStopped && waited > AFTER_HEADERS_LIMIT) {
      this.fail(
        new GatewayError(
          'ERR_BODY_AFTER_HEADERS',
          'Cannot read body: the web server stops sending it once it has response headers, read the body before you respond',
        ),
      );
    } else if (this.timeout > 0 && waited > this.timeout) {
      this.fail(
        new GatewayError(
          'ERR_BODY_TIMEOUT',
          `Cannot read body: nothing came for ${this.timeout} ms (timeouts.body)`,
        ),
      );
    }
  }

  #finish(): void {
    this.complete = true;
    const reader = this.#reader;
    this.#reader = null;
    reader?.resolve(null);
    this.onComplete?.();
  }

  #pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#flow.pause();
  }

  #resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#flow.resume();
  }
}
