// How many descriptors the process may have, how many of them connections may take, and a look at whether any is left.
// Knows nothing of sockets.
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs';

/** Descriptors kept for apps: their files, their databases. */
const SPARE = 256;
/** Connections above the limit that are still told 503. */
const COURTESY = 64;

/**
 * The soft RLIMIT_NOFILE, which Node raises to the hard one as it starts (src/node.cc); Infinity where nothing tells.
 */
export function descriptorLimit(): number {
  try {
    const limits = readFileSync('/proc/self/limits', 'latin1');
    const soft = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
    return soft === undefined ? Infinity : Number(soft);
  } catch {
    // No /proc
    return Infinity;
  }
}

/** Connections that are told 503 beyond those that are served: a quarter of the descriptors at most. */
export function courtesyWithin(limit: number): number {
  return Math.min(COURTESY, Math.floor(limit / 4));
}

/** How many of the `wanted` connections fit below `limit`, beside what is open now, those told 503, and what apps need. */
export function connectionsWithin(limit: number, wanted: number): number {
  if (limit === Infinity) return wanted;
  const others = readdirSync('/proc/self/fd').length + Math.min(SPARE, Math.floor(limit / 4));
  return Math.max(1, Math.min(wanted, limit - others - courtesyWithin(limit)));
}

/**
 * Notices that no descriptor is left. Nothing else does: libuv then accepts and closes whatever waits, and tells nobody
 * (uv__emfile_trick in src/unix/stream.c).
 */
export class DescriptorWatch {
  readonly #onNone: () => void;

  constructor(onNone: () => void) {
    this.#onNone = onNone;
  }

  tick(): void {
    try {
      closeSync(openSync('/dev/null', 'r'));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EMFILE' || code === 'ENFILE') this.#onNone();
    }
  }
}
