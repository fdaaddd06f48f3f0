// The listening sockets of the master: bound once, handed to the workers of one generation after the other as
// descriptors, and given up when no generation wants them any more. Nobody accepts from them here.
import { lookup } from 'node:dns/promises';
import { type Address, formatAddress, type ListenAddress } from '../config/address.ts';
import type { ListenerConfig } from '../config/types.ts';
import { SocketError } from '../transport/unix-socket.ts';
import { bindTcp, bindUnix, startQueues } from './bare-socket.ts';
import { NO_PASSED_SOCKETS, type PassedSockets } from './passed-sockets.ts';
import { PlainSocket, rightsOf, type SharedSocket, UnixSocket } from './shared-socket.ts';

/** What one generation listens on. All lists have the same order. */
export interface SocketSet {
  /** Those of the configuration; one of systemd:NAME once for each socket that systemd passed under the name. */
  readonly listeners: readonly ListenerConfig[];
  /** Open in this process, close-on-exec: to be handed on as `stdio`. */
  readonly descriptors: readonly number[];
  /** With the ports that the kernel chose. */
  readonly addresses: readonly ListenAddress[];
  /** The generation is gone. What no other set has is closed. */
  release(): void;
}

export class Sockets {
  readonly #open = new Set<SharedSocket>();
  readonly #passed: PassedSockets;

  /** @param passed what systemd:NAME stands for */
  constructor(passed: PassedSockets = NO_PASSED_SOCKETS) {
    this.#passed = passed;
  }

  /**
   * Binds every address, or none; what an earlier set still has is shared with it. From then on connections wait to be
   * accepted. One call at a time.
   * @throws {SocketError} or the system's error of the first that failed
   */
  async acquire(listeners: readonly ListenerConfig[]): Promise<SocketSet> {
    const wanted = listeners.flatMap((listener) => this.#expand(listener));
    const held: { socket: SharedSocket; giveBack: () => boolean }[] = [];
    const fresh: { fd: number; backlog: number; address: ListenAddress }[] = [];
    const release = (): void => {
      for (const { socket, giveBack } of held.splice(0)) if (giveBack()) this.#open.delete(socket);
    };
    try {
      for (const [key, one] of withKeys(wanted)) {
        const known = this.#find(key);
        const socket = known ?? (await one.open(key));
        held.push({ socket, giveBack: socket.hold(one.listener) });
        if (known !== undefined) continue;
        this.#open.add(socket);
        fresh.push({ fd: socket.fd, backlog: one.listener.backlog, address: socket.address });
      }
      const [failure] = await startQueues(fresh);
      if (failure !== undefined) throw cannotListen(fresh[failure[0]]?.address, failure[1]);
    } catch (error) {
      release();
      throw error;
    }
    const sockets = held.map(({ socket }) => socket);
    return {
      listeners: wanted.map(({ listener }) => listener),
      descriptors: sockets.map(({ fd }) => fd),
      addresses: sockets.map(({ address }) => address),
      release,
    };
  }

  /**
   * The Unix sockets whose file was deleted or replaced, so that nobody can connect any more; one lstat(2) each. The next
   * acquire() binds them anew; until that has worked each call names them again.
   */
  lost(): ListenAddress[] {
    return [...this.#open]
      .filter((socket) => socket.isLost() && this.#find(socket.key) === undefined)
      .map(({ address }) => address);
  }

  /** @throws {SocketError} ERR_SOCKET_NOT_PASSED */
  #expand(listener: ListenerConfig): Wanted[] {
    const { address } = listener;
    if (address.kind === 'systemd') {
      // systemd's own: it goes on listening for our successor, so it is never closed.
      const keep = (): void => undefined;
      return this.#passed
        .named(address.name)
        .map((fd) => ({ listener, open: (key) => new PlainSocket(key, fd, address, keep) }));
    }
    return [
      {
        listener,
        open: (key) =>
          address.kind === 'unix' ? openUnix(key, address.path, listener) : openTcp(key, address),
      },
    ];
  }

  #find(key: string): SharedSocket | undefined {
    return [...this.#open].find((socket) => socket.key === key && !socket.isLost());
  }
}

/** One socket to have. */
interface Wanted {
  readonly listener: ListenerConfig;
  /** @throws {SocketError} or the system's error */
  open(key: string): SharedSocket | Promise<SharedSocket>;
}

/** The same address twice is possible for port 0 and what systemd passes; each then is a socket of its own. */
function withKeys(all: readonly Wanted[]): [key: string, wanted: Wanted][] {
  const seen = new Map<string, number>();
  return all.map((wanted) => {
    const text = formatAddress(wanted.listener.address);
    const count = seen.get(text) ?? 0;
    seen.set(text, count + 1);
    return [`${text} ${count}`, wanted];
  });
}

async function openUnix(key: string, path: string, listener: ListenerConfig): Promise<SharedSocket> {
  const rights = rightsOf(listener);
  return new UnixSocket(key, path, await bindUnix({ path, ...rights }), rights);
}

async function openTcp(key: string, address: Address & { kind: 'tcp' }): Promise<SharedSocket> {
  const { address: host } = await lookup(address.host);
  const { socket, port } = bindTcp(host, address.port);
  return new PlainSocket(key, socket.fd, { ...address, port }, () => socket.close());
}

function cannotListen(address: ListenAddress | undefined, code: string): SocketError {
  const what = address === undefined ? 'a socket' : formatAddress(address);
  const hint = address?.kind === 'systemd' ? ', wanted a ListenStream= socket with Accept=no' : '';
  return new SocketError(code, `Cannot listen on ${what}: ${code}${hint}`);
}
