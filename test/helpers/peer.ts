// The other end of a connection, byte for byte: sends what a test says, keeps what comes, and tells how it ended.
// Knows no protocol.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Address } from '../../src/config/address.ts';
import { bytesOf, type Content } from './bytes.ts';
import { waitFor } from './wait.ts';

export class Peer {
  /** Pieces as they came: a small response in one write is one piece. */
  readonly pieces: Buffer[] = [];
  /** Bytes received. */
  size = 0;
  /** The server has sent its FIN. */
  ended = false;
  closed = false;
  /** ECONNRESET, EPIPE ... */
  errorCode: string | null = null;
  readonly #socket: Socket;
  /** Reading stops once so many bytes are here. */
  #quota = Infinity;
  #joined = Buffer.alloc(0);
  #joinedPieces = 0;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (piece: Buffer) => {
      this.pieces.push(piece);
      this.size += piece.length;
      if (this.size >= this.#quota) socket.pause();
    });
    socket.on('end', () => (this.ended = true));
    socket.on('close', () => (this.closed = true));
    socket.on('error', (error: NodeJS.ErrnoException) => (this.errorCode = error.code ?? error.message));
  }

  static async connect(address: Address): Promise<Peer> {
    const where =
      address.kind === 'unix' ? { path: address.path } : { host: address.host, port: address.port };
    // Half-open, as nginx's connections are: our FIN is a decision of the test.
    const socket = connect({ ...where, allowHalfOpen: true });
    const peer = new Peer(socket);
    await once(socket, 'connect');
    return peer;
  }

  /** All bytes received so far. */
  get received(): Buffer {
    if (this.#joinedPieces < this.pieces.length) {
      this.#joined = Buffer.concat([this.#joined, ...this.pieces.slice(this.#joinedPieces)]);
      this.#joinedPieces = this.pieces.length;
    }
    return this.#joined;
  }

  /** Drops what has come so far, so that the next answer begins at the beginning. */
  forget(): void {
    this.pieces.length = 0;
    this.#joinedPieces = 0;
    this.#joined = Buffer.alloc(0);
  }

  /** Nothing more will come. */
  get over(): boolean {
    return this.ended || this.closed;
  }

  /** Bytes handed to send() that the kernel has not taken. */
  get unsent(): number {
    return this.#socket.writableLength;
  }

  send(content: Content): void {
    this.#socket.write(bytesOf(content));
  }

  /** One write a byte, each in a turn of the event loop of its own. */
  async trickle(content: Content): Promise<void> {
    for (const byte of bytesOf(content)) {
      if (this.#socket.destroyed) return;
      this.#socket.write(Buffer.of(byte));
      await nextTurn();
    }
  }

  /** Ends our side only. */
  end(content: Content = ''): void {
    this.#socket.end(bytesOf(content));
  }

  /** Closes both sides, as nginx does when its client has left. */
  destroy(): void {
    this.#socket.destroy();
  }

  /** Stops reading. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Reads about `size` bytes more, then stops reading. */
  async take(size: number): Promise<void> {
    this.#quota = this.size + size;
    this.#socket.resume();
    await waitFor(() => this.size >= this.#quota || this.over, { what: `${size} bytes more` });
    this.#quota = Infinity;
  }

  /**
   * What `look` finds in the bytes received, once it finds something.
   * @throws {Error} when nothing more will come, or nothing came for 5 s
   */
  async until<T>(what: string, look: (received: Buffer) => T | false | null | undefined): Promise<T> {
    for (;;) {
      const found = look(this.received);
      if (found !== false && found !== null && found !== undefined) return found;
      if (this.over)
        throw new Error(`Cannot wait for ${what}: the connection ended after ${this.size} bytes`);
      const { size } = this;
      await this.#news(what, () => this.size > size || this.over);
    }
  }

  /** All bytes, once the server has ended its side or broken the connection. */
  async whole(timeout = 5000): Promise<Buffer> {
    await waitFor(() => this.over, { what: 'the server to end the connection', timeout });
    return this.received;
  }

  /** Faster than polling where most answers come within the same millisecond. */
  async #news(what: string, isNews: () => boolean): Promise<void> {
    for (let turn = 0; turn < 100; turn++) {
      await nextTurn();
      if (isNews()) return;
    }
    await waitFor(isNews, { what, interval: 1 });
  }
}
