// Why a worker ended, as one word:
//
//   reload, stop, scale_down, max_requests, max_age, max_memory: it was asked to.
//   boot_error: it did not get as far as serving, or lacked a mount that its replacement has.
//   stuck:      its event loop stood still.
//   oom:        V8 found no memory.
//   signal:     somebody else's: an operator, or the kernel for want of memory.
//   crash:      its own doing: a fault in native code, process.exit(), an abort.
import type { ExitReason } from '../observe/supervisor-metrics.ts';
import type { BootFailure } from './boot.ts';

/** Milliseconds beyond timeouts.boot, which who loads apps keeps itself unless its event loop is blocked. */
export const BOOT_SLACK = 1000;

export interface Ending {
  /** What it was asked to end for; null: nobody asked. */
  readonly asked: ExitReason | null;
  /** It had accepted connections. */
  readonly served: boolean;
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The master had heard nothing of it for timeouts.stuck: its watchdog has killed it. */
  readonly silent: boolean;
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

export function exitReason({ asked, served, signal, silent, heapFull }: Ending): ExitReason {
  if (asked !== null) return asked;
  if (heapFull) return 'oom';
  if (!served) return 'boot_error';
  if (silent && signal === 'SIGKILL') return 'stuck';
  return signal !== null && !FAULTS.includes(signal) ? 'signal' : 'crash';
}

/** "exit code 1", "signal SIGKILL" */
export function describeExit({ code, signal }: Pick<Ending, 'code' | 'signal'>): string {
  return signal === null ? `exit code ${code ?? '?'}` : `signal ${signal}`;
}

/** What is wrong with a mount whose worker ended while it loaded it. `isLate`: it was killed, for it blocked its worker. */
export const loadingFailure = (
  mount: string,
  end: Pick<Ending, 'code' | 'signal'>,
  isLate: boolean,
): BootFailure => ({
  mount,
  message: isLate
    ? 'it did not finish within timeouts.boot, and blocked its worker'
    : `its worker ended while loading it, by ${describeExit(end)}`,
});
