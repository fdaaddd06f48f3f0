// What the FastCGI decoder tells. Plain callbacks rather than event objects: a small request then costs no allocation.
import type { ProtocolError } from '../errors.ts';

export interface FastcgiSink {
  /** A Responder request began; `id` is active until `release(id)`. */
  onBegin(id: number, keepConn: boolean): void;
  /** All of its params: name, value, name, value ... as latin-1 text. */
  onParams(id: number, params: string[]): void;
  /** Bytes of its body; a record may come in several pieces. The chunk is a view into what push() was given. */
  onStdin(id: number, chunk: Buffer): void;
  onStdinEnd(id: number): void;
  /** FCGI_ABORT_REQUEST for an active id: answer with END_REQUEST. */
  onAbort(id: number): void;
  /** The names a FCGI_GET_VALUES asked for. */
  onGetValues(names: string[]): void;
  /** A management record of a type we do not know: answer with UNKNOWN_TYPE. */
  onUnknownType(type: number): void;
  /** A BEGIN_REQUEST that is not taken: answer with END_REQUEST and this protocolStatus. */
  onRefuse(id: number, protocolStatus: number, keepConn: boolean): void;
  /** The request's params are bad: answer with `error.status` and END_REQUEST. */
  onReject(id: number, error: ProtocolError): void;
  /** Something odd was skipped. */
  onNotice(error: ProtocolError): void;
  /** Framing is lost or the peer is hostile: close. Nothing is reported after it. */
  onError(error: ProtocolError): void;
}
