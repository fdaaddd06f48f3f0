// The whole back-pressure policy, in bytes.

/** A request body may wait in memory up to here; then reading from its connection stops ... */
export const BODY_HIGH_WATER: number = 256 * 1024;
/** ... until the application has taken it down to here. */
export const BODY_LOW_WATER: number = 64 * 1024;
/** Output that may wait in a socket before the application has to. */
export const SEND_HIGH_WATER: number = 64 * 1024;

/** What a body can do to the connection it comes from. */
export interface Flow {
  pause(): void;
  resume(): void;
  /** A part of the chunk that is being received, or a copy of it, that stays as it is. */
  keep(part: Uint8Array): Uint8Array;
}
