// The one interface between transport and gateway: a request as it came in, and the way its answer goes out.
// Each protocol's responder implements it; the gateway knows neither protocol nor socket.
import type { HeaderList, Tunnel } from './contract.ts';

/** The request body as the transport receives it. One reader at a time. */
export interface BodyReader {
  /** Called once when `complete` turns true. Set by the gateway. */
  onComplete: (() => void) | null;
  /** Bytes the peer declared (CONTENT_LENGTH); -1 when only the end of the stream tells. */
  readonly declared: number;
  /** Bytes received so far. */
  readonly received: number;
  /** True once the peer has sent all of it, read or not. */
  readonly complete: boolean;
  /**
   * The next chunk, or null at the end; a promise only where bytes have yet to arrive.
   * @throws {GatewayError} ERR_BODY_TRUNCATED, ERR_BODY_TIMEOUT, ERR_BODY_TOO_LARGE, ERR_BODY_AFTER_HEADERS
   */
  read(): Uint8Array | null | Promise<Uint8Array | null>;
  /**
   * The next `size` bytes, fewer only where the body ends; a buffer of that size is made for what does not lie together.
   * @throws {GatewayError} as read()
   */
  take(size: number): Uint8Array | Promise<Uint8Array>;
}

/** Why an exchange ends before its response did. */
export type AbortReason = 'client_gone' | 'request_timeout' | 'send_timeout' | 'app_error' | 'shutdown';

export interface ExchangeLimits {
  readonly bodySize: number;
  readonly bodyTimeout: number;
  readonly sendTimeout: number;
}

export interface Exchange {
  /** fastcgi, uwsgi, scgi or http. */
  readonly protocol: string;
  /** The environ source: name, value, name, value ... as latin-1 text, in the order received. */
  readonly params: readonly string[];
  readonly body: BodyReader;
  /** True where the peer stops sending the body once it has seen a response header (nginx: ngx_http_upstream.c). */
  readonly halfDuplex: boolean;
  /**
   * True where the peer notices a response that breaks off only while it buffers: nginx on a connection that is kept looks
   * for END_REQUEST then, and unbuffered takes the end of the connection for the end of the response.
   */
  readonly needsBuffering: boolean;
  /** When the first byte of the request was seen, by performance.now(). */
  readonly startedAt: number;
  /** True once nothing more can reach the client. */
  readonly closed: boolean;

  /** The mount's own limits, once the mount is known: bytes (0 = no limit) and milliseconds (0 = none). */
  configure(limits: ExchangeLimits): void;

  /** Called once when the client leaves before the response, or the tunnel, has ended. Set by the gateway. */
  onClose: ((reason: AbortReason) => void) | null;

  /** Sets status ("200 OK") and headers, anew until they travel: with the first write(), or with end(). */
  respond(status: string, headers: HeaderList): void;
  /**
   * Sends "101 Switching Protocols" with these headers, instead of respond(), and gives the connection; from then on only
   * abort() may be called. Absent where the protocol cannot carry a tunnel.
   */
  upgrade?(headers: HeaderList): Tunnel;
  /** Sends one chunk (an empty one only flushes the headers). False: above the high-water mark, await drained(). */
  write(chunk: Uint8Array): boolean;
  /** Sends the last chunks and ends the response: one socket write where headers were not sent yet. */
  end(chunks: readonly Uint8Array[]): void;
  /** Resolves below the low-water mark, and when the exchange closes. */
  drained(): Promise<void>;
  /**
   * Ends the exchange so that an HTTP client cannot take what it has for a complete response.
   * @returns null, or what cannot tell the client and what could instead: to be logged with the request
   */
  abort(reason: AbortReason): string | null;
}
