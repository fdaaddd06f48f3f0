// What the decoders of the one-request-a-connection protocols (uwsgi, SCGI) tell.
import type { ProtocolError } from './errors.ts';

export interface StreamSink {
  /**
   * The request: name, value, name, value ... as latin-1 text, and its CONTENT_LENGTH in bytes (0 where empty or absent).
   * `onBodyEnd` follows at once when it is 0.
   */
  onRequest(params: string[], contentLength: number): void;
  /** Bytes of the body, never more than CONTENT_LENGTH in all. The chunk is a view into what push() was given. */
  onBody(chunk: Buffer): void;
  onBodyEnd(): void;
  /** Bytes behind the body, a view as in onBody. True: they are wanted, as the first of a tunnel; else they are dropped. */
  onBehind?(chunk: Buffer): boolean;
  /** uwsgi only: a ping (modifier1 100), or a request we refuse with these bytes (modifier1 17). Answer and close. */
  onReply(bytes: Uint8Array): void;
  /** Something odd was skipped. */
  onNotice(error: ProtocolError): void;
  /** The request is refused: answer `error.status` where it is not 0, then close. Nothing is reported after it. */
  onError(error: ProtocolError): void;
}

/** Bytes in, events out. `end()` says that the peer sends no more. */
export interface StreamDecoder {
  push(chunk: Buffer): void;
  end(): void;
}
