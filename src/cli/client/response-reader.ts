// Decides when a response is complete, short or too long, from its head and the bytes after it (RFC 9112 section 6.3).
// For FastCGI, uwsgi and SCGI; node:http does the same for HTTP.
import { CgiResponseParser, type ResponseHead, type StatusLinePolicy } from './cgi-response.ts';
import type { ResponseSink } from './client.ts';
import { ClientFailure } from './failure.ts';

/** The numeric Content-Length of a head; -1 where there is none. nginx takes a wrong one for none. */
export function contentLength(head: ResponseHead): number {
  const header = head.headers.find(([name]) => name.toLowerCase() === 'content-length');
  return header !== undefined && /^\d+$/.test(header[1]) ? Number(header[1]) : -1;
}

/** HEAD, 1xx, 204 and 304 have no body, whatever the headers say (RFC 9110 section 6.4.1). */
export function isBodyless(method: string, status: number): boolean {
  return method === 'HEAD' || status < 200 || status === 204 || status === 304;
}

export class ResponseReader {
  readonly #sink: ResponseSink;
  readonly #method: string;
  readonly #parser: CgiResponseParser;
  #bodyless = false;
  #declared = -1;
  #received = 0;
  #excess = 0;

  constructor(policy: StatusLinePolicy, method: string, sink: ResponseSink) {
    this.#sink = sink;
    this.#method = method;
    this.#parser = new CgiResponseParser(policy, {
      onHead: (head) => {
        this.#bodyless = isBodyless(method, head.status);
        this.#declared = this.#bodyless ? 0 : contentLength(head);
        sink.onHead(head);
      },
      onBody: (chunk) => {
        this.#onBody(chunk);
      },
      onWarning: (text) => {
        sink.onWarning(text);
      },
    });
  }

  /** True once nothing more can belong to the response; never where only the end of the stream tells. */
  get full(): boolean {
    return this.#parser.headSeen && this.#declared >= 0 && this.#received === this.#declared;
  }

  /** @throws {ClientFailure} when the head is malformed */
  push(chunk: Uint8Array): void {
    this.#parser.push(chunk);
  }

  #onBody(chunk: Uint8Array): void {
    const room = this.#declared < 0 ? chunk.length : Math.min(chunk.length, this.#declared - this.#received);
    this.#excess += chunk.length - room;
    if (room === 0) return;
    this.#received += room;
    this.#sink.onBody(room === chunk.length ? chunk : chunk.subarray(0, room));
  }

  /**
   * The peer says that the response is over.
   * @throws {ClientFailure} when the head or the body is not whole
   */
  finish(): void {
    if (!this.#parser.headSeen) {
      throw new ClientFailure(
        `reading the response head failed: it ended after ${this.#parser.pending} bytes, wanted headers and an empty line`,
        'the app died or sent nothing before it answered; see the log of the daemon',
      );
    }
    if (this.#declared > this.#received) {
      throw new ClientFailure(
        `reading the response body failed: it ended after ${this.#received} bytes, wanted the ${this.#declared} of Content-Length`,
        'the app failed in the middle of its body, or its Content-Length is wrong',
      );
    }
    this.warnOfExcess();
  }

  /** Tells of bytes past the end of the body; nginx cuts them off and logs a warning. */
  warnOfExcess(): void {
    if (this.#excess === 0) return;
    const why = this.#bodyless
      ? `a response to ${this.#method} with this status has no body`
      : `Content-Length says ${this.#declared}`;
    this.#sink.onWarning(`the daemon sent ${this.#excess} bytes too many: ${why}; nginx drops them`);
    this.#excess = 0;
  }
}
