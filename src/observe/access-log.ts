// The access log: one line a request, JSON or nginx's "combined", written by our own formatter (a logger's takes 2.6
// times as long). Every field that comes from a client is escaped here. May not know where an entry comes from.
import { LineSink } from './line-sink.ts';

export type AccessFormat = 'json' | 'combined';

/** A request that is over. Text is latin-1: one character a byte, as it came. */
export interface AccessEntry {
  /** When it began; milliseconds since the epoch. */
  readonly time: number;
  readonly requestId: string;
  readonly mount: string;
  readonly remoteAddr: string;
  readonly remoteUser?: string | undefined;
  readonly method: string;
  readonly uri: string;
  /** http or https, as the client has it. */
  readonly scheme: string;
  /** The Host header; "" where there is none. */
  readonly host: string;
  /** The client's, such as HTTP/1.1. */
  readonly protocol: string;
  /** How nginx talked to us: fastcgi, uwsgi, scgi, http. */
  readonly upstream: string;
  /** 0: it ended without one. */
  readonly status: number;
  /** Body bytes. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Seconds, the time in the queue included. */
  readonly duration: number;
  /** Seconds of them. */
  readonly queue: number;
  /** How far it was when the client left. */
  readonly aborted?: string | undefined;
  readonly userAgent?: string | undefined;
  readonly referer?: string | undefined;
  /** Of the trace it belongs to; 32 hexadecimal digits. */
  readonly traceId?: string | undefined;
  /** Of its own span, or where it has none of the caller's; 16 hexadecimal digits. */
  readonly spanId?: string | undefined;
}

export interface AccessLogOptions {
  readonly enabled: boolean;
  /** null: stderr. Made with mode 0640. */
  readonly file: string | null;
  /** The descriptor that is stderr. Default 2. */
  readonly stderr?: number | undefined;
  readonly format: AccessFormat;
  /** Told why the file cannot be opened: lines go to stderr then, until reopen(). Without it createAccessLog() throws. */
  readonly onUnopened?: (error: unknown) => void;
}

export interface AccessLog {
  /** False: write() does nothing, and an entry need not be made. */
  readonly enabled: boolean;
  /** Never throws, never waits. */
  write(entry: AccessEntry): void;
  /**
   * Opens the file anew, after its rotation.
   * @throws {Error} of node:fs where that fails; the log goes on in the old file
   */
  reopen(): void;
  /** Writes what is left, for up to a second, and closes. */
  close(): Promise<void>;
  /** Lines given up so far. */
  dropped(): number;
}

/** @throws {Error} of node:fs, where the file cannot be opened and nobody is to be told */
export function createAccessLog(options: AccessLogOptions): AccessLog {
  if (!options.enabled) {
    return { enabled: false, write() {}, reopen() {}, close: () => Promise.resolve(), dropped: () => 0 };
  }
  const { file, stderr, onUnopened } = options;
  const sink = new LineSink({ file, stderr, gather: true, onUnopened });
  const format = options.format === 'json' ? jsonLine : combinedLine;
  return {
    enabled: true,
    write: (entry) => sink.write(format(entry)),
    reopen: () => sink.reopen(),
    close: () => sink.close(),
    dropped: () => sink.dropped,
  };
}

/** One JSON object and a line feed, in ASCII: other characters as \u00XX, so that a line has one reading in any charset. */
export function jsonLine(entry: AccessEntry): string {
  const { duration, queue } = entry;
  const total = seconds(duration);
  return (
    `{"time":"${isoTime(entry.time)}","request_id":${json(entry.requestId)},"mount":${json(entry.mount)},` +
    `"remote_addr":${json(entry.remoteAddr)}${optional(',"remote_user":', entry.remoteUser)},` +
    `"method":${json(entry.method)},"uri":${json(entry.uri)},"scheme":${json(entry.scheme)},` +
    `"host":${json(entry.host)},"protocol":${json(entry.protocol)},` +
    `"upstream":${json(entry.upstream)},"status":${integer(entry.status)},` +
    `"bytes_in":${integer(entry.bytesIn)},"bytes_out":${integer(entry.bytesOut)},` +
    `"duration":${total},"queue":${seconds(queue)},"app":${queue === 0 ? total : seconds(duration - queue)}` +
    `${optional(',"aborted":', entry.aborted)}${optional(',"user_agent":', entry.userAgent)}` +
    `${optional(',"referer":', entry.referer)}${optional(',"trace_id":', entry.traceId)}` +
    `${optional(',"span_id":', entry.spanId)}}\n`
  );
}

/**
 * nginx's "combined" (ngx_http_log_module): remote_addr - remote_user [time_local] "request" status body_bytes_sent
 * "referer" "user_agent". The first two have no quotes around them, so their spaces are escaped too.
 */
export function combinedLine(entry: AccessEntry): string {
  return (
    `${unquoted(entry.remoteAddr)} - ${unquoted(entry.remoteUser)} [${localTime(entry.time)}] ` +
    `"${escapeNginx(entry.method)} ${escapeNginx(entry.uri)} ${escapeNginx(entry.protocol)}" ` +
    `${integer(entry.status).padStart(3, '0')} ${integer(entry.bytesOut)} ` +
    `"${escapeNginx(entry.referer ?? '-')}" "${escapeNginx(entry.userAgent ?? '-')}"\n`
  );
}

// What both formats pass on as it is: printable ASCII without the quote and the backslash
const PLAIN = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;
const NOT_PLAIN = /[^\x20\x21\x23-\x5b\x5d-\x7e]/gu;
const NOT_ASCII = /[^\x20-\x7e]/g;

function json(text: string): string {
  if (PLAIN.test(text)) return `"${text}"`;
  return JSON.stringify(text).replace(
    NOT_ASCII,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function optional(prefix: string, text: string | undefined): string {
  return text === undefined ? '' : prefix + json(text);
}

/** As nginx's log does (ngx_http_log_escape, escape=default): the quote, the backslash and all but printable ASCII as \xHH. */
function escapeNginx(text: string): string {
  return PLAIN.test(text) ? text : text.replace(NOT_PLAIN, hexBytes);
}

function unquoted(text: string | undefined): string {
  return text === undefined || text === '' ? '-' : escapeNginx(text).replaceAll(' ', '\\x20');
}

function hexBytes(char: string): string {
  const bytes = Buffer.from(char, char <= '\u00ff' ? 'latin1' : 'utf8');
  return [...bytes].map((byte) => `\\x${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('');
}

function integer(value: number): string {
  return Number.isSafeInteger(value) ? String(value) : '0';
}

// Above it, and below 0, there is no time a request can take
const MAX_SECONDS = 1e9;
const MILLION = 1_000_000;

/** With six digits after the point. By whole numbers: toFixed() takes twice as long, and was a sixth of a line. */
function seconds(value: number): string {
  if (!(value > 0 && value < MAX_SECONDS)) return '0.000000';
  const micros = Math.round(value * MILLION);
  const whole = Math.floor(micros / MILLION);
  return `${whole}.${String(micros - whole * MILLION + MILLION).slice(1)}`;
}

const two = (value: number): string => String(value).padStart(2, '0');
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

// Text of the last second seen, in either format: requests of one second share it
let isoSecond = NaN;
let isoText = '';
let localSecond = NaN;
let localText = '';

const LATEST = Date.UTC(9999, 11, 31);

// A time that is none would make Date throw
function dateable(time: number): number {
  return time >= 0 && time < LATEST ? Math.floor(time) : 0;
}

/** RFC 3339 in UTC with milliseconds. */
function isoTime(time: number): string {
  const ms = dateable(time);
  const second = Math.floor(ms / 1000);
  if (second !== isoSecond) {
    isoText = new Date(second * 1000).toISOString().slice(0, -4);
    isoSecond = second;
  }
  return `${isoText}${String(ms - second * 1000).padStart(3, '0')}Z`;
}

/** nginx's $time_local: 10/Oct/2000:13:55:36 -0700. */
function localTime(time: number): string {
  const second = Math.floor(dateable(time) / 1000);
  if (second === localSecond) return localText;
  const date = new Date(second * 1000);
  const offset = -date.getTimezoneOffset();
  const zone = `${offset < 0 ? '-' : '+'}${two(Math.floor(Math.abs(offset) / 60))}${two(Math.abs(offset) % 60)}`;
  const clock = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':');
  localText = `${two(date.getDate())}/${MONTHS[date.getMonth()] ?? ''}/${date.getFullYear()}:${clock} ${zone}`;
  localSecond = second;
  return localText;
}
