// The gateway contract in TypeScript: PEP 3333's names, in shapes that fit an event loop.
// Types only; what enforces them stands in response.ts, input.ts and lint.ts.

import type { FileHandle } from 'node:fs/promises';
import type { Duplex } from 'node:stream';

/** A value, or a promise of it. */
export type MaybePromise<T> = T | PromiseLike<T>;

/** Header fields in order. A real array; the gateway may change it (PEP 3333, "The start_response() Callable"). */
export type HeaderList = [name: string, value: string][];

/**
 * What an application returns: chunks of bytes, pulled one at a time.
 * `close()` is called exactly once, after the last chunk, on an error and when the client left.
 */
export type Body = (Iterable<Uint8Array> | AsyncIterable<Uint8Array>) & {
  close?(): void | PromiseLike<void>;
};

/**
 * Resolves once the transport is below its high-water mark. Not awaiting it is legal: the chunk is buffered.
 * @throws {GatewayError} ERR_GATEWAY_CONTENT_LENGTH when the body grows past the declared Content-Length (PEP 3333)
 */
export type WriteCallable = (chunk: Uint8Array) => Promise<void>;

/**
 * Stores status and headers; nothing is sent before the first non-empty chunk.
 * `status` is "NNN Reason"; `headers` are [name, value] pairs of latin-1 text without control characters.
 * With `excInfo` the stored status and headers are replaced, or, once they were sent, `excInfo` is thrown.
 */
export interface StartResponse {
  (status: string, headers: HeaderList, excInfo?: Error | null): WriteCallable;
}

/** One mount's application: PEP 3333's `application(environ, start_response)`. */
export type Application = (environ: Environ, startResponse: StartResponse) => Body | PromiseLike<Body>;

/** Wraps an application in another one. `options` come from the configuration file. */
export type Middleware<O = unknown> = (app: Application, options?: O) => Application;

/** `wsgi.input`: Python file semantics, asynchronous. After the end every read gives zero bytes. */
export interface InputStream {
  /** Exactly `size` bytes unless the body ends first; without `size`, or below 0, the rest of the body. */
  read(size?: number): Promise<Uint8Array>;
  /** One line with its "\n", at most `size` bytes. */
  readline(size?: number): Promise<Uint8Array>;
  /** Lines until their total reaches `hint` bytes, or all of them. */
  readlines(hint?: number): Promise<Uint8Array[]>;
  [Symbol.asyncIterator](): AsyncIterableIterator<Uint8Array>;
}

/** `wsgi.errors`: text for the log. */
export interface ErrorStream {
  write(text: string): void;
  writelines(lines: Iterable<string>): void;
  flush(): void;
}

/** What `wsgi.file_wrapper` takes: anything with `read(size)`, or a FileHandle of node:fs/promises. */
export interface FileLike {
  /** Up to `size` bytes; an empty result is the end. */
  read(size?: number): MaybePromise<Uint8Array>;
  close?(): MaybePromise<void>;
}

/**
 * The client's connection after a 101: raw bytes both ways. It never emits 'error' for a client that leaves, only 'close'.
 * 'shutdown' comes once when the server begins to stop or to reload, and timeouts.graceful later it is cut off.
 */
export interface Tunnel extends Duplex {
  /** Bytes that came from the client. */
  readonly bytesRead: number;
  /** Bytes that went to the client, the head of the 101 not included. */
  readonly bytesWritten: number;
}

/**
 * `viaduct.upgrade`: sends "101 Switching Protocols" with `headers`, and gives the connection. Upgrade and Connection may
 * stand among them, and are added where they do not. What the application returns after that is only closed, in the end.
 * @throws {GatewayError} ERR_GATEWAY_UPGRADE when the request body has not come yet; ERR_GATEWAY_STARTED_TWICE after
 * startResponse() and in a second call; ERR_GATEWAY_CLIENT_GONE; ERR_GATEWAY_HEADERS and the like as startResponse()
 */
export type UpgradeCallable = (headers?: HeaderList) => Tunnel;

/** One request. Keys without a dot are latin-1 strings (each character one byte); the object is fresh and free to change. */
export interface Environ {
  REQUEST_METHOD: string;
  SCRIPT_NAME: string;
  PATH_INFO: string;
  QUERY_STRING: string;
  SERVER_NAME: string;
  SERVER_PORT: string;
  SERVER_PROTOCOL: string;
  CONTENT_TYPE?: string;
  CONTENT_LENGTH?: string;
  'wsgi.version': readonly [1, 0];
  'wsgi.url_scheme': string;
  'wsgi.input': InputStream;
  'wsgi.errors': ErrorStream;
  'wsgi.multithread': boolean;
  'wsgi.multiprocess': boolean;
  'wsgi.run_once': boolean;
  'wsgi.input_terminated': boolean;
  'wsgi.file_wrapper': (file: FileLike | FileHandle, blockSize?: number) => Body;
  /** Aborted when the client left, the request timed out, or the server gave up on it. */
  'viaduct.signal': AbortSignal;
  /** The name of the mount that answers. */
  'viaduct.mount': string;
  'viaduct.request_id': string;
  /** Only where the client asks for another protocol, and the way to it can carry one: not over FastCGI. */
  'viaduct.upgrade'?: UpgradeCallable;
  [key: string]: unknown;
}
