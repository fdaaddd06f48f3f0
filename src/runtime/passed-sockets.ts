// The listening sockets that systemd, or who speaks its protocol, has passed to this process: sd_listen_fds(3).
// They are somebody else's: nobody here binds, unlinks or closes them.
import { SocketError } from '../transport/unix-socket.ts';

/** SD_LISTEN_FDS_START. Node has made these descriptors close-on-exec before any of our code runs. */
const FIRST = 3;
/** What sd_listen_fds_with_names(3) calls a socket without a name. */
const UNNAMED = 'unknown';

export class PassedSockets {
  /** Descriptors by name, in the order they were passed. */
  readonly #named: ReadonlyMap<string, readonly number[]>;
  /** Why there are none. */
  readonly #absent: string;

  constructor(named: ReadonlyMap<string, readonly number[]>, absent: string) {
    this.#named = named;
    this.#absent = absent;
  }

  /**
   * The descriptors passed under `name`: at least one, and more where the socket unit has several ListenStream=.
   * @throws {SocketError} ERR_SOCKET_NOT_PASSED, with the names that there are
   */
  named(name: string): readonly number[] {
    const found = this.#named.get(name);
    if (found !== undefined) return found;
    const names = [...this.#named.keys()].map((known) => `"${known}"`).join(', ');
    const what = names === '' ? this.#absent : `systemd passed no socket of that name, it passed ${names}`;
    throw new SocketError('ERR_SOCKET_NOT_PASSED', `Cannot listen on systemd:${name}: ${what}`);
  }
}

/** For who is not started by systemd. */
export const NO_PASSED_SOCKETS = new PassedSockets(new Map(), 'this process was not started by systemd');

/**
 * Reads what was passed to the process `pid`, and takes it out of `env`, so that no child believes it was meant.
 * @param env LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES
 */
export function takePassedSockets(env: NodeJS.ProcessEnv, pid: number): PassedSockets {
  const { LISTEN_PID: owner, LISTEN_FDS: count, LISTEN_FDNAMES: names } = env;
  for (const key of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES', 'LISTEN_PIDFDID']) delete env[key];
  if (owner === undefined || count === undefined) {
    return none(
      'systemd passed no sockets (LISTEN_PID and LISTEN_FDS are not set); is its socket unit enabled',
    );
  }
  if (owner !== String(pid)) {
    return none(
      `the sockets were passed to process ${owner} (LISTEN_PID), this is ${pid}: start viaduct itself, not through another program`,
    );
  }
  if (!/^[1-9]\d{0,4}$/.test(count)) return none(`LISTEN_FDS is "${count}", wanted a number of sockets`);
  const number = Number(count);
  const list = names?.split(':') ?? Array.from<string>({ length: number }).fill(UNNAMED);
  if (list.length !== number) {
    return none(`LISTEN_FDNAMES has ${list.length} names, wanted ${number} as in LISTEN_FDS`);
  }
  const named = new Map<string, number[]>();
  for (const [place, name] of list.entries()) named.set(name, [...(named.get(name) ?? []), FIRST + place]);
  return new PassedSockets(named, '');
}

const none = (reason: string): PassedSockets => new PassedSockets(new Map(), reason);
