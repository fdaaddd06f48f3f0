// How a connection that is used again and again is read: into one buffer that all such connections share. A stream has a
// buffer of 64 KiB made for each read and queues it: a third of what the barest FastCGI answer costs. May not know
// what the bytes mean.
import { Buffer } from 'node:buffer';
import { Socket } from 'node:net';
import { detach, SOCKET_OPTIONS, type SocketHandle } from './handle.ts';

const SIZE = 64 * 1024;
/** A piece from here on is worth the buffer it lies in; a smaller one, held for long, would hold 64 KiB with it. */
const WORTH = SIZE / 4;

const shared = Buffer.allocUnsafeSlow(SIZE);

/** net.Socket takes an `onread` buffer only when it is made, and a server makes its sockets itself: so the handle moves. */
export class Reading {
  /** What stands in place of the accepted socket from here on. */
  readonly socket: Socket;
  /** What the next read goes into. */
  #buffer: Buffer = shared;
  /** Large pieces are wanted: the next read goes into a buffer that can be given away. */
  #giving = false;

  /** `receive` gets each chunk; it is good until receive() returns, see keep(). */
  constructor(handle: SocketHandle, receive: (chunk: Buffer) => void) {
    const options = {
      ...SOCKET_OPTIONS,
      handle,
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

/** Reads an accepted connection, of which nothing was read yet, through the shared buffer. */
export function readShared(
  socket: Socket,
  receive: (chunk: Buffer) => void,
): { readonly socket: Socket; keep(part: Buffer): Buffer } {
  const handle = detach(socket);
  if (handle !== null) return new Reading(handle, receive);
  // A Node whose sockets have no such handle: as any stream.
  socket.on('data', receive).resume();
  return { socket, keep: (part) => part };
}
