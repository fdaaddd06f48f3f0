// A connection whose protocol is not known yet: looks at its first bytes, once, and hands it on.
import { Buffer } from 'node:buffer';
import type { Socket } from 'node:net';
import { type Detected, type DetectedProtocol, detectProtocol } from '../protocol/detect.ts';
import { ProtocolError } from '../protocol/errors.ts';
import type { OpenConnection, Take, TransportContext } from './context.ts';
import { detach, isStill } from './handle.ts';

const PROTOCOL = 'auto';

export class Undecided implements OpenConnection {
  readonly #socket: Socket;
  readonly #context: TransportContext;
  readonly #decided: (protocol: DetectedProtocol, first: Buffer) => void;
  #bytes: Buffer = Buffer.alloc(0);
  #deadline: number;
  place = -1;

  constructor(
    socket: Socket,
    context: TransportContext,
    decided: (protocol: DetectedProtocol, first: Buffer) => void,
  ) {
    this.#socket = socket;
    this.#context = context;
    this.#decided = decided;
    this.#deadline = context.ticker.now + context.timeouts.idle;
    socket.on('data', this.#onData);
    socket.on('end', this.#onEnd);
    socket.on('error', ignore);
    socket.on('close', this.#onClose);
  }

  tick(now: number): void {
    if (now >= this.#deadline) this.destroy();
  }

  /** It has had no request yet. */
  serveOnce(): void {}

  drain(): void {
    this.destroy();
  }

  moveTo(take: Take): void {
    if (this.#bytes.length > 0 || !isStill(this.#socket)) return;
    const handle = detach(this.#socket);
    if (handle === null) this.drain();
    else take(handle, null);
  }

  destroy(): void {
    this.#socket.destroy();
  }

  readonly #onData = (chunk: Buffer): void => {
    if (this.#bytes.length === 0) this.#deadline = performance.now() + this.#context.timeouts.params;
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
    const detected = detectProtocol(this.#bytes);
    if (detected !== null) this.#decide(detected);
  };

  readonly #onEnd = (): void => {
    if (this.#bytes.length > 0) {
      const what = `Closed connection: it ended after ${this.#bytes.toString('hex')}, too little to tell its protocol`;
      this.#context.report(new ProtocolError('ERR_UNKNOWN_PROTOCOL', what), PROTOCOL);
    }
    this.#socket.end();
  };

  readonly #onClose = (): void => {
    this.#context.metrics.closed('idle');
    this.#context.closed(this);
  };

  #decide(detected: Detected): void {
    if ('error' in detected) {
      this.#context.report(detected.error, PROTOCOL);
      this.destroy();
      return;
    }
    this.#context.closed(this);
    this.#socket
      .off('data', this.#onData)
      .off('end', this.#onEnd)
      .off('error', ignore)
      .off('close', this.#onClose);
    this.#decided(detected.protocol, this.#bytes);
  }
}

const ignore = (): void => undefined;
