// Connections on their way from a worker that leaves to one that stays, by way of the master: sent, passed on, taken in.
//
// What travels is the bare handle. Out of a net.Socket Node makes a net.Socket at every stop, half-open no more, with a
// read begun on it, and keeps lists between the processes about it (lib/internal/child_process.js, 'net.Socket'); a
// handle stays as it is, as node:cluster has it. Whatever the peer sends meanwhile waits in the kernel.
//
// Where a connection cannot arrive, it is closed. To nginx that is an idle connection whose upstream has closed it: it
// drops it from its cache. A request that crosses the close is sent once more over another connection, but never one that
// is not idempotent (ngx_http_upstream_next() in nginx's src/http/ngx_http_upstream.c): a POST would be lost.
import type { SendHandle } from 'node:child_process';
import { formatAddress } from '../config/address.ts';
import type { ListenerConfig } from '../config/types.ts';
import type { DetectedProtocol } from '../protocol/detect.ts';
import type { Take } from '../transport/context.ts';
import { isHandle, type SocketHandle } from '../transport/handle.ts';

/** What is said of a connection on its way. */
export interface Crossing {
  /** The place of its listener in the configuration of the worker that sends or gets this. */
  readonly listener: number;
  /** null where the peer has sent nothing yet that tells. */
  readonly protocol: DetectedProtocol | null;
}

/** A worker gives a connection away. */
export interface HandoverMessage extends Crossing {
  readonly kind: 'handover';
}

/** The master gives a worker a connection. */
export interface AdoptMessage extends Crossing {
  readonly kind: 'adopt';
}

/** An IPC channel: `process` in a worker, the ChildProcess in the master. */
export interface Channel {
  readonly connected: boolean;
  send?(
    message: HandoverMessage | AdoptMessage,
    handle: SendHandle,
    options: undefined,
    callback: (error: Error | null) => void,
  ): boolean;
  once(event: 'disconnect', listener: () => void): unknown;
}

interface Parcel {
  readonly message: HandoverMessage | AdoptMessage;
  readonly handle: SocketHandle;
  readonly returned: (handle: SocketHandle) => void;
}

/**
 * Sends connections through one channel, one after the other. Node has them acknowledged one by one anyway; what it was
 * given before that is lost with the channel, descriptor and all, and holds up every other message.
 */
export class Outbox {
  readonly #channel: Channel;
  readonly #waiting: Parcel[] = [];
  #sending: Parcel | null = null;
  #open: boolean;
  #whenEmpty: (() => void)[] = [];

  constructor(channel: Channel) {
    this.#channel = channel;
    this.#open = channel.connected;
    channel.once('disconnect', () => this.#shut());
  }

  /** False once the process at the other end is gone, or is told to leave. */
  get open(): boolean {
    return this.#open;
  }

  /** Connections that are not on their way yet. */
  get size(): number {
    return this.#waiting.length + (this.#sending === null ? 0 : 1);
  }

  /** `returned` gets back what could not be sent, and has to close it or find another way. */
  send(
    message: HandoverMessage | AdoptMessage,
    handle: SocketHandle,
    returned: (handle: SocketHandle) => void,
  ): void {
    if (!this.#open) {
      returned(handle);
      return;
    }
    this.#waiting.push({ message, handle, returned });
    this.#next();
  }

  /**
   * Sends nothing more, and gives back what waits: to be called before the worker at the other end is told to leave. The
   * channel keeps the order, so what is on its way arrives before that, and leaves again with the rest.
   */
  retire(): void {
    this.#open = false;
    for (const { handle, returned } of this.#waiting.splice(0)) returned(handle);
  }

  /** Resolves when everything is on its way: not before that may the process exit. */
  empty(): Promise<void> {
    if (this.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#whenEmpty.push(resolve));
  }

  #next(): void {
    if (this.#sending !== null) return;
    const parcel = this.#waiting.shift() ?? null;
    this.#sending = parcel;
    if (parcel === null) {
      for (const resolve of this.#whenEmpty.splice(0)) resolve();
      return;
    }
    const { message, handle } = parcel;
    // Typed for the objects that Node's documentation names; net's handles are what it makes of them.
    const sendable = handle as unknown as SendHandle;
    this.#channel.send?.(message, sendable, undefined, (error) => this.#sent(parcel, error));
  }

  /** It is in the channel's buffer, and the kernel keeps it open there; or it never will be. */
  #sent(parcel: Parcel, error: Error | null): void {
    // The channel closed first, and it was given back then.
    if (this.#sending !== parcel) return;
    this.#sending = null;
    if (error === null) parcel.handle.close();
    else parcel.returned(parcel.handle);
    this.#next();
  }

  #shut(): void {
    if (this.#sending !== null) this.#waiting.unshift(this.#sending);
    this.#sending = null;
    this.retire();
    this.#next();
  }
}

/** Where a connection goes on. */
export interface Stop {
  readonly outbox: Outbox;
  /** The place of its listener in the configuration of the worker at the other end. */
  readonly listener: number;
}

export interface RelayOptions {
  /**
   * The next worker that serves `listener` (its place in the configuration of the worker that gave it away), in turn;
   * null where none is ready, or the new configuration does not have it.
   */
  route(listener: number): Stop | null;
  /** A connection was closed because there was nowhere to go. */
  lost(listener: number): void;
}

/** Workers that may turn out to be gone before a connection is given up. */
const TRIES = 3;

/** The master's part: from the worker that leaves to one that serves. */
export class Relay {
  readonly #options: RelayOptions;

  constructor(options: RelayOptions) {
    this.#options = options;
  }

  /** Passes on what came with a HandoverMessage. */
  pass(crossing: Crossing, handle: unknown): void {
    if (isHandle(handle)) this.#send(crossing, handle, TRIES);
    else this.#options.lost(crossing.listener);
  }

  #send(crossing: Crossing, handle: SocketHandle, tries: number): void {
    const { listener, protocol } = crossing;
    const stop = tries === 0 ? null : this.#options.route(listener);
    if (stop === null) {
      handle.close();
      this.#options.lost(listener);
      return;
    }
    stop.outbox.send({ kind: 'adopt', listener: stop.listener, protocol }, handle, (returned) =>
      this.#send(crossing, returned, tries - 1),
    );
  }
}

/** The leaving worker's part: gives the connections of one listener to the master; closes those it cannot give. */
export const giveTo =
  (outbox: Outbox, listener: number): Take =>
  (handle, protocol) =>
    outbox.send({ kind: 'handover', listener, protocol }, handle, (returned) => returned.close());

/** Whether connections of one can go on at the other; each takes its protocol along. */
export const isSameListener = (one: ListenerConfig, other: ListenerConfig): boolean =>
  formatAddress(one.address) === formatAddress(other.address);
