// One request in the hands of a Python thread: its body goes there piece by piece, the response comes back the same way.
// Knows the gateway's contract and one lane at a time.
import type { Buffer } from 'node:buffer';
import type { Environ, HeaderList, StartResponse } from '../../gateway/contract.ts';
import { whenCancelled } from '../../gateway/environ.ts';
import { GatewayError } from '../../gateway/errors.ts';
import { isPeekable } from '../../gateway/input.ts';
import { LateBody } from '../../gateway/late-body.ts';
import { requestUri } from '../../gateway/path.ts';
import type { Asker, Posted } from './dispatch.ts';
import { type Frame, type FrameError, FrameFlag, INLINE_BODY, type LaneRequest } from './frames.ts';
import type { Lane, PythonError } from './lane.ts';
import type { LaneServer } from './lane-server.ts';

export interface ConversationOptions {
  readonly lanes: LaneServer;
  readonly environ: Environ;
  readonly startResponse: StartResponse;
  readonly request: LaneRequest;
  /** Lanes it may be sent to, one after the other, as long as nothing was answered. */
  readonly tries: number;
}

/** Bytes of a response that wait for the client before the thread has to. */
const HIGH_WATER = 256 * 1024;
const LOW_WATER = 64 * 1024;
/** Bytes of a response nobody wants that are read to keep the lane. */
const DISCARD_LIMIT = 1024 * 1024;

interface Reader {
  resolve(step: IteratorResult<Uint8Array>): void;
  reject(error: unknown): void;
}

const DONE: IteratorResult<Uint8Array> = { done: true, value: undefined };

export class Conversation implements Asker, AsyncIterator<Uint8Array> {
  posted: Posted | null = null;
  startedAt = 0;
  readonly request: LaneRequest;
  readonly #options: ConversationOptions;
  readonly #errors: Environ['wsgi.errors'];
  #triesLeft: number;
  #lane: Lane | null = null;
  /** What run() has returned. */
  readonly #begin = new LateBody();
  readonly #chunks: Buffer[] = [];
  #size = 0;
  #paused = false;
  #reader: Reader | null = null;
  /** The response is over, for better or worse. */
  #isOver = false;
  #error: Error | null = null;
  /** What reading the request body failed with: the reason of whatever the application then says. */
  #inputError: GatewayError | null = null;
  #writable: (() => void) | null = null;
  /** Bytes read since nobody wants them; -1: somebody does. */
  #discarded = -1;
  #whenOver: (() => void) | null = null;

  constructor(options: ConversationOptions) {
    this.#options = options;
    this.request = options.request;
    this.#triesLeft = options.tries;
    this.#errors = options.environ['wsgi.errors'];
  }

  /** Resolves with the whole body where it came at once, else with an iterator of its chunks. */
  run(): LateBody {
    whenCancelled(this.#options.environ, (reason) => this.#aborted(reason as Error));
    if (!this.#isOver) this.#start();
    return this.#begin;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<Uint8Array>> {
    const chunk = this.#chunks.shift();
    if (chunk !== undefined) {
      this.#size -= chunk.length;
      if (this.#paused && this.#size <= LOW_WATER) this.#resume();
      return Promise.resolve({ done: false, value: chunk });
    }
    if (this.#error !== null) return Promise.reject(this.#error);
    if (this.#isOver) return Promise.resolve(DONE);
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject };
    });
  }

  /** The gateway wants no more. Resolves when the thread is done, so that its lane can be used again. */
  async return(): Promise<IteratorResult<Uint8Array>> {
    this.#chunks.length = 0;
    this.#discarded = 0;
    if (this.#paused) this.#resume();
    if (!this.#isOver && this.#lane !== null)
      await new Promise<void>((resolve) => {
        this.#whenOver = resolve;
      });
    return DONE;
  }

  head({ head, bytes, flags, rest }: Frame): void {
    const [status, headers] = parseHead(head);
    const isWhole = (flags & FrameFlag.Fin) !== 0;
    if (isWhole && rest > 0) this.#addLength(status, headers, bytes.length + rest);
    const isLast = isWhole && rest === 0;
    if (isLast) this.#lane = null;
    try {
      this.#options.startResponse(status, headers);
    } catch (error) {
      // What startResponse() throws is always a GatewayError.
      this.#over(error as Error);
      return;
    }
    if (isLast) {
      this.#over(null);
      this.#begin.resolve([bytes]);
    } else {
      this.#add(bytes);
      this.#begin.resolve(this);
    }
  }

  data(chunk: Buffer, isLast: boolean): void {
    this.#add(chunk);
    if (!isLast) return;
    this.#lane = null;
    this.#over(null);
  }

  failed(error: PythonError): void {
    this.#lane = null;
    this.#over(this.#inputError ?? error);
  }

  closeFailed(error: PythonError): void {
    this.#errors.write(`close() of the response failed\n${error.stack ?? error.message}\n`);
  }

  log(text: string): void {
    this.#errors.write(text);
  }

  lost(why: FrameError | null): void {
    this.#lane = null;
    this.drained();
    if (!this.#begin.isSettled && this.#triesLeft > 0 && why === null) {
      this.#start();
      return;
    }
    const what = why === null ? 'the Python process has ended' : why.message;
    this.#over(new GatewayError('ERR_PYTHON_LOST', `The request was lost: ${what}`));
  }

  claimed(lane: Lane): void {
    this.#lane = lane;
    if (this.posted?.isCalled !== true) return;
    lane.call(this.request);
    if (this.request.body === null) void this.#pump(lane);
  }

  tooLate(): void {
    this.#over(new GatewayError('ERR_PYTHON_BUSY', 'No Python thread came free within timeouts.queue'));
  }

  drained(): void {
    const resolve = this.#writable;
    this.#writable = null;
    resolve?.();
  }

  #start(): void {
    this.#triesLeft -= 1;
    this.#options.lanes.post(this);
  }

  /** The request body, until it or the response ends. */
  async #pump(lane: Lane): Promise<void> {
    const input = this.#options.environ['wsgi.input'];
    const read = (): Promise<Uint8Array> =>
      isPeekable(input) ? input.read1(INLINE_BODY) : input.read(INLINE_BODY);
    try {
      for (;;) {
        const piece = await read();
        if (this.#lane !== lane) return;
        if (piece.length === 0) {
          lane.endBody(this, false);
          return;
        }
        if (!lane.sendBody(this, piece))
          await new Promise<void>((resolve) => {
            this.#writable = resolve;
          });
      }
    } catch (error) {
      if (error instanceof GatewayError) this.#inputError = error;
      lane.endBody(this, true);
    }
  }

  #add(chunk: Buffer): void {
    if (chunk.length === 0) return;
    const reader = this.#reader;
    if (this.#discarded >= 0) {
      this.#discarded += chunk.length;
      if (this.#discarded > DISCARD_LIMIT) this.#giveUp(false);
    } else if (reader !== null) {
      this.#reader = null;
      reader.resolve({ done: false, value: chunk });
    } else {
      this.#chunks.push(chunk);
      this.#size += chunk.length;
      if (this.#size >= HIGH_WATER && !this.#paused) {
        this.#paused = true;
        this.#lane?.pause();
      }
    }
  }

  #resume(): void {
    this.#paused = false;
    this.#lane?.resume();
  }

  #over(error: Error | null): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#error = error;
    const reader = this.#reader;
    this.#reader = null;
    if (error !== null) {
      this.#begin.reject(error);
      reader?.reject(error);
    } else {
      reader?.resolve(DONE);
    }
    this.drained();
    this.#whenOver?.();
  }

  #aborted(reason: Error): void {
    const isOverdue = reason instanceof GatewayError && reason.code === 'ERR_GATEWAY_TIMEOUT';
    this.#giveUp(isOverdue);
    this.#over(reason);
  }

  /** The thread is told that nobody waits. */
  #giveUp(isOverdue: boolean): void {
    if (this.#isOver && this.#lane === null) return;
    this.#lane = null;
    const { environ, lanes } = this.#options;
    const { REQUEST_METHOD: method, 'viaduct.request_id': requestId } = environ;
    lanes.giveUp(this, { requestId, method, uri: requestUri(environ) }, isOverdue);
    this.#whenOver?.();
  }

  /** The response is complete, only longer than what has arrived: its length is known. */
  #addLength(status: string, headers: HeaderList, length: number): void {
    const isBodiless = this.#options.environ.REQUEST_METHOD === 'HEAD' || /^(?:204|304)/.test(status);
    const has = headers.some(([name]) => name.toLowerCase() === 'content-length');
    if (!isBodiless && !has) headers.push(['Content-Length', String(length)]);
  }
}

/** Status line and headers of "status NUL name NUL value ..."; split() takes twice as long (0.3 us, three headers). */
function parseHead(head: string): [status: string, headers: HeaderList] {
  const headers: HeaderList = [];
  let at = head.indexOf('\0');
  const status = at === -1 ? head : head.slice(0, at);
  while (at !== -1) {
    const middle = head.indexOf('\0', at + 1);
    if (middle === -1) break;
    const end = head.indexOf('\0', middle + 1);
    headers.push([
      head.slice(at + 1, middle),
      end === -1 ? head.slice(middle + 1) : head.slice(middle + 1, end),
    ]);
    at = end;
  }
  return [status, headers];
}
