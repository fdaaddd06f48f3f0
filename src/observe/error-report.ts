// One error as it goes from who logs it to the page that shows it: plain data of bounded size, at a bounded rate. Knows
// the fields of log lines, and no request.
import { messageAndStack } from './describe-error.ts';

/** Plain data, so that it can cross a process boundary. */
export interface ErrorReport {
  /** Milliseconds since the epoch. */
  readonly time: number;
  readonly message: string;
  /** Of Python its own traceback, of JavaScript the stack; with what caused it. */
  readonly traceback: string | null;
  readonly mount: string | null;
  readonly requestId: string | null;
  readonly method: string | null;
  readonly uri: string | null;
}

const MESSAGE_LIMIT = 500;
const TRACEBACK_LIMIT = 8000;
const WORD_LIMIT = 200;
const URI_LIMIT = 500;

/** Reports within an interval of milliseconds; more say nothing new, and would cost the one who fails even more. */
const LIMIT = 10;
const INTERVAL = 1000;

/** Of a log line: `fields` as they were given to the logger, `err` among them where there is one. */
export function reportOf(
  fields: Readonly<Record<string, unknown>>,
  message: string,
  now: number,
): ErrorReport {
  const error = messageAndStack(fields['err']);
  const stack = error?.stack ?? fields['stack'];
  const isSaid = error === null || message.includes(error.message);
  // What an application said when it did not boot stands in the message, line by line.
  const [first = '', ...more] = (isSaid ? message : `${message}: ${error.message}`).split('\n');
  const traceback = typeof stack === 'string' ? stack : more.join('\n');
  return bounded({
    time: now,
    message: first,
    traceback: traceback === '' ? null : traceback,
    mount: fields['mount'],
    requestId: fields['request_id'],
    method: fields['method'],
    uri: fields['uri'],
  });
}

/** A report as it came from another process, which may have made up anything; null: it is none. */
export function readReport(found: unknown): ErrorReport | null {
  if (typeof found !== 'object' || found === null) return null;
  const parts = found as Partial<Record<keyof ErrorReport, unknown>>;
  return typeof parts.time === 'number' && typeof parts.message === 'string' ? bounded(parts) : null;
}

/** Lets so many reports a second through. */
export class ErrorReporter {
  readonly #send: (report: ErrorReport) => void;
  #since = 0;
  #sent = 0;

  constructor(send: (report: ErrorReport) => void) {
    this.#send = send;
  }

  /** What a logger was given at level error. */
  logged(fields: Readonly<Record<string, unknown>>, message: string): void {
    const now = Date.now();
    // A clock that was set back begins a new interval as well.
    if (Math.abs(now - this.#since) >= INTERVAL) {
      this.#since = now;
      this.#sent = 0;
    }
    this.#sent += 1;
    if (this.#sent <= LIMIT) this.#send(reportOf(fields, message, now));
  }
}

function bounded(parts: Readonly<Partial<Record<keyof ErrorReport, unknown>>>): ErrorReport {
  const { time, message, traceback, mount, requestId, method, uri } = parts;
  return {
    time: Number(time),
    message: cut(message, MESSAGE_LIMIT) ?? '',
    traceback: cutMiddle(traceback),
    mount: cut(mount, WORD_LIMIT),
    requestId: cut(requestId, WORD_LIMIT),
    method: cut(method, WORD_LIMIT),
    uri: cut(uri, URI_LIMIT),
  };
}

const cut = (value: unknown, limit: number): string | null =>
  typeof value !== 'string' ? null : value.length > limit ? `${value.slice(0, limit)}…` : value;

/** Python's last lines say what it was, JavaScript's first ones do. */
function cutMiddle(value: unknown): string | null {
  if (typeof value !== 'string') return null;
  if (value.length <= TRACEBACK_LIMIT) return value;
  const half = TRACEBACK_LIMIT / 2;
  return `${value.slice(0, half)}\n… ${value.length - 2 * half} characters …\n${value.slice(-half)}`;
}
