// One response: what start_response() stored, what was sent, and the rules between them (PEP 3333, sections on
// start_response, Content-Length and buffering). Hot code: a whole response is one respond() and one end().
import type { HeaderList, StartResponse, Tunnel, WriteCallable } from './contract.ts';
import { cut } from './chunks.ts';
import { describe, GatewayError } from './errors.ts';
import type { Exchange } from './exchange.ts';
import { checkHeaders, checkStatus, hasHeader } from './headers.ts';
import type { Input } from './input.ts';
import { openTunnel, upgradeHeaders } from './upgrade.ts';

/** How much output waits for a half-read body, see Response.#emit. */
const HOLD_LIMIT = 64 * 1024;

const EMPTY = new Uint8Array(0);
const DONE: Promise<void> = Promise.resolve();

export interface ResponseOwner {
  /** The application does something it should not; what was done about it. */
  warned(message: string): void;
}

export class Response {
  readonly #exchange: Exchange;
  readonly #input: Input;
  readonly #maxHeaders: number;
  readonly #isHead: boolean;
  readonly #owner: ResponseOwner;

  #called = false;
  #status: string | null = null;
  #code = 0;
  #headers: HeaderList = [];
  #declared = -1;
  #write: WriteCallable | null = null;
  #sent = 0;
  #headersSent = false;
  #ended = false;
  #warned = false;
  /** Output that waits for the rest of the request body; null when nothing has to wait (any more). */
  #held: Uint8Array[] | null = null;
  #heldSize = 0;

  constructor(exchange: Exchange, input: Input, isHead: boolean, maxHeaders: number, owner: ResponseOwner) {
    this.#exchange = exchange;
    this.#input = input;
    this.#isHead = isHead;
    this.#maxHeaders = maxHeaders;
    this.#owner = owner;
  }

  /** The status code; 0 before start_response(). */
  get code(): number {
    return this.#code;
  }

  get started(): boolean {
    return this.#status !== null;
  }

  /** The application has the connection itself. */
  get upgraded(): boolean {
    return this.#code === 101;
  }

  /** False while nothing has been handed to the transport: then an error page can still take its place. */
  get onWire(): boolean {
    return this.#headersSent && this.#held === null;
  }

  /** Body bytes given to the transport. */
  get sent(): number {
    return this.#sent;
  }

  /** True when nothing more can be sent: the declared length is reached, or there is no body at all. */
  get isFull(): boolean {
    return (
      this.#headersSent && ((this.#declared !== -1 && this.#sent >= this.#declared) || this.#hasNoBody())
    );
  }

  readonly startResponse: StartResponse = (...args: unknown[]): WriteCallable => {
    if (args.length < 2 || args.length > 3) {
      throw new GatewayError(
        'ERR_GATEWAY_ARGUMENTS',
        `Cannot start response: ${args.length} arguments, wanted status, headers and excInfo`,
      );
    }
    const status = args[0];
    const headers = args[1];
    const excInfo = args[2];
    if (this.#ended) throw new GatewayError('ERR_GATEWAY_ENDED', 'Cannot start response: it has ended');
    if (excInfo !== undefined && excInfo !== null) {
      if (this.#headersSent) throw excInfo;
    } else if (this.#called) {
      throw new GatewayError(
        'ERR_GATEWAY_STARTED_TWICE',
        'Cannot start response: startResponse was called before, and without excInfo',
      );
    }
    // Marked before the checks: a second call stays an error even if the first one was refused.
    this.#called = true;
    this.#status = null;
    const code = checkStatus(status);
    this.#declared = checkHeaders(headers, this.#maxHeaders);
    this.#status = status as string;
    this.#code = code;
    this.#headers = headers as HeaderList;
    return (this.#write ??= (chunk) => this.#writeChunk(chunk));
  };

  /** Instead of startResponse(): the connection itself. `asked` is what the client wants it for. See UpgradeCallable. */
  upgrade(given: unknown, asked: string): Tunnel {
    // An open tunnel is no closed exchange: a second 101 would go out as bytes of the first one's protocol.
    if (this.#called || this.upgraded)
      throw new GatewayError('ERR_GATEWAY_STARTED_TWICE', 'Cannot upgrade: a response was started before');
    const tunnel = openTunnel(this.#exchange, upgradeHeaders(given, asked, this.#maxHeaders));
    this.#headersSent = this.#ended = true;
    this.#code = 101;
    return tunnel;
  }

  /**
   * The whole body at once; its chunks are known to be bytes.
   * @throws {GatewayError} ERR_GATEWAY_BODY_SHORT when it is shorter than Content-Length declares
   */
  sendAll(chunks: readonly Uint8Array[]): void {
    let total = 0;
    for (const chunk of chunks) total += chunk.length;
    if (this.#headersSent) {
      for (const chunk of chunks) this.send(chunk);
      this.finish();
      return;
    }
    if (this.#hasNoBody()) {
      this.#endWithoutBody(chunks.length === 1 ? total : 0, total);
      return;
    }
    if (this.#declared === -1 && chunks.length <= 1) {
      this.#declared = total;
      this.#add('Content-Length', String(total));
    }
    let body = chunks;
    if (this.#declared !== -1 && total > this.#declared) {
      this.#warnOnce(`the body has ${total} bytes, Content-Length says ${this.#declared}: the rest is cut`);
      body = cut(chunks, this.#declared);
      total = this.#declared;
    }
    if (total < this.#declared) {
      this.#sendHeaders();
      this.#exchange.write(EMPTY);
      for (const chunk of chunks) this.send(chunk);
      throw this.#short(total);
    }
    this.#respond();
    this.#sent = total;
    this.#ended = true;
    this.#exchange.end(body);
  }

  /**
   * One chunk of a body that goes on. False: wait for drained() before the next one.
   * What goes past the declared Content-Length is cut off.
   */
  send(chunk: Uint8Array): boolean {
    if (chunk.length === 0 || this.#ended) return true;
    if (!this.#headersSent) this.#sendHeaders();
    if (this.#hasNoBody()) {
      this.#warnNoBody();
      return true;
    }
    let piece = chunk;
    if (this.#declared !== -1 && this.#sent + chunk.length > this.#declared) {
      this.#warnOnce(`the body grows past its Content-Length of ${this.#declared} bytes: the rest is cut`);
      piece = chunk.subarray(0, this.#declared - this.#sent);
    }
    if (piece.length === 0) return true;
    this.#sent += piece.length;
    return this.#emit(piece);
  }

  /**
   * The body has ended.
   * @throws {GatewayError} ERR_GATEWAY_BODY_SHORT when less came than Content-Length declares
   */
  finish(): void {
    if (this.#ended) return;
    if (!this.#headersSent) {
      this.sendAll([]);
      return;
    }
    if (this.#declared !== -1 && this.#sent < this.#declared && !this.#hasNoBody())
      throw this.#short(this.#sent);
    this.#ended = true;
    const held = this.#held ?? [];
    this.#held = null;
    this.#exchange.end(held);
  }

  /** Replaces whatever the application started by a short text answer. Only while nothing is on the wire. */
  sendError(status: string, headers: HeaderList, body: Uint8Array): void {
    this.#status = status;
    this.#code = Number(status.slice(0, 3));
    this.#headers = [...headers, ['Content-Length', String(body.length)]];
    this.#held = null;
    this.#exchange.body.onComplete = null;
    this.#headersSent = true;
    this.#ended = true;
    this.#exchange.respond(this.#status, this.#headers);
    this.#sent = this.#isHead ? 0 : body.length;
    this.#exchange.end(this.#isHead ? [] : [body]);
  }

  #hasNoBody(): boolean {
    return this.#isHead || this.#code === 204 || this.#code === 304;
  }

  /** HEAD keeps the length a GET would have; 204 has none at all (RFC 9110, section 8.6). */
  #endWithoutBody(inferred: number, given: number): void {
    if (this.#code === 204 && this.#declared !== -1) {
      this.#headers = this.#headers.filter(([name]) => name.toLowerCase() !== 'content-length');
    } else if (
      this.#isHead &&
      this.#declared === -1 &&
      inferred > 0 &&
      this.#code !== 204 &&
      this.#code !== 304
    ) {
      this.#add('Content-Length', String(inferred));
    }
    if (given > 0) this.#warnNoBody();
    this.#respond();
    this.#ended = true;
    this.#exchange.end([]);
  }

  /** PEP 3333 lets a server change the list, but one that an application shares among its requests must not grow. */
  #add(name: string, value: string): void {
    this.#headers = [...this.#headers, [name, value]];
  }

  #respond(): void {
    this.#headersSent = true;
    this.#exchange.respond(this.#status as string, this.#headers);
  }

  /**
   * The headers of a body that is not complete yet: nginx must not hold it back (it strips this header).
   * `isFlush`: no byte of it follows, and while nginx buffers it keeps headers back until one does.
   */
  #sendHeaders(isFlush = false): void {
    if (this.#code === 204 && this.#declared !== -1) {
      this.#headers = this.#headers.filter(([name]) => name.toLowerCase() !== 'content-length');
    }
    if (
      (isFlush || !this.#exchange.needsBuffering) &&
      !this.#hasNoBody() &&
      !hasHeader(this.#headers, 'x-accel-buffering')
    )
      this.#add('X-Accel-Buffering', 'no');
    this.#respond();
  }

  /**
   * nginx sends no more of the request body once it has seen a response header (ngx_http_upstream.c, header_sent). An
   * application that answers while it reads would lose the rest, so its output waits until the body is here, or grows too large.
   */
  #emit(piece: Uint8Array): boolean {
    const { body, halfDuplex } = this.#exchange;
    if (
      this.#held === null &&
      halfDuplex &&
      !body.complete &&
      this.#input.touched &&
      this.#sent === piece.length
    ) {
      this.#held = [];
      body.onComplete = () => this.#release();
    }
    if (this.#held === null) return this.#exchange.write(piece);
    this.#held.push(piece);
    this.#heldSize += piece.length;
    return body.complete || this.#heldSize > HOLD_LIMIT ? this.#release() : true;
  }

  #release(): boolean {
    const held = this.#held ?? [];
    this.#held = null;
    this.#exchange.body.onComplete = null;
    let below = true;
    for (const piece of held) below = this.#exchange.write(piece);
    return below;
  }

  #writeChunk(chunk: Uint8Array): Promise<void> {
    if (!(chunk instanceof Uint8Array)) {
      throw new GatewayError(
        'ERR_GATEWAY_CHUNK',
        `Cannot write: chunk is ${describe(chunk)}, wanted a Uint8Array`,
      );
    }
    if (this.#ended) throw new GatewayError('ERR_GATEWAY_ENDED', 'Cannot write: the response has ended');
    if (this.#exchange.closed)
      throw new GatewayError('ERR_GATEWAY_CLIENT_GONE', 'Cannot write: the client has left');
    if (this.#status === null)
      throw new GatewayError(
        'ERR_GATEWAY_NOT_STARTED',
        'Cannot write: startResponse has not accepted a status',
      );
    if (!this.#headersSent) this.#sendHeaders(chunk.length === 0);
    if (chunk.length === 0) {
      if (this.#sent === 0) this.#emit(chunk);
      return DONE;
    }
    const over = this.#declared !== -1 && !this.#hasNoBody() && this.#sent + chunk.length > this.#declared;
    const below = over ? this.send(chunk.subarray(0, this.#declared - this.#sent)) : this.send(chunk);
    if (over) {
      throw new GatewayError(
        'ERR_GATEWAY_CONTENT_LENGTH',
        `Cannot write: ${chunk.length} bytes go past the Content-Length of ${this.#declared}`,
      );
    }
    return below ? DONE : this.#exchange.drained();
  }

  #short(sent: number): GatewayError {
    return new GatewayError(
      'ERR_GATEWAY_BODY_SHORT',
      `The body ended after ${sent} bytes, Content-Length says ${this.#declared}`,
    );
  }

  #warnNoBody(): void {
    this.#warnOnce(`the body is dropped: a response to ${this.#isHead ? 'HEAD' : this.#code} has none`);
  }

  #warnOnce(message: string): void {
    if (this.#warned || this.#isHead) return;
    this.#warned = true;
    this.#owner.warned(message);
  }
}
