// What every connection of one listener shares.
import type { Exchange } from '../gateway/exchange.ts';
import type { Member } from '../gateway/roster.ts';
import type { ListenerMetrics } from '../observe/listener-metrics.ts';
import type { DetectedProtocol } from '../protocol/detect.ts';
import type { ProtocolError } from '../protocol/errors.ts';
import type { ProtocolLimits } from '../protocol/limits.ts';
import type { SocketHandle } from './handle.ts';
import type { Ticker, Timed } from './timeouts.ts';

export interface TransportTimeouts {
  /** Milliseconds for a peer that has begun a request to send its params. */
  readonly params: number;
  /** Milliseconds a connection may stay open without a request. */
  readonly idle: number;
  /** Milliseconds without progress while a response waits to be sent, for requests without a mount. */
  readonly send: number;
}

export interface TransportLimits extends ProtocolLimits {
  /** Open connections of this worker. */
  readonly connections: number;
  /** Connections above that which are still told 503; beyond them one is closed without a word. */
  readonly courtesy: number;
  /** Descriptors this process may have (RLIMIT_NOFILE); Infinity where that is not known. */
  readonly descriptors: number;
  /** Requests in flight of this worker, as told to FastCGI peers that ask. */
  readonly requests: number;
}

export interface TransportContext {
  readonly limits: TransportLimits;
  readonly timeouts: TransportTimeouts;
  readonly ticker: Ticker;
  readonly metrics: ListenerMetrics;
  /** True for a Unix socket: no reset there, but a write tells at once whether the peer has left. */
  readonly isUnix: boolean;
  /** Hands a request to the gateway. */
  handle(exchange: TransportExchange): void;
  /** A peer broke its protocol, or came near it. `error.scope` says how much it cost. */
  report(error: ProtocolError, protocol: string): void;
  /** Nothing is in flight on the connection any more, as far as this turn of the event loop has seen. */
  rested(connection: OpenConnection): void;
  /** The connection has closed, or left. */
  closed(connection: OpenConnection): void;
}

/**
 * Gets a connection that leaves; from there on it is its to send or to close. `protocol` is null where no byte has told it:
 * once known it has to go along, as what is left of an answered FastCGI request tells nothing to who sees that first.
 */
export type Take = (handle: SocketHandle, protocol: DetectedProtocol | null) => void;

/** A connection as its listener sees it. */
export interface OpenConnection extends Member, Timed {
  /** Closes after its next request. */
  serveOnce(): void;
  /** Closes once nothing is in flight: at once when idle. */
  drain(): void;
  /**
   * Leaves by `take` if nothing is in flight and nothing of a next request was read; else does nothing, and may be asked
   * again. Where this Node cannot take it apart, it drains.
   */
  moveTo(take: Take): void;
  /** Closes now. */
  destroy(): void;
}

/** An exchange that can be answered without the gateway. */
export interface TransportExchange extends Exchange {
  reject(status: number, retryAfter?: number): void;
}
