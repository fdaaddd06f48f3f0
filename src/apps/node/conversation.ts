// One request in the hands of an app of node:http: what it writes goes to the gateway, tick by tick, and what happens to
// the client reaches it as the events node:http has for that. Hot code: a hello is one startResponse() and one body.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Body, Environ, HeaderList, StartResponse, WriteCallable } from '../../gateway/contract.ts';
import { whenCancelled } from '../../gateway/environ.ts';
import { GatewayError } from '../../gateway/errors.ts';
import { isPeekable } from '../../gateway/input.ts';
import { isThenable } from '../../gateway/iteration.ts';
import { closeResponse, END_CALLBACKS, hasBody, joinSocket, leaveSocket, NEED_DRAIN } from './internals.ts';
import type { NodeApp } from './node-app.ts';
import { makeRequest } from './request.ts';
import { makeResponse, type ResponseSink } from './response.ts';
import { RequestSocket, type SocketOwner } from './socket.ts';

const EMPTY = new Uint8Array(0);
/** Bytes of the request body that are asked for at once. */
const READ_SIZE = 64 * 1024;
/** Chunks of one tick are joined up to here, so that they travel together. */
const JOIN_LIMIT = 64 * 1024;

type Done = () => void;

export class Conversation implements SocketOwner, ResponseSink {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly #environ: Environ;
  readonly #startResponse: StartResponse;
  readonly #socket: RequestSocket;

  #status = '';
  #headers: HeaderList = [];
  #hasLength = false;
  #chunks: Uint8Array[] = [];
  /** Called when the gateway has taken the chunks. */
  #dones: Done[] = [];
  #write: WriteCallable | null = null;
  /** Settles what run() has returned; null while the handler is still in its first tick. */
  #result: { resolve(body: Body): void; reject(error: unknown): void } | null = null;
  /** flush() is due: at the next tick, or when the handler returns. */
  #flushes = false;
  #isReading = false;
  /** The app has said all it has to say. */
  #ended = false;
  /** Nothing more will be done for it, for better or worse. */
  #over = false;
  #error: unknown;
  waiting = 0;

  constructor(app: NodeApp, environ: Environ, startResponse: StartResponse) {
    this.#environ = environ;
    this.#startResponse = startResponse;
    this.#socket = new RequestSocket(environ, this, app.server);
    const socket = this.#socket as unknown as Socket;
    this.req = makeRequest(environ, socket, app.kinds.newRequest);
    this.res = makeResponse(this.req, app.kinds.newResponse, this);
    joinSocket(this.res, socket);
  }

  /** @throws what the handler throws, and what startResponse() throws at its headers */
  run(handle: NodeApp['handle']): Body | Promise<Body> {
    let returned: unknown;
    try {
      returned = handle(this.req, this.res);
    } catch (error) {
      this.#failed(error);
    }
    if (isThenable(returned)) returned.then(undefined, (error: unknown) => this.#failed(error));
    if (this.#over) throw this.#error;
    if (this.#ended) {
      try {
        const rest = this.#rest();
        if (this.#isHeard) process.nextTick(complete, this);
        else this.complete(false);
        return rest;
      } catch (error) {
        this.#fail(error);
        throw error;
      }
    }
    if (this.#flushes) process.nextTick(flush, this);
    return new Promise((resolve, reject) => {
      this.#result = { resolve, reject };
      whenCancelled(this.#environ, (reason) => this.#ended || this.#fail(reason));
    });
  }

  head(status: string, headers: HeaderList, hasLength: boolean): void {
    this.#status = status;
    this.#headers = headers;
    this.#hasLength = hasLength;
  }

  body(chunk: Uint8Array | null, done: Done | null): boolean {
    if (this.#over) return false;
    if (chunk !== null) {
      this.#chunks.push(chunk);
      this.waiting += chunk.length;
    }
    if (done !== null) this.#dones.push(done);
    // As node:http's: what is written in one tick travels together.
    if (!this.#flushes) {
      this.#flushes = true;
      if (this.#result !== null) process.nextTick(flush, this);
    }
    return this.waiting < this.#socket.writableHighWaterMark;
  }

  ended(): void {
    if (this.#over) return;
    this.#ended = true;
    // What is left goes out at once: res.writableFinished is true from here on, as it is with node:http.
    this.waiting = 0;
    if (this.#result === null) return;
    try {
      this.#result.resolve(this.#rest());
      process.nextTick(complete, this);
    } catch (error) {
      this.#fail(error);
    }
  }

  flush(): void {
    this.#flushes = false;
    if (this.#over || this.#ended) return;
    const chunks = this.#chunks;
    const dones = this.#dones;
    const size = total(chunks);
    this.#chunks = [];
    this.#dones = [];
    try {
      this.#write ??= this.#startResponse(this.#status, this.#headers);
      void this.#send(this.#write, chunks, size).then(
        // Errors of callbacks and listeners are uncaught exceptions, as they are with node:http.
        () => process.nextTick(accepted, this, size, dones),
        (error: unknown) => this.#fail(error),
      );
    } catch (error) {
      this.#fail(error);
    }
  }

  #send(write: WriteCallable, chunks: readonly Uint8Array[], size: number): Promise<void> {
    if (chunks.length > 1 && size <= JOIN_LIMIT) return write(Buffer.concat(chunks, size));
    let taken = write(chunks[0] ?? EMPTY);
    for (const chunk of chunks.slice(1)) taken = write(chunk);
    return taken;
  }

  accepted(size: number, dones: readonly Done[]): void {
    if (this.#over) return;
    if (!this.#ended) this.waiting -= size;
    this.#socket.touch();
    for (const done of dones) done();
    const res = this.res as unknown as Record<symbol, unknown>;
    if (NEED_DRAIN === undefined || this.waiting > 0 || this.#ended || res[NEED_DRAIN] !== true) return;
    res[NEED_DRAIN] = false;
    this.res.emit('drain');
  }

  /** What the gateway has to send yet. Where node:http would not tell its length, neither does the gateway (two chunks). */
  #rest(): Uint8Array[] {
    const chunks = this.#chunks;
    if (this.#write === null) {
      this.#startResponse(this.#status, this.#headers);
      if (!hasBody(this.res)) chunks.length = 0;
      else if (!this.#hasLength && chunks.length < 2) chunks.push(EMPTY, EMPTY);
    }
    return chunks;
  }

  /**
   * Whether somebody is to be told that the response has ended; a tick later, as with node:http. Once the handler has
   * returned, only a tick of its own from before end() could still come to listen. Ticks were 12 % of the profile of a hello.
   */
  get #isHeard(): boolean {
    const { req, res } = this;
    return (
      req.readableFlowing !== null ||
      this.#dones.length > 1 ||
      res.listenerCount('finish') > 0 ||
      hasEndCallbacks(res) ||
      res.listenerCount('close') > 0 ||
      // write() after end() is an error a tick later, but only of a response that is not closed.
      res.listenerCount('error') > 0 ||
      isWatched(req) ||
      this.#socket.listenerCount('close') > 0
    );
  }

  complete(isHeard = this.#isHeard): void {
    if (this.#over) return;
    this.#over = true;
    const { req } = this;
    // The last one emits 'finish'.
    for (const done of this.#dones) done();
    // A body that nobody asked for, with listeners that wait for its end.
    if (isHeard && req.readableFlowing === null && isWatched(req)) req.resume();
    leaveSocket(this.res, this.#socket as unknown as Socket);
    if (isHeard) process.nextTick(close, this);
    else this.close();
  }

  close(): void {
    closeResponse(this.res);
    this.#socket.close();
  }

  wanted(): void {
    if (this.#isReading || this.req.destroyed) return;
    const input = this.#environ['wsgi.input'];
    if (isPeekable(input) && input.hadNothing) {
      this.#endOfBody();
      return;
    }
    this.#isReading = true;
    const reading = isPeekable(input) ? input.read1(READ_SIZE) : input.read(READ_SIZE);
    reading.then(
      (chunk) => process.nextTick(received, this, chunk),
      (error: unknown) => this.#unreadable(error),
    );
  }

  received(chunk: Uint8Array): void {
    this.#isReading = false;
    this.#socket.touch();
    if (chunk.length === 0) this.#endOfBody();
    else this.req.push(chunk);
  }

  #endOfBody(): void {
    this.req.complete = true;
    this.req.push(null);
  }

  #unreadable(error: unknown): void {
    this.#isReading = false;
    if (this.#over) this.req.destroy(aborted());
    else this.#fail(error);
  }

  idled(): void {
    const { req, res } = this;
    const socket = this.#socket;
    const heard = [
      !req.complete && req.emit('timeout', socket),
      res.emit('timeout', socket),
      socket.emit('timeout'),
      socket.server?.emit('timeout', socket) === true,
    ];
    if (!heard.includes(true)) socket.destroy();
  }

  /** The handler threw, or its promise was rejected. */
  #failed(error: unknown): void {
    if (!this.#ended) this.#fail(error);
    else
      this.#environ['wsgi.errors'].write(`The app failed after its response had ended\n${textOf(error)}\n`);
  }

  /** There will be no response, or none that is whole. */
  #fail(error: unknown): void {
    if (this.#over) return;
    this.#error = error;
    this.#over = true;
    this.#socket.destroy();
  }

  broken(error: Error | undefined): void {
    if (!this.#over) {
      this.#over = true;
      this.#error =
        error ?? new GatewayError('ERR_NODE_DESTROYED', 'The app destroyed the response before it had ended');
    }
    this.#result?.reject(this.#error);
    process.nextTick(abort, this, error);
  }

  /** In the order of node:http: first the request, then the connection, and with it the response. */
  abort(error: Error | undefined): void {
    if (!this.req.destroyed) this.req.destroy(aborted());
    const socket = this.#socket;
    if (error !== undefined && socket.listenerCount('error') > 0) socket.emit('error', error);
    closeResponse(this.res);
    socket.close();
  }
}

// Functions of the module, so that a tick costs no closure.
const flush = (conversation: Conversation): void => conversation.flush();
const complete = (conversation: Conversation): void => conversation.complete();
const close = (conversation: Conversation): void => conversation.close();
const abort = (conversation: Conversation, error: Error | undefined): void => conversation.abort(error);
const accepted = (conversation: Conversation, size: number, dones: readonly Done[]): void =>
  conversation.accepted(size, dones);
const received = (conversation: Conversation, chunk: Uint8Array): void => conversation.received(chunk);

/** What node:http destroys a request with when its client leaves. */
const aborted = (): Error => Object.assign(new Error('aborted'), { code: 'ECONNRESET' });

const hasEndCallbacks = (res: ServerResponse): boolean =>
  END_CALLBACKS !== undefined && (res as unknown as Record<symbol, unknown>)[END_CALLBACKS] !== null;

const isWatched = (req: IncomingMessage): boolean =>
  req.listenerCount('end') > 0 || req.listenerCount('close') > 0;

function total(chunks: readonly Uint8Array[]): number {
  let size = 0;
  for (const chunk of chunks) size += chunk.length;
  return size;
}

const textOf = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message) : String(error);
