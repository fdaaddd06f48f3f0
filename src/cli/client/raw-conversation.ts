// What uwsgi and SCGI share: a request in one block, then an HTTP-like response up to Content-Length or the end.
import type { Socket } from 'node:net';
import type { ClientRequest, ResponseSink } from './client.ts';
import { ClientFailure } from './failure.ts';
import { ResponseReader } from './response-reader.ts';
import { type Conversation, writeAll } from './wire.ts';

export class RawConversation implements Conversation {
  readonly address: ClientRequest['address'];
  readonly protocol: string;
  readonly #pieces: readonly Buffer[];
  readonly #reader: ResponseReader;
  #received = 0;

  /** @param block the request's params, as they go over the wire; the body follows unframed */
  constructor(protocol: string, block: Buffer, request: ClientRequest, sink: ResponseSink) {
    this.protocol = protocol;
    this.address = request.address;
    this.#pieces = [block, request.body].filter((piece) => piece.length > 0);
    this.#reader = new ResponseReader('read', request.method, sink);
  }

  send(socket: Socket): Promise<void> {
    return writeAll(socket, this.#pieces);
  }

  receive(chunk: Buffer): boolean {
    this.#received += chunk.length;
    this.#reader.push(chunk);
    if (this.#reader.full) this.#reader.warnOfExcess();
    return this.#reader.full;
  }

  ended(): void {
    if (this.#received === 0) {
      throw new ClientFailure(
        `reading the response failed: the daemon closed the connection without an answer, wanted a ${this.protocol} response`,
        `is it a ${this.protocol} listener, and are the params within its limits?`,
      );
    }
    this.#reader.finish();
  }
}
