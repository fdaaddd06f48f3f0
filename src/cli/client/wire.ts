// One socket from connect to close, for the clients that write their own bytes. Knows no protocol.
import { connect, type Socket } from 'node:net';
import { connectOptions, type SocketAddress } from './address.ts';
import { brokenFailure, connectFailure } from './failure.ts';

export interface Conversation {
  readonly address: SocketAddress;
  /** For messages. */
  readonly protocol: string;
  /** Writes the request. Called once connected. */
  send(socket: Socket): void | Promise<void>;
  /** Takes bytes of the response; true once it is complete. Throws where it is broken. */
  receive(chunk: Buffer): boolean;
  /** The peer sends no more. Throws where the response is not complete. */
  ended(): void;
}

/** Resolves once the socket takes more bytes, or will never again. */
export function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (!socket.writableNeedDrain || socket.destroyed) {
      resolve();
      return;
    }
    const done = (): void => {
      socket.off('drain', done);
      socket.off('close', done);
      resolve();
    };
    socket.on('drain', done);
    socket.on('close', done);
  });
}

/** Writes pieces one after the other, no faster than the peer reads. */
export async function writeAll(socket: Socket, pieces: Iterable<Uint8Array>): Promise<void> {
  for (const piece of pieces) {
    if (socket.destroyed) return;
    // oxlint-disable-next-line no-await-in-loop -- back-pressure: the next piece waits for this one
    if (!socket.write(piece)) await drained(socket);
  }
}

/** Runs a conversation to its end and closes the socket. */
export function converse(conversation: Conversation, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(connectOptions(conversation.address));
    let connected = false;
    const settle = (step: () => boolean): void => {
      try {
        if (!step()) return;
        resolve();
      } catch (error) {
        reject(error);
      }
      close();
    };
    const onAbort = (): void => {
      settle(() => {
        throw signal.reason;
      });
    };
    const close = (): void => {
      signal.removeEventListener('abort', onAbort);
      socket.removeAllListeners('data');
      socket.destroy();
    };
    signal.addEventListener('abort', onAbort);
    socket.on('connect', () => {
      connected = true;
      // What is written in this turn goes out in one piece, as from nginx: a daemon that answers the first bytes and
      // closes would else meet the next ones with EPIPE, and Node drops what it has not read by then.
      socket.cork();
      process.nextTick(() => {
        socket.uncork();
      });
      Promise.resolve(conversation.send(socket)).catch((error: unknown) => {
        settle(() => {
          throw error;
        });
      });
    });
    socket.on('data', (chunk: Buffer) => {
      settle(() => conversation.receive(chunk));
    });
    socket.on('end', () => {
      settle(() => {
        conversation.ended();
        return true;
      });
    });
    socket.on('error', (error) => {
      const { address, protocol } = conversation;
      const failure = connected
        ? brokenFailure(error, address, protocol)
        : connectFailure(error, address, protocol);
      settle(() => {
        throw failure;
      });
    });
  });
}
