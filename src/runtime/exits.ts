// Why a worker ended, as one word for metrics and status.

export const EXIT_REASONS = [
  // Asked for.
  'reload',
  'stop',
  'scale_down',
  'max_requests',
  'max_age',
  'max_memory',
  // Not asked for.
  /** It did not get as far as serving, or could not load a mount that its replacement could. */
  'boot_error',
  /** Its event loop stood still. */
  'stuck',
  /** V8 found no memory. */
  'oom',
  /** Somebody else's signal: an operator, or the kernel for want of memory. */
  'signal',
  /** Its own doing: a fault in native code, process.exit(), an abort. */
  'crash',
] as const;

export type ExitReason = (typeof EXIT_REASONS)[number];

export interface Ending {
  /** What it was asked to end for; null: nobody asked. */
  readonly asked: ExitReason | null;
  /** It had accepted connections. */
  readonly served: boolean;
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** It drained without being asked: somebody sent it TERM. */
  readonly drained: boolean;
  /** V8 said on stderr that the heap is full. */
  readonly heapFull: boolean;
}

/** Signals that a process brings upon itself. */
const FAULTS: readonly (NodeJS.Signals | null)[] = [
  'SIGSEGV',
  'SIGBUS',
  'SIGILL',
  'SIGFPE',
  'SIGABRT',
  'SIGTRAP',
  'SIGSYS',
];

export function exitReason({ asked, served, signal, drained, heapFull }: Ending): ExitReason {
  if (asked !== null) return asked;
  if (heapFull) return 'oom';
  if (!served) return 'boot_error';
  if (drained) return 'signal';
  return signal !== null && !FAULTS.includes(signal) ? 'signal' : 'crash';
}

/** "exit code 1", "signal SIGKILL" */
export function describeExit({ code, signal }: Pick<Ending, 'code' | 'signal'>): string {
  return signal === null ? `exit code ${code ?? '?'}` : `signal ${signal}`;
}
