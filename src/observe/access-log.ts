// The access log: one line a request, JSON or nginx's "combined", written by our own formatter (a logger's takes several
// times as long). Every field that comes from a client is escaped here. May not know where an entry comes from.
import type { LineBlock } from './line-block.ts';
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
  const put = options.format === 'json' ? putJson : putCombined;
  const sink = new LineSink({ file, stderr, put, onUnopened });
  return {
    enabled: true,
    write: (entry) => sink.gather(entry),
    reopen: () => sink.reopen(),
    close: () => sink.close(),
    dropped: () => sink.dropped,
  };
}

const ascii = (text: string): Uint8Array => Buffer.from(text, 'latin1');
const OPEN = ascii('{"time":"');
const REQUEST_ID = ascii('Z","request_id":"');
const MOUNT = ascii('","mount":"');
const REMOTE_ADDR = ascii('","remote_addr":"');
const REMOTE_USER = ascii('","remote_user":"');
const METHOD = ascii('","method":"');
const URI = ascii('","uri":"');
const SCHEME = ascii('","scheme":"');
const HOST = ascii('","host":"');
const PROTOCOL = ascii('","protocol":"');
const UPSTREAM = ascii('","upstream":"');
const STATUS = ascii('","status":');
const BYTES_IN = ascii(',"bytes_in":');
const BYTES_OUT = ascii(',"bytes_out":');
const DURATION = ascii(',"duration":');
const QUEUE = ascii(',"queue":');
const APP = ascii(',"app":');
const ABORTED = ascii(',"aborted":"');
const USER_AGENT = ascii(',"user_agent":"');
const REFERER = ascii(',"referer":"');
const TRACE_ID = ascii(',"trace_id":"');
const SPAN_ID = ascii(',"span_id":"');
const CLOSE = ascii('}\n');
const QUOTE = 0x22;

/** One JSON object and a line feed, in ASCII: other characters as \u00XX, so that a line has one reading in any charset. */
export function putJson(line: LineBlock, entry: AccessEntry): void {
  const { duration, queue } = entry;
  line.raw(OPEN);
  putIsoTime(line, entry.time);
  putField(line, REQUEST_ID, entry.requestId);
  putField(line, MOUNT, entry.mount);
  putField(line, REMOTE_ADDR, entry.remoteAddr);
  if (entry.remoteUser !== undefined) putField(line, REMOTE_USER, entry.remoteUser);
  putField(line, METHOD, entry.method);
  putField(line, URI, entry.uri);
  putField(line, SCHEME, entry.scheme);
  putField(line, HOST, entry.host);
  putField(line, PROTOCOL, entry.protocol);
  putField(line, UPSTREAM, entry.upstream);
  line.raw(STATUS);
  line.integer(entry.status);
  line.raw(BYTES_IN);
  line.integer(entry.bytesIn);
  line.raw(BYTES_OUT);
  line.integer(entry.bytesOut);
  line.raw(DURATION);
  putSeconds(line, duration);
  line.raw(QUEUE);
  putSeconds(line, queue);
  line.raw(APP);
  putSeconds(line, duration - queue);
  putOptional(line, ABORTED, entry.aborted);
  putOptional(line, USER_AGENT, entry.userAgent);
  putOptional(line, REFERER, entry.referer);
  putOptional(line, TRACE_ID, entry.traceId);
  putOptional(line, SPAN_ID, entry.spanId);
  line.raw(CLOSE);
}

/** `name` ends the field before it, and begins its own: the closing quote is the next one's. */
function putField(line: LineBlock, name: Uint8Array, text: string): void {
  line.raw(name);
  line.escaped(text, escapeJson);
}

function putOptional(line: LineBlock, name: Uint8Array, text: string | undefined): void {
  if (text === undefined) return;
  putField(line, name, text);
  line.byte(QUOTE);
}

/**
 * nginx's "combined" (ngx_http_log_module): remote_addr - remote_user [time_local] "request" status body_bytes_sent
 * "referer" "user_agent". The first two have no quotes around them, so their spaces are escaped too.
 */
export function putCombined(line: LineBlock, entry: AccessEntry): void {
  line.ascii(unquoted(entry.remoteAddr));
  line.ascii(' - ');
  line.ascii(unquoted(entry.remoteUser));
  line.ascii(' [');
  line.ascii(localTime(entry.time));
  line.ascii('] "');
  line.escaped(entry.method, escapeNginx);
  line.ascii(' ');
  line.escaped(entry.uri, escapeNginx);
  line.ascii(' ');
  line.escaped(entry.protocol, escapeNginx);
  line.ascii('" ');
  line.integer(entry.status, 3);
  line.ascii(' ');
  line.integer(entry.bytesOut);
  line.ascii(' "');
  line.escaped(entry.referer ?? '-', escapeNginx);
  line.ascii('" "');
  line.escaped(entry.userAgent ?? '-', escapeNginx);
  line.ascii('"\n');
}

// All but printable ASCII, the quote and the backslash: what LineBlock.escaped() does not pass on as it is
const NOT_PLAIN = /[^\x20\x21\x23-\x5b\x5d-\x7e]/gu;
const NOT_ASCII = /[^\x20-\x7e]/g;

function escapeJson(text: string): string {
  return JSON.stringify(text)
    .slice(1, -1)
    .replace(NOT_ASCII, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** As nginx's log does (ngx_http_log_escape, escape=default): the quote, the backslash and all but printable ASCII as \xHH. */
function escapeNginx(text: string): string {
  return text.replace(NOT_PLAIN, hexBytes);
}

function unquoted(text: string | undefined): string {
  return text === undefined || text === '' ? '-' : escapeNginx(text).replaceAll(' ', '\\x20');
}

function hexBytes(char: string): string {
  const bytes = Buffer.from(char, char <= '\u00ff' ? 'latin1' : 'utf8');
  return [...bytes].map((byte) => `\\x${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('');
}

// Above it, and below 0, there is no time a request can take
const MAX_SECONDS = 1e9;
const MILLION = 1_000_000;
const POINT = 0x2e;

/** With six digits after the point. */
function putSeconds(line: LineBlock, value: number): void {
  const micros = value > 0 && value < MAX_SECONDS ? Math.round(value * MILLION) : 0;
  const whole = Math.floor(micros / MILLION);
  line.integer(whole);
  line.byte(POINT);
  line.integer(micros - whole * MILLION, 6);
}

const two = (value: number): string => String(value).padStart(2, '0');
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

// Text of the last second seen, in either format: requests of one second share it
let isoSecond = NaN;
let isoText = ascii('');
let localSecond = NaN;
let localText = '';

const LATEST = Date.UTC(9999, 11, 31);

// A time that is none would make Date throw
function dateable(time: number): number {
  return time >= 0 && time < LATEST ? Math.floor(time) : 0;
}

/** RFC 3339 in UTC with milliseconds, but for the Z. */
function putIsoTime(line: LineBlock, time: number): void {
  const ms = dateable(time);
  const second = Math.floor(ms / 1000);
  if (second !== isoSecond) {
    isoText = ascii(new Date(second * 1000).toISOString().slice(0, -4));
    isoSecond = second;
  }
  line.raw(isoText);
  line.integer(ms - second * 1000, 3);
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
