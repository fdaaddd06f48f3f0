// One listening socket: accepts, checks who may connect and how many, and makes the connection its protocol needs.
import type { Buffer } from 'node:buffer';
import { BlockList, createServer, isIPv6, type Server, type Socket } from 'node:net';
import { type ClientRange, formatAddress, type ListenAddress } from '../config/address.ts';
import type { ListenerProtocol } from '../config/types.ts';
import type { DropReason } from '../observe/listener-metrics.ts';
import { Roster } from '../gateway/roster.ts';
import { Undecided } from './auto.ts';
import { bind, type Binding, listenOn, type Unbind } from './bind.ts';
import type { OpenConnection, Take, TransportContext, TransportLimits } from './context.ts';
import { FastcgiConnection } from './fastcgi/connection.ts';
import { attach, descriptorOf, SOCKET_OPTIONS, type SocketHandle } from './handle.ts';
import { HttpServer } from './http/server.ts';
import type { DetectedProtocol } from '../protocol/detect.ts';
import type { ProtocolError } from '../protocol/errors.ts';
import { StreamConnection } from './stream/connection.ts';
import type { Timed } from './timeouts.ts';
import { SocketError } from './unix-socket.ts';

/** Descriptors nobody else must have taken for a connection to be told 503: it is closed again before more come. */
const LAST_DESCRIPTORS = 8;

export interface ListenerOptions extends Omit<Binding, 'address'> {
  readonly address: ListenAddress;
  readonly protocol: ListenerProtocol;
  /** Who may connect over TCP; null = anyone. */
  readonly allowedClients: readonly ClientRange[] | null;
}

/** What the listeners of one worker share. */
export interface SharedContext extends Omit<
  TransportContext,
  'isUnix' | 'rested' | 'closed' | 'metrics' | 'report'
> {
  /** `listener` is its address. */
  report(error: ProtocolError, protocol: string, listener: string): void;
}

/** How many connections the worker has, over all of its listeners. */
export interface ConnectionCount {
  open: number;
}

export class Listener implements Timed {
  readonly #options: ListenerOptions;
  #context: TransportContext;
  /** For connections above the limit. */
  #full: TransportContext;
  readonly #count: ConnectionCount;
  readonly #server: Server;
  readonly #http: HttpServer;
  readonly #connections = new Roster<OpenConnection>();
  readonly #allowed: BlockList | null;
  #unbind: Unbind | null = null;
  #draining = false;
  /** Where connections go that are at rest, while all of them leave. */
  #take: Take | null = null;
  #whenEmpty: (() => void) | null = null;

  constructor(
    options: ListenerOptions,
    shared: SharedContext,
    metrics: TransportContext['metrics'],
    count: ConnectionCount,
  ) {
    this.#options = options;
    this.#count = count;
    this.#context = {
      ...shared,
      metrics,
      report: (error, protocol) => {
        metrics.protocolError(error.reason, protocol);
        shared.report(error, protocol, this.label);
      },
      isUnix: options.address.kind === 'unix',
      rested: (connection) => this.#rested(connection),
      closed: (connection) => this.#forget(connection),
    };
    this.#full = { ...this.#context, handle: (exchange) => exchange.reject(503, 1) };
    this.#allowed = options.allowedClients === null ? null : blockList(options.allowedClients);
    shared.ticker.add(this);
    this.#http = new HttpServer(shared.limits.paramsSize, shared.limits.paramsCount);
    this.#server = createServer({ ...SOCKET_OPTIONS, noDelay: true }, (socket) =>
      this.#accept(socket, options.protocol, () => metrics.accepted()),
    );
  }

  tick(now: number): void {
    for (const connection of this.#connections.list()) {
      connection.tick(now);
      // Those that rest without a word: a last response has drained, the rest of a body that nobody wanted has come.
      if (this.#take !== null) connection.moveTo(this.#take);
    }
  }

  /** The address as the configuration has it. */
  get label(): string {
    return formatAddress(this.#options.address);
  }

  /** Where it listens: with the kernel's choice where the configuration has port 0. */
  get address(): ListenAddress {
    const { address } = this.#options;
    const bound = this.#server.address();
    if (bound === null || typeof bound === 'string') return address;
    if (address.kind === 'systemd') return { kind: 'tcp', host: bound.address, port: bound.port };
    return address.kind === 'tcp' ? { ...address, port: bound.port } : address;
  }

  /**
   * @param fd a socket bound to the address before; without it the address is bound here, and given up by drain()
   * @throws {SocketError} or the system's error when the address cannot be listened on
   */
  async listen(fd?: number): Promise<void> {
    const { address, backlog, file } = this.#options;
    if (fd !== undefined) {
      await listenOn(this.#server, fd, backlog);
      if (address.kind === 'systemd') this.#tellKind();
    } else if (address.kind === 'systemd') {
      throw new SocketError('ERR_SOCKET_NOT_PASSED', `Cannot listen on ${this.label}: no socket was passed`);
    } else {
      this.#unbind = await bind(this.#server, { address, backlog, file });
    }
  }

  /** Takes no new connections, and closes those that have nothing in flight. */
  drain(): void {
    this.#stopAccepting();
    this.#take = null;
    for (const connection of this.#connections.list()) connection.drain();
  }

  /**
   * Takes no new connections, and gives away each one it has: now, or as soon as nothing is in flight on it. Their peers
   * notice nothing. closed() says when none is left; drain() and destroy() end it before that.
   */
  handOver(take: Take): void {
    this.#stopAccepting();
    this.#take = take;
    for (const connection of this.#connections.list()) connection.moveTo(take);
  }

  /**
   * Goes on with a connection that another process has accepted: the same as one accepted here, but for
   * viaduct_connections_accepted_total, which it is in already. One whose protocol is not served here is closed.
   */
  adopt(handle: SocketHandle, protocol: DetectedProtocol | null): void {
    const own = this.#options.protocol;
    const { metrics } = this.#context;
    if (this.#take !== null) {
      this.#take(handle, protocol);
    } else if (this.#draining || (protocol !== null && own !== 'auto' && own !== protocol)) {
      metrics.dropped('handover');
      handle.close();
    } else {
      this.#accept(attach(handle), protocol ?? own, () => metrics.adopted());
    }
  }

  /** Resolves when the last connection is gone. */
  closed(): Promise<void> {
    if (this.#connections.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#whenEmpty = resolve;
    });
  }

  /** Closes every connection now. */
  destroy(): void {
    for (const connection of this.#connections.list()) connection.destroy();
  }

  /** systemd's name does not say what kind of socket it stands for; Node names no address for a Unix socket it did not bind. */
  #tellKind(): void {
    const isUnix = this.#server.address() === null;
    this.#context = { ...this.#context, isUnix };
    this.#full = { ...this.#full, isUnix };
  }

  #stopAccepting(): void {
    if (this.#draining) return;
    this.#draining = true;
    this.#unbind?.();
    this.#server.close();
  }

  /** `count` puts it into the metrics, as idle. */
  #accept(socket: Socket, protocol: ListenerProtocol, count: () => void): void {
    const { metrics, limits } = this.#context;
    // Without a listener an error on a socket we are about to drop would end the process.
    socket.on('error', ignore);
    if (this.#allowed !== null && !this.#context.isUnix && !isAllowed(this.#allowed, socket.remoteAddress)) {
      metrics.dropped('not_allowed');
      socket.destroy();
      return;
    }
    const scarce = scarcity(socket, this.#count.open, limits);
    if (scarce !== null) metrics.dropped(scarce.reason);
    if (scarce?.isLast === true) {
      socket.destroy();
      return;
    }
    count();
    const context = scarce === null ? this.#context : this.#full;
    if (protocol === 'auto') {
      this.#add(new Undecided(socket, context, (found, first) => this.#open(socket, found, context, first)));
    } else {
      this.#open(socket, protocol, context, null);
    }
  }

  #open(socket: Socket, protocol: DetectedProtocol, context: TransportContext, first: Buffer | null): void {
    if (protocol === 'http') {
      this.#keep(this.#http.adopt(socket, context, first), context);
      return;
    }
    const connection =
      protocol === 'fastcgi'
        ? new FastcgiConnection(socket, context)
        : new StreamConnection(socket, context, protocol);
    this.#keep(connection, context);
    if (first !== null) connection.receive(first);
  }

  #rested(connection: OpenConnection): void {
    // Not yet: the chunk that is being read may go on with the next request.
    if (this.#take !== null) process.nextTick(() => this.#take !== null && connection.moveTo(this.#take));
  }

  #forget(connection: OpenConnection): void {
    this.#connections.delete(connection);
    this.#count.open -= 1;
    if (this.#connections.size === 0) this.#whenEmpty?.();
  }

  #add(connection: OpenConnection): void {
    this.#connections.add(connection);
    this.#count.open += 1;
  }

  #keep(connection: OpenConnection, context: TransportContext): void {
    this.#add(connection);
    if (context === this.#full) connection.serveOnce();
  }
}

const ignore = (): void => undefined;

/**
 * Why a new connection is not served, and whether it cannot even be told so. The kernel gives the lowest number that is
 * free (accept(2)), so a high descriptor means that all below it are taken, by connections or by the apps' own files.
 */
function scarcity(
  socket: Socket,
  open: number,
  { connections, courtesy, descriptors }: TransportLimits,
): { reason: DropReason; isLast: boolean } | null {
  const fd = descriptorOf(socket);
  if (fd >= descriptors - courtesy)
    return { reason: 'fd_limit', isLast: fd >= descriptors - LAST_DESCRIPTORS };
  if (open >= connections) return { reason: 'connection_limit', isLast: open >= connections + courtesy };
  return null;
}

function blockList(ranges: readonly ClientRange[]): BlockList {
  const list = new BlockList();
  for (const { address, prefix, family } of ranges) list.addSubnet(address, prefix, family);
  return list;
}

/** An IPv4 client of a dual-stack socket shows as ::ffff:a.b.c.d; BlockList knows that form. */
const isAllowed = (list: BlockList, address: string | undefined): boolean =>
  address !== undefined && list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
