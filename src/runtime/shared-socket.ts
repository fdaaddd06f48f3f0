// One listening socket that several generations of workers have in common, until the last of them gives it back.
import { chmodSync, chownSync, lstatSync, type Stats } from 'node:fs';
import type { ListenAddress } from '../config/address.ts';
import type { ListenerConfig } from '../config/types.ts';
import { isOwn } from '../transport/unix-socket.ts';
import type { BareSocket } from './bare-socket.ts';
import { ownerIds } from './users.ts';

/** Who may connect to a Unix socket. */
interface Rights {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** One bound socket, and the sets that have it. */
export interface SharedSocket {
  /** The same for listeners that may share it. */
  readonly key: string;
  readonly fd: number;
  readonly address: ListenAddress;
  /** Its file is gone or somebody else's: nobody can connect any more. */
  isLost(): boolean;
  /**
   * One more set has it.
   * @returns gives it back; true when nobody has it any more, and it is closed
   * @throws the system's error where `listener` wants rights that cannot be given
   */
  hold(listener: ListenerConfig): () => boolean;
}

/** One that has no file of ours: it is closed when nobody has it any more, and that is all. */
export class PlainSocket implements SharedSocket {
  readonly key: string;
  readonly fd: number;
  readonly address: ListenAddress;
  readonly #close: () => void;
  #holders = 0;

  constructor(key: string, fd: number, address: ListenAddress, close: () => void) {
    this.key = key;
    this.fd = fd;
    this.address = address;
    this.#close = close;
  }

  isLost(): boolean {
    return false;
  }

  hold(): () => boolean {
    this.#holders += 1;
    return () => {
      this.#holders -= 1;
      if (this.#holders > 0) return false;
      this.#close();
      return true;
    };
  }
}

export class UnixSocket implements SharedSocket {
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

  get address(): ListenAddress {
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
    try {
      // After a reload that was given up: the rights of those who go on.
      if (isOurs) this.#grant(last);
    } catch {
      // Somebody else's by now; the next reload says so.
    }
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
export const rightsOf = (listener: ListenerConfig): Rights => ({
  mode: listener.mode,
  ...ownerIds(listener),
});
