// What the two sides of the watchdog share: the cells of their memory, and what the thread is told at its start.
// The thread imports nothing else of viaduct, so this file imports nothing.

/** Cells of the shared memory, 32 bits each. */
export const CELL = {
  /** Counted up by the main thread as long as its event loop turns. */
  beats: 0,
  /** Milliseconds of silence that end the process; 0 = never. */
  limit: 1,
  /** 1: the thread is to end. */
  stop: 2,
} as const;

/** Names the function of the main thread that says what goes on in it: `globalThis[Symbol.for(WITNESS)]`. */
export const WITNESS = 'viaduct.watchdog.witness';

/** The code of its log line. */
export const STUCK_CODE = 'ERR_WORKER_STUCK';

/** How the thread's question is named in stacks. */
export const QUESTION = 'viaduct:watchdog';

export interface ThreadData {
  readonly memory: SharedArrayBuffer;
  readonly slot: number;
  readonly logFd: number;
  readonly logFile: string | null;
  /** The process that must live on for ours to be of use; null: ours stands alone. */
  readonly parent: number | null;
}

/** What the main thread answers, as JSON. */
export interface Testimony {
  /** Innermost function first, one a line; null where it could not be had. */
  readonly stack: string | null;
  /** How many requests are in flight. */
  readonly inFlight: number;
  /** Some of them, as they stand in the log. */
  readonly requests: readonly object[];
}
