// How a connection that is used again and again is read: into one buffer that all such connections share. A stream has a
// buffer of 64 KiB made for each read and queues it: a third of what the barest FastCGI answer costs. May not know
// what the bytes mean.
import { Buffer } from 'node:buffer';
import { Socket } from 'node:net';

const SIZE = 64 * 1024;
/** A piece from here on is worth the buffer it lies in; a smaller one, held for long, would hold 64 KiB with it. */
const WORTH = SIZE / 4;

const shared = Buffer.allocUnsafeSlow(SIZE);

export class Reading {
  /** What stands in place of the accepted socket from here on. */
  readonly socket: Socket;
  /** What the next read goes into. */
  #buffer: Buffer = shared;
  /** Large pieces are wanted: the next read goes into a buffer that can be given away. */
  #giving = false;

  /** `receive` gets each chunk; it is good until receive() returns, see keep(). */
  constructor(handle: object, writableHighWaterMark: number, receive: (chunk: Buffer) => void) {
    const options = {
      handle,
      allowHalfOpen: true,
      writableHighWaterMark,
      onread: {
        buffer: (): Buffer => this.#next(),
        callback: (length: number): boolean => {
          receive(this.#buffer.subarray(0, length));
          return true;
        },
      },
    };
    this.socket = new Socket(options);
  }

  /** A part of the chunk that is being read, or a copy of it, that stays as it is. */
  keep(part: Buffer): Buffer {
    if (part.length < WORTH) return Buffer.from(part);
    this.#giving = true;
    return this.#buffer === shared ? Buffer.from(part) : part;
  }

  #next(): Buffer {
    this.#buffer = this.#giving ? Buffer.allocUnsafeSlow(SIZE) : shared;
    this.#giving = false;
    return this.#buffer;
  }
}

/**
 * Takes the handle out of a socket, which is of no use afterwards; null where that cannot be done. net.Socket takes an
 * `onread` buffer only when it is made, and a server makes its sockets itself. `_handle` is not documented: without it a
 * connection goes on as a stream.
 */
export function takeHandle(socket: Socket & { _handle?: object | null }): object | null {
  // oxlint-disable-next-line no-underscore-dangle -- Node's name
  const handle = socket._handle ?? null;
  // A drain that is due would never be heard of.
  const busy = socket.readableLength > 0 || socket.writableLength > 0 || socket.writableNeedDrain;
  if (handle === null || busy) return null;
  // oxlint-disable-next-line no-underscore-dangle -- as above
  socket._handle = null;
  socket.removeAllListeners();
  socket.destroy();
  return handle;
}
