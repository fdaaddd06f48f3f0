// The listening sockets of the master: bound once, handed to the workers of one generation after the other as
// descriptors, and given up when no generation wants them any more. Nobody accepts from them here.
import { lookup } from 'node:dns/promises';
import { chmodSync, chownSync, lstatSync, type Stats } from 'node:fs';
import { type Address, formatAddress } from '../config/address.ts';
import type { ListenerConfig } from '../config/types.ts';
import { isOwn, SocketError } from '../transport/unix-socket.ts';
import { type BareSocket, bindTcp, bindUnix, startQueues } from './bare-socket.ts';
import { ownerIds } from './users.ts';

/** What one generation listens on. All lists have the same order. */
export interface SocketSet {
  readonly listeners: readonly ListenerConfig[];
  /** Open in this process, close-on-exec: to be handed on as `stdio`. */
  readonly descriptors: readonly number[];
  /** With the ports that the kernel chose. */
  readonly addresses: readonly Address[];
  /** The generation is gone. What no other set has is closed. */
  release(): void;
}

/** Who may connect to a Unix socket. */
interface Rights {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** One bound socket, and the sets that have it. */
interface SharedSocket {
  /** The same for listeners that may share it. */
  readonly key: string;
  readonly fd: number;
  readonly address: Address;
  /** Its file is gone or somebody else's: nobody can connect any more. */
  isLost(): boolean;
  /**
   * One more set has it.
   * @returns gives it back; true when nobody has it any more, and it is closed
   * @throws the system's error where `listener` wants rights that cannot be given
   */
  hold(listener: ListenerConfig): () => boolean;
}

export class Sockets {
  readonly #open = new Set<SharedSocket>();

  /**
   * Binds every address, or none; what an earlier set still has is shared with it. From then on connections wait to be
   * accepted. One call at a time.
   * @throws {SocketError} or the system's error of the first that failed
   */
  async acquire(listeners: readonly ListenerConfig[]): Promise<SocketSet> {
    const held: { socket: SharedSocket; giveBack: () => boolean }[] = [];
    const fresh: { fd: number; backlog: number; address: Address }[] = [];
    const release = (): void => {
      for (const { socket, giveBack } of held.splice(0)) if (giveBack()) this.#open.delete(socket);
    };
    try {
      for (const [key, listener] of withKeys(listeners)) {
        const known = this.#find(key);
        const socket = known ?? (await bindNew(key, listener));
        held.push({ socket, giveBack: socket.hold(listener) });
        if (known !== undefined) continue;
        this.#open.add(socket);
        fresh.push({ fd: socket.fd, backlog: listener.backlog, address: socket.address });
      }
      const [failure] = await startQueues(fresh);
      if (failure !== undefined) throw cannotListen(fresh[failure[0]]?.address, failure[1]);
    } catch (error) {
      release();
      throw error;
    }
    const sockets = held.map(({ socket }) => socket);
    return {
      listeners,
      descriptors: sockets.map(({ fd }) => fd),
      addresses: sockets.map(({ address }) => address),
      release,
    };
  }

  /**
   * The Unix sockets whose file was deleted or replaced, so that nobody can connect any more; one lstat(2) each. The next
   * acquire() binds them anew; until that has worked each call names them again.
   */
  lost(): Address[] {
    return [...this.#open]
      .filter((socket) => socket.isLost() && this.#find(socket.key) === undefined)
      .map(({ address }) => address);
  }

  #find(key: string): SharedSocket | undefined {
    return [...this.#open].find((socket) => socket.key === key && !socket.isLost());
  }
}

/** The same address twice is possible for port 0 only; each then is a socket of its own. */
function withKeys(listeners: readonly ListenerConfig[]): [key: string, listener: ListenerConfig][] {
  const seen = new Map<string, number>();
  return listeners.map((listener) => {
    const text = formatAddress(listener.address);
    const count = seen.get(text) ?? 0;
    seen.set(text, count + 1);
    return [`${text} ${count}`, listener];
  });
}

async function bindNew(key: string, listener: ListenerConfig): Promise<SharedSocket> {
  const { address } = listener;
  if (address.kind === 'unix') {
    const { path } = address;
    const rights = rightsOf(listener);
    return new UnixSocket(key, path, await bindUnix({ path, ...rights }), rights);
  }
  const { address: host } = await lookup(address.host);
  const { socket, port } = bindTcp(host, address.port);
  return new TcpSocket(key, { ...address, port }, socket);
}

class TcpSocket implements SharedSocket {
  readonly key: string;
  readonly address: Address;
  readonly #socket: BareSocket;
  #holders = 0;

  constructor(key: string, address: Address, socket: BareSocket) {
    this.key = key;
    this.address = address;
    this.#socket = socket;
  }

  get fd(): number {
    return this.#socket.fd;
  }

  isLost(): boolean {
    return false;
  }

  hold(): () => boolean {
    this.#holders += 1;
    return () => {
      this.#holders -= 1;
      if (this.#holders > 0) return false;
      this.#socket.close();
      return true;
    };
  }
}

class UnixSocket implements SharedSocket {
  readonly key: string;
  readonly #path: string;
  readonly #socket: BareSocket;
  readonly #made: Stats;
  /** In the order they came: what the last one wants is in force. */
  readonly #wanted: Rights[] = [];
  #rights: Rights;

  constructor(key: string, path: string, socket: BareSocket, rights: Rights) {
    this.key = key;
    this.#path = path;
    this.#socket = socket;
    this.#rights = rights;
    this.#made = lstatSync(path);
  }

  get fd(): number {
    return this.#socket.fd;
  }

  get address(): Address {
    return { kind: 'unix', path: this.#path };
  }

  isLost(): boolean {
    try {
      return !isOwn(this.#path, this.#made);
    } catch {
      // A folder on the way there is none any more.
      return true;
    }
  }

  hold(listener: ListenerConfig): () => boolean {
    const rights = rightsOf(listener);
    this.#grant(rights);
    this.#wanted.push(rights);
    return () => {
      this.#wanted.splice(this.#wanted.indexOf(rights), 1);
      return this.#givenBack();
    };
  }

  #givenBack(): boolean {
    const isOurs = !this.isLost();
    const last = this.#wanted.at(-1);
    if (last === undefined) {
      // Closing unlinks the path: where that is no longer ours, the socket stays until the process ends.
      if (isOurs) this.#socket.close();
      return true;
    }
    // After a reload that was given up: the rights of those who go on.
    if (isOurs) this.#grant(last);
    return false;
  }

  #grant(rights: Rights): void {
    const { mode, uid, gid } = rights;
    if (mode !== this.#rights.mode) chmodSync(this.#path, mode);
    if (uid !== this.#rights.uid || gid !== this.#rights.gid) {
      chownSync(this.#path, uid === -1 ? ownUid() : uid, gid === -1 ? ownGid() : gid);
    }
    this.#rights = rights;
  }
}

const ownUid = (): number => process.geteuid?.() ?? -1;
const ownGid = (): number => process.getegid?.() ?? -1;
const rightsOf = (listener: ListenerConfig): Rights => ({ mode: listener.mode, ...ownerIds(listener) });

function cannotListen(address: Address | undefined, code: string): SocketError {
  const what = address === undefined ? 'a socket' : formatAddress(address);
  return new SocketError(code, `Cannot listen on ${what}: ${code}`);
}
