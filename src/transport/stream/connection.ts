// A uwsgi or SCGI connection: one request, one response, then it closes. nginx never uses such a connection twice, and what
// follows the body is never read as another request.
import { Buffer } from 'node:buffer';
import type { Socket } from 'node:net';
import type { AbortReason } from '../../gateway/exchange.ts';
import { ProtocolError } from '../../protocol/errors.ts';
import type { ProtocolLimits } from '../../protocol/limits.ts';
import { ScgiDecoder } from '../../protocol/scgi/decoder.ts';
import type { StreamDecoder, StreamSink } from '../../protocol/stream-events.ts';
import { UwsgiDecoder } from '../../protocol/uwsgi/decoder.ts';
import { Connection } from '../connection.ts';
import type { TransportContext } from '../context.ts';
import { StreamExchange } from './exchange.ts';

const DECODERS = {
  uwsgi: (sink: StreamSink, limits: ProtocolLimits): StreamDecoder => new UwsgiDecoder(sink, limits),
  scgi: (sink: StreamSink, limits: ProtocolLimits): StreamDecoder => new ScgiDecoder(sink, limits),
} as const;

export type StreamProtocol = keyof typeof DECODERS;

/** Up to here one buffer is cheaper than a writev of views. */
const COALESCE = 8 * 1024;

export class StreamConnection extends Connection implements StreamSink {
  readonly protocol: StreamProtocol;
  readonly #decoder: StreamDecoder;
  #exchange: StreamExchange | null = null;
  #dispatched = false;

  constructor(socket: Socket, context: TransportContext, protocol: StreamProtocol) {
    super(socket, context);
    this.protocol = protocol;
    this.#decoder = DECODERS[protocol](this, context.limits);
  }

  /** A Unix socket has no reset. */
  get cannotReset(): boolean {
    return this.context.isUnix;
  }

  /** The peer has sent its FIN. */
  get hasEnded(): boolean {
    return this.peerEnded;
  }

  /** Writes a head and chunks: as one buffer where that is cheaper. */
  send(head: string, chunks: readonly Uint8Array[], timeout: number): boolean {
    let size = head.length;
    for (const chunk of chunks) size += chunk.length;
    if (size === 0) return true;
    if (size > COALESCE)
      return this.write(head === '' ? chunks : [Buffer.from(head, 'latin1'), ...chunks], timeout);
    const out = Buffer.allocUnsafe(size);
    let at = out.write(head, 0, 'latin1');
    for (const chunk of chunks) {
      out.set(chunk, at);
      at += chunk.length;
    }
    return this.write([out], timeout);
  }

  reset(): void {
    this.socket.resetAndDestroy();
  }

  onRequest(params: string[], contentLength: number): void {
    this.setState('active');
    this.#exchange = new StreamExchange(this, params, contentLength, this.readAt, this.context.timeouts.send);
  }

  onBody(chunk: Buffer): void {
    this.#exchange?.body.push(chunk);
  }

  onBodyEnd(): void {
    this.#exchange?.body.end();
  }

  onBehind(chunk: Buffer): boolean {
    return this.#exchange?.behind(chunk) ?? false;
  }

  onReply(bytes: Uint8Array): void {
    this.write([bytes], this.context.timeouts.send);
    this.finish();
  }

  onNotice(error: ProtocolError): void {
    this.context.report(error, this.protocol);
  }

  onError(error: ProtocolError): void {
    this.context.report(error, this.protocol);
    if (error.status !== 0) {
      new StreamExchange(this, [], 0, this.readAt, this.context.timeouts.send).reject(error.status);
      return;
    }
    this.#exchange?.close('client_gone');
    this.finish();
  }

  /** Asked while idle, and it is idle until its first byte. */
  protected get atBoundary(): boolean {
    return true;
  }

  protected decode(chunk: Buffer): void {
    if (this.state === 'idle') this.setState('reading');
    this.#decoder.push(chunk);
    if (this.#exchange !== null && !this.#dispatched && !this.closing) {
      this.#dispatched = true;
      this.context.handle(this.#exchange);
    }
  }

  /**
   * With the body still coming, the client has left. Otherwise it may have ended only its own side: on a Unix socket an
   * empty write fails if nobody reads any more. On TCP nothing tells before a response is written.
   */
  protected ended(): void {
    const exchange = this.#exchange;
    if (exchange === null) {
      this.#decoder.end();
      this.finish();
    } else if (!exchange.body.complete) {
      exchange.close('client_gone');
      this.finish();
    } else {
      exchange.tunnel?.receiveEnd();
      this.probe();
    }
  }

  /** Not while a tunnel holds bytes that the peer sent before it left: they would be lost with the connection. */
  protected probe(): void {
    const unread = this.#exchange?.tunnel?.readableLength ?? 0;
    if (this.context.isUnix && unread === 0 && !this.socket.writableEnded)
      this.write([new Uint8Array(0)], this.context.timeouts.send);
  }

  protected paramsTimedOut(): void {
    const limit = this.context.timeouts.params;
    this.context.report(
      new ProtocolError('ERR_PARAMS_TIMEOUT', `Closed connection: params did not come within ${limit} ms`),
      this.protocol,
    );
    this.finish();
  }

  protected sendTimedOut(): void {
    this.#lose('send_timeout');
    this.destroy();
  }

  protected lost(): void {
    this.#lose('client_gone');
  }

  protected tickRequests(now: number): void {
    this.#exchange?.body.tick(now);
  }

  #lose(reason: AbortReason): void {
    this.#exchange?.close(reason);
  }
}
