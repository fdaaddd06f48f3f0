// What the kernel knows as the connection, taken out of one Socket and put into another: how a connection leaves this
// process, and how it arrives in the next. The only file that knows what node:net keeps below a Socket.
import { Socket } from 'node:net';
import { SEND_HIGH_WATER } from './flow-control.ts';

/** node:net's own object below a Socket (tcp_wrap or pipe_wrap), which process.send() takes as well. */
export interface SocketHandle {
  readStop(): number;
  close(): void;
}

/** How every accepted socket is made: half-open, as a peer may end its side and still read. */
export const SOCKET_OPTIONS = { allowHalfOpen: true, highWaterMark: SEND_HIGH_WATER } as const;

/**
 * Takes the connection out of `socket`. Not a byte is read from here on; what the peer sends stays in the kernel and goes
 * along. The socket closes without a word to the peer, and 'close' tells everybody who counts it, node:http included.
 *
 * Stopping takes the handle: pause() only acts on the stream above it, and what arrives until that is full (64 KiB, see
 * onStreamRead() in Node's lib/internal/stream_base_commons.js) would be read, and lost.
 * @returns null, with nothing done, where this Node has no such handle
 */
export function detach(socket: Socket): SocketHandle | null {
  const handle: unknown = Reflect.get(socket, '_handle');
  if (!isHandle(handle)) return null;
  handle.readStop();
  // net.Socket's own note, by which the next one knows that it has to begin.
  Reflect.set(handle, 'reading', false);
  // As Node does where it passes a socket on itself (lib/internal/child_process.js, lib/net.js): without its handle
  // destroy() has nothing to close, and does all the rest.
  Reflect.set(socket, '_handle', null);
  socket.destroy();
  return handle;
}

/** A socket over `handle`, which reads at once. */
export const attach = (handle: SocketHandle): Socket => new Socket({ ...SOCKET_OPTIONS, handle } as object);

/** Whether it can be a connection: what came with a message is only as good as its sender. */
export const isHandle = (value: unknown): value is SocketHandle =>
  typeof value === 'object' &&
  value !== null &&
  typeof Reflect.get(value, 'readStop') === 'function' &&
  typeof Reflect.get(value, 'close') === 'function';

/** Whether all that was read is dealt with, all that was written is in the kernel, and neither side has ended. */
export const isStill = (socket: Socket): boolean =>
  !socket.destroyed &&
  !socket.readableEnded &&
  !socket.writableEnded &&
  socket.readableLength === 0 &&
  socket.writableLength === 0;

/** The descriptor below `socket`; -1 where this Node does not tell. */
export function descriptorOf(socket: Socket): number {
  const handle: unknown = Reflect.get(socket, '_handle');
  const fd: unknown = isHandle(handle) ? Reflect.get(handle, 'fd') : undefined;
  return typeof fd === 'number' ? fd : -1;
}
