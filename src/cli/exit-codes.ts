// The exit codes of every verb; from 64 on they are those of sysexits.h.

export const EXIT = {
  ok: 0,
  failed: 1,
  /** An app failed to boot on start. */
  bootFailed: 3,
  /** The old configuration still serves. */
  reloadRejected: 4,
  usage: 64,
  /** The daemon is not reachable. */
  unavailable: 69,
  internal: 70,
  /** A socket or file. */
  cannotCreate: 73,
  permission: 77,
  config: 78,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];
