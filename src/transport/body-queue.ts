// A request body on its way from a connection to wsgi.input: a queue with a high-water mark, limits and one reader.
import { Buffer } from 'node:buffer';
import { GatewayError } from '../gateway/errors.ts';
import type { BodyReader } from '../gateway/exchange.ts';
import { BODY_HIGH_WATER, BODY_LOW_WATER, type Flow } from './flow-control.ts';
import { Gathering } from './gathering.ts';

/** Milliseconds without a byte after which a peer that saw our headers is taken to have stopped sending for good. */
const AFTER_HEADERS_LIMIT = 2000;

const NOTHING = new Uint8Array(0);

interface Reader {
  /** More has come, or the end. */
  resolve(): void;
  reject(error: GatewayError): void;
  since: number;
  /** What take() fills, and how far it is; null for read(). */
  readonly target: Uint8Array | null;
  at: number;
}

export class BodyQueue implements BodyReader {
  readonly #flow: Flow;
  readonly #chunks: Uint8Array[] = [];
  /** What comes behind #chunks. */
  #gathering: Gathering | null = null;
  /** Bytes in both. */
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

  /** Bytes that were received; `chunk` is not held on to once this returns. */
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
    const rest = this.#reader === null ? chunk : this.#serve(this.#reader, chunk);
    if (rest.length > 0) this.#hold(rest);
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
    this.#drop();
    this.#resume();
    const reader = this.#reader;
    this.#reader = null;
    reader?.reject(error);
  }

  /** Nobody will read any more: what still comes is dropped. */
  discard(): void {
    this.#discarding = true;
    this.#drop();
    this.onComplete = null;
    this.#resume();
  }

  read(): Uint8Array | null | Promise<Uint8Array | null> {
    this.#stopGathering();
    const chunk = this.#shift();
    if (chunk !== null) return chunk;
    if (this.#error !== null) throw this.#error;
    if (this.complete) return null;
    return this.#wait(null, 0).then(() => this.read());
  }

  take(size: number): Uint8Array | Promise<Uint8Array> {
    const [first] = this.#chunks;
    if (first !== undefined && first.length >= size) return this.#cut(first, size);
    const { target, at } = this.#targetOf(size);
    if (at === size) return target;
    if (this.#error !== null) throw this.#error;
    if (this.complete) return target.subarray(0, at);
    return this.#wait(target, at).then((reader) =>
      reader.at === size ? target : target.subarray(0, reader.at),
    );
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
    reader?.resolve();
    this.onComplete?.();
  }

  /** A buffer of `size` bytes with what is there already. */
  #targetOf(size: number): { target: Uint8Array; at: number } {
    if (this.#chunks.length === 0) {
      const open = this.#gathering?.handOver() ?? null;
      if (open !== null) {
        this.#taken(open.at);
        if (open.buffer.length === size) return { target: open.buffer, at: open.at };
        this.#queue(open.buffer.subarray(0, open.at));
      }
    } else {
      this.#stopGathering();
    }
    const target = Buffer.allocUnsafe(size);
    let at = 0;
    for (let [chunk] = this.#chunks; chunk !== undefined && at < size; [chunk] = this.#chunks) {
      const piece = this.#cut(chunk, size - at);
      target.set(piece, at);
      at += piece.length;
    }
    this.#gathering ??= new Gathering();
    this.#gathering.start(size);
    return { target, at };
  }

  /** Gives a waiting reader what it waits for, and what is left of the chunk. */
  #serve(reader: Reader, chunk: Uint8Array): Uint8Array {
    const { target, at } = reader;
    if (target === null) {
      this.#reader = null;
      reader.resolve();
      return chunk;
    }
    const taken = Math.min(target.length - at, chunk.length);
    target.set(taken === chunk.length ? chunk : chunk.subarray(0, taken), at);
    reader.at += taken;
    reader.since = performance.now();
    if (reader.at < target.length) return NOTHING;
    this.#reader = null;
    reader.resolve();
    return chunk.subarray(taken);
  }

  /** Nobody waits for `rest`, a part of the chunk that is being received. */
  #hold(rest: Uint8Array): void {
    if (this.#gathering === null || !this.#gathering.active) {
      this.#queue(this.#flow.keep(rest));
      return;
    }
    this.#gathering.add(rest, (buffer) => this.#chunks.push(buffer));
    this.#grown(rest.length);
  }

  #queue(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#grown(chunk.length);
  }

  #drop(): void {
    if (this.#size === 0) return;
    this.#gathering?.stop();
    this.#chunks.length = 0;
    this.#size = 0;
  }

  #stopGathering(): void {
    const rest = this.#gathering?.stop() ?? null;
    if (rest !== null) this.#chunks.push(rest);
  }

  #grown(size: number): void {
    this.#size += size;
    if (this.#size >= BODY_HIGH_WATER) this.#pause();
  }

  #shift(): Uint8Array | null {
    const chunk = this.#chunks.shift();
    if (chunk === undefined) return null;
    this.#taken(chunk.length);
    return chunk;
  }

  /** The first `size` bytes of the first chunk, which leave the queue; fewer where it has fewer. */
  #cut(first: Uint8Array, size: number): Uint8Array {
    if (first.length <= size) return this.#shift() ?? first;
    this.#chunks[0] = first.subarray(size);
    this.#taken(size);
    return first.subarray(0, size);
  }

  #taken(size: number): void {
    this.#size -= size;
    if (this.#size <= BODY_LOW_WATER) this.#resume();
  }

  #wait(target: Uint8Array | null, at: number): Promise<Reader> {
    return new Promise((resolve, reject) => {
      const reader: Reader = { resolve: () => resolve(reader), reject, since: performance.now(), target, at };
      this.#reader = reader;
    });
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
