// Parses a response head as nginx does: a CGI header block (RFC 3875 section 6) or an HTTP/1.x status line with headers.
// Incremental: bytes may come in any pieces. Knows neither socket nor protocol framing.
import { STATUS_CODES } from 'node:http';
import { ClientFailure } from './failure.ts';

/** Names and values are byte strings (latin-1). */
export interface ResponseHead {
  readonly status: number;
  readonly reason: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
}

export interface CgiResponseHandlers {
  onHead(head: ResponseHead): void;
  onBody(chunk: Uint8Array): void;
  onWarning(text: string): void;
}

/** What nginx does with a first line `HTTP/1.1 404 Not Found`: uwsgi and SCGI read it, FastCGI skips it. */
export type StatusLinePolicy = 'read' | 'skip';

/** Bytes of a head; nginx stops far earlier, at fastcgi_buffer_size. */
const HEAD_SIZE_MAX = 1024 * 1024;
const LF = 0x0a;
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

function bad(found: string, wanted: string, hint: string): ClientFailure {
  return new ClientFailure(`reading the response head failed: ${found}, wanted ${wanted}`, hint);
}

/** A line of the peer, short enough for a message and free of control characters. */
function quote(line: string): string {
  return JSON.stringify(line.length > 80 ? `${line.slice(0, 80)}…` : line);
}

function parseHeader(line: string): [string, string] {
  const hint = 'nginx answers 502 "upstream sent invalid header" to it';
  if (line.startsWith(' ') || line.startsWith('\t')) {
    throw bad(`the line ${quote(line)} is folded`, 'one line for each header', hint);
  }
  const colon = line.indexOf(':');
  const name = colon < 0 ? '' : line.slice(0, colon);
  if (!TOKEN.test(name)) throw bad(`the line is ${quote(line)}`, "'Name: value'", hint);
  const value = line.slice(colon + 1).trim();
  if (/[\0\r]/.test(value)) {
    throw bad(`the header ${quote(line)} holds NUL or CR`, 'a value without control characters', hint);
  }
  return [name, value];
}

function parseStatus(text: string): { status: number; reason: string } {
  const match = /^(\d{3})(?:[ \t]+(.*))?$/.exec(text);
  const code = match?.[1];
  if (code === undefined || code < '100') {
    throw bad(
      `the status is ${quote(text)}`,
      "three digits and a reason, such as '200 OK'",
      'nginx answers 502 to it',
    );
  }
  return { status: Number(code), reason: match?.[2] ?? STATUS_CODES[code] ?? '' };
}

export class CgiResponseParser {
  readonly #handlers: CgiResponseHandlers;
  readonly #policy: StatusLinePolicy;
  #held: Buffer = Buffer.alloc(0);
  #scanned = 0;
  #lines: string[] | null = [];

  constructor(policy: StatusLinePolicy, handlers: CgiResponseHandlers) {
    this.#policy = policy;
    this.#handlers = handlers;
  }

  /** True once onHead was called. */
  get headSeen(): boolean {
    return this.#lines === null;
  }

  /** Bytes of an unfinished head. */
  get pending(): number {
    return this.#held.length;
  }

  /** @throws {ClientFailure} when the head is not one nginx would take */
  push(chunk: Uint8Array): void {
    if (this.#lines === null) {
      if (chunk.length > 0) this.#handlers.onBody(chunk);
      return;
    }
    this.#held = this.#held.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.#held, chunk]);
    this.#takeLines(this.#lines);
  }

  #takeLines(lines: string[]): void {
    let start = this.#scanned;
    for (;;) {
      const end = this.#held.indexOf(LF, start);
      if (end < 0) break;
      const stop = end > start && this.#held[end - 1] === 0x0d ? end - 1 : end;
      const line = this.#held.toString('latin1', start, stop);
      start = end + 1;
      if (line === '') {
        this.#finishHead(lines, this.#held.subarray(start));
        return;
      }
      lines.push(line);
    }
    this.#scanned = start;
    if (this.#held.length > HEAD_SIZE_MAX) {
      throw bad(
        `${this.#held.length} bytes came without an empty line`,
        `a head of at most ${HEAD_SIZE_MAX} bytes`,
        'does the app end its headers?',
      );
    }
  }

  #finishHead(lines: string[], rest: Uint8Array): void {
    this.#lines = null;
    this.#held = Buffer.alloc(0);
    this.#handlers.onHead(this.#parse(lines));
    if (rest.length > 0) this.#handlers.onBody(rest);
  }

  #parse(lines: string[]): ResponseHead {
    const first = lines[0] ?? '';
    const isStatusLine = /^HTTP\/\d/.test(first);
    const headers = (isStatusLine ? lines.slice(1) : lines).map(parseHeader);
    if (isStatusLine && this.#policy === 'read') {
      const match = /^HTTP\/1\.[01] +(.*)$/.exec(first);
      if (match?.[1] === undefined) {
        throw bad(`the first line is ${quote(first)}`, "'HTTP/1.1 200 OK'", 'nginx answers 502 to it');
      }
      return { ...parseStatus(match[1]), headers };
    }
    if (isStatusLine) {
      this.#handlers.onWarning(
        `the response begins with ${quote(first)}; nginx skips such a line over FastCGI, send 'Status: 404 Not Found' instead`,
      );
    }
    return this.#fromCgi(headers);
  }

  /** RFC 3875 section 6.3: Status, else Location makes it a redirect, else 200. nginx hides Status from its client. */
  #fromCgi(headers: readonly [string, string][]): ResponseHead {
    const status = headers.find(([name]) => name.toLowerCase() === 'status');
    const visible = headers.filter(([name]) => name.toLowerCase() !== 'status');
    if (status !== undefined) return { ...parseStatus(status[1]), headers: visible };
    const location = headers.some(([name]) => name.toLowerCase() === 'location');
    return location
      ? { status: 302, reason: 'Found', headers: visible }
      : { status: 200, reason: 'OK', headers: visible };
  }
}
