// What the four protocol clients have in common: the request they send and the events they tell. Knows no bytes.
import type { SocketAddress } from './address.ts';
import type { ResponseHead } from './cgi-response.ts';

/** Byte strings: every character is one byte (latin-1), as PEP 3333 has it. */
export type BytePair = readonly [name: string, value: string];

export interface ClientRequest {
  readonly address: SocketAddress;
  readonly method: string;
  /** Path and query as they stand in a request line: printable ASCII only. */
  readonly target: string;
  /** HTTP request headers, in the order to send. */
  readonly headers: readonly BytePair[];
  /** CGI params, in the order to send; not used over HTTP. */
  readonly params: readonly BytePair[];
  readonly body: Buffer;
  /** FastCGI only: sets FCGI_KEEP_CONN. */
  readonly keepConn: boolean;
}

export interface ResponseSink {
  onHead(head: ResponseHead): void;
  /** Bytes for the user to see; never for HEAD, 204 or 304. The chunk is not kept. */
  onBody(chunk: Uint8Array): void;
  /** FastCGI's STDERR stream. */
  onStderr(chunk: Uint8Array): void;
  /** Something that costs nothing here but that nginx or a browser would stumble over. */
  onWarning(text: string): void;
}

/**
 * Sends one request and resolves once the response is complete.
 * @throws {ClientFailure} and the signal's reason when that fires
 */
export type Client = (request: ClientRequest, sink: ResponseSink, signal: AbortSignal) => Promise<void>;
