// An HTTP client that tells what it saw, truncation included, and lets a test stop half-way in either direction.
// Knows nothing of nginx or viaduct. Built on node:http, and on node:net where the bytes matter.
import { type Agent, type ClientRequest, type IncomingMessage, request as httpRequest } from 'node:http';
import { connect } from 'node:net';

export type Headers = readonly (readonly [name: string, value: string])[];

export interface CallOptions {
  port?: number;
  /** Instead of `port`: a Unix socket. */
  socketPath?: string;
  /** GET unless told. */
  method?: string;
  /** The request target as it goes on the wire: latin-1 characters, nothing is escaped. `/` unless told. */
  path?: string;
  /** Sent in this order, repeats too. Host is added where missing; framing headers where the body needs one. */
  headers?: Headers;
  /**
   * Bytes (a string is UTF-8) go with Content-Length, an iterable goes chunked unless `headers` has a Content-Length.
   */
  body?: Uint8Array | string | AsyncIterable<Uint8Array>;
  /** Instead of `body`: the test sends it with HttpCall.send() and finish(); chunked as above. */
  manualBody?: boolean;
  /** For keep-alive: `new Agent({ keepAlive: true })`. Without one each call has its own connection. */
  agent?: Agent;
  /** Called with each piece of the response's body. With it the body is not collected. */
  onChunk?: (chunk: Buffer) => void;
  /** Milliseconds for the whole call; 30000 unless told. After it the call is incomplete with an error. */
  timeout?: number;
}

export interface HttpResponse {
  /** 0 where the connection ended before a whole response head came. */
  status: number;
  statusText: string;
  httpVersion: string;
  /** As received: order, case and repeats. */
  headers: Headers;
  /** The first header of that name, in any case. */
  header(name: string): string | undefined;
  /** All headers of that name. */
  headerAll(name: string): string[];
  body: Buffer;
  /** The body as UTF-8. */
  text: string;
  /** How the end of the body is told. With `close` HTTP itself cannot tell a short body from a whole one. */
  framing: 'none' | 'length' | 'chunked' | 'close';
  /** False where the response ended before its framing said so. */
  complete: boolean;
  /** What went wrong on the connection; null in a clean run. */
  error: Error | null;
  /** True where a kept-alive connection carried it. */
  reusedSocket: boolean;
  /** Milliseconds since the call began; -1 for what never happened. */
  timings: { head: number; firstChunk: number; end: number };
  /** The pieces of the body as they came: arrival in milliseconds since the call began, and bytes. */
  chunks: { at: number; size: number }[];
}

/** Sends a request and resolves with what came back, complete or not. Rejects only where no connection was made. */
export function request(options: CallOptions): Promise<HttpResponse> {
  return startCall(options).done;
}

/** Starts a request that the test steers: see HttpCall. */
export function startCall(options: CallOptions): HttpCall {
  return new HttpCall(options);
}

/** One request under way. */
export class HttpCall {
  /** Settles when the call is over: complete, cut short or aborted. Rejects only where no connection was made. */
  readonly done: Promise<HttpResponse>;
  /** Bytes of the response's body so far. */
  received = 0;
  /** The status once the head is there; 0 before. */
  status = 0;

  readonly #request: ClientRequest;
  readonly #startedAt = performance.now();
  readonly #collected: Buffer[] = [];
  readonly #chunks: HttpResponse['chunks'] = [];
  readonly #waiting = new Set<() => void>();
  #response: IncomingMessage | null = null;
  #headAt = -1;
  #error: Error | null = null;
  #over = false;

  constructor(options: CallOptions) {
    const { body } = options;
    this.#request = httpRequest({
      host: '127.0.0.1',
      ...(options.port !== undefined && { port: options.port }),
      ...(options.socketPath !== undefined && { socketPath: options.socketPath }),
      method: options.method ?? 'GET',
      path: options.path ?? '/',
      agent: options.agent ?? false,
      headers: withFraming(options).flat(),
    });
    const settled = this.#listen(options);
    this.done = settled;
    // A test may look at `done` late; until then its failure is not an unhandled one.
    settled.catch(() => undefined);
    if (options.manualBody === true) this.#request.flushHeaders();
    else if (body === undefined) this.#request.end();
    else if (isBytes(body)) this.#request.end(toBytes(body));
    else void this.#pump(body);
  }

  /** Sends a piece of a body by hand; resolves once the kernel has taken it or the connection is gone. */
  send(chunk: Uint8Array | string): Promise<void> {
    return new Promise((resolve) => this.#request.write(toBytes(chunk), () => resolve()));
  }

  /** Ends a body sent by hand. */
  finish(): void {
    this.#request.end();
  }

  /** Closes the connection at once, whatever is under way. */
  abort(): void {
    this.#request.destroy();
  }

  /** Stops reading the response, so that the sender comes to feel it. */
  pause(): void {
    this.#response?.pause();
  }

  resume(): void {
    this.#response?.resume();
  }

  /** Resolves once the head is there. @throws {Error} where the call ended without one */
  async head(): Promise<void> {
    await this.#until(() => this.#response !== null, 'the response head');
  }

  /** Resolves with the body so far once it has at least `count` bytes. @throws {Error} where it ended before */
  async waitForBytes(count: number): Promise<Buffer> {
    await this.#until(() => this.received >= count, `${count} bytes of the response`);
    return Buffer.concat(this.#collected);
  }

  async #until(condition: () => boolean, what: string): Promise<void> {
    while (!condition()) {
      if (this.#over) {
        throw new Error(`Cannot wait for ${what}: it ended after ${this.received} bytes`, {
          cause: this.#error,
        });
      }
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }

  async #pump(body: AsyncIterable<Uint8Array>): Promise<void> {
    try {
      for await (const chunk of body) {
        if (this.#over || this.#request.destroyed) return;
        await this.send(chunk);
      }
      this.finish();
    } catch (error) {
      this.#request.destroy(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #listen(options: CallOptions): Promise<HttpResponse> {
    const { timeout = 30_000, method = 'GET' } = options;
    const overdue = (): unknown =>
      this.#request.destroy(new Error(`Cannot finish the call within ${timeout} ms`));
    const timer = setTimeout(overdue, timeout);
    return new Promise((resolve, reject) => {
      const finish = (): void => {
        clearTimeout(timer);
        this.#over = true;
        this.#wake();
        if (this.#response === null && isConnectFailure(this.#error)) reject(this.#error);
        else resolve(this.#summary(method));
      };
      this.#request.on('error', (error) => (this.#error ??= error));
      this.#request.on('response', (response) => this.#receive(response, options.onChunk, finish));
      this.#request.on('close', () => {
        if (this.#response === null) finish();
      });
    });
  }

  #receive(response: IncomingMessage, onChunk: CallOptions['onChunk'], finish: () => void): void {
    this.#response = response;
    this.#headAt = this.#elapsed();
    this.status = response.statusCode ?? 0;
    response.on('data', (chunk: Buffer) => {
      this.received += chunk.length;
      this.#chunks.push({ at: this.#elapsed(), size: chunk.length });
      if (onChunk === undefined) this.#collected.push(chunk);
      else onChunk(chunk);
      this.#wake();
    });
    response.on('error', (error) => (this.#error ??= error));
    response.on('close', finish);
    this.#wake();
  }

  #summary(method: string): HttpResponse {
    const response = this.#response;
    const headers = pairs(response?.rawHeaders ?? []);
    const named = (name: string): string[] =>
      headers.filter(([key]) => key.toLowerCase() === name.toLowerCase()).map(([, value]) => value);
    const body = Buffer.concat(this.#collected);
    return {
      status: this.status,
      statusText: response?.statusMessage ?? '',
      httpVersion: response?.httpVersion ?? '',
      headers,
      header: (name) => named(name)[0],
      headerAll: named,
      body,
      text: body.toString('utf8'),
      framing: framingOf(method, this.status, named),
      complete: response?.complete ?? false,
      error: this.#error,
      reusedSocket: this.#request.reusedSocket,
      timings: { head: this.#headAt, firstChunk: this.#chunks[0]?.at ?? -1, end: this.#elapsed() },
      chunks: this.#chunks,
    };
  }

  #elapsed(): number {
    return performance.now() - this.#startedAt;
  }
}

/** Sends `bytes` as they are and resolves with all that comes back until the other side closes. */
export function rawExchange(
  target: { port: number } | { path: string },
  bytes: Uint8Array | string,
  timeout = 30_000,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const received: Buffer[] = [];
    const socket = connect({ host: '127.0.0.1', ...target }, () => socket.write(bytes));
    socket.setTimeout(timeout, () =>
      socket.destroy(new Error(`Cannot see the end: silent for ${timeout} ms`)),
    );
    socket.on('data', (chunk) => received.push(chunk));
    socket.on('error', reject);
    socket.on('close', () => resolve(Buffer.concat(received)));
  });
}

function withFraming({ headers = [], body, manualBody = false, agent }: CallOptions): [string, string][] {
  const list = headers.map(([name, value]): [string, string] => [name, value]);
  const has = (name: string): boolean => list.some(([key]) => key.toLowerCase() === name);
  if (!has('host')) list.unshift(['Host', 'localhost']);
  if (!has('connection') && agent === undefined) list.push(['Connection', 'close']);
  if ((body === undefined && !manualBody) || has('content-length') || has('transfer-encoding')) return list;
  if (body !== undefined && isBytes(body)) list.push(['Content-Length', String(Buffer.byteLength(body))]);
  else list.push(['Transfer-Encoding', 'chunked']);
  return list;
}

function isBytes(body: NonNullable<CallOptions['body']>): body is Uint8Array | string {
  return typeof body === 'string' || body instanceof Uint8Array;
}

// Never a string to node:http: it would send the head in the body's encoding too, and break a latin-1 path.
function toBytes(body: Uint8Array | string): Uint8Array {
  return typeof body === 'string' ? Buffer.from(body) : body;
}

/** RFC 9112 section 6.3, the rules for a response in their order. */
function framingOf(
  method: string,
  status: number,
  named: (name: string) => string[],
): HttpResponse['framing'] {
  if (status === 0 || method === 'HEAD' || status === 204 || status === 304) return 'none';
  if (named('transfer-encoding').length > 0) return 'chunked';
  return named('content-length').length > 0 ? 'length' : 'close';
}

function isConnectFailure(error: Error | null): boolean {
  return error !== null && 'syscall' in error && error.syscall === 'connect';
}

function pairs(flat: readonly string[]): [string, string][] {
  const list: [string, string][] = [];
  for (let at = 0; at + 1 < flat.length; at += 2) list.push([flat[at] ?? '', flat[at + 1] ?? '']);
  return list;
}
