// Cuts a FastCGI byte stream into whole records and lets only those through that a web server may receive.
// It stands before fastcgi-stream, whose decoder does not check the version and crashes on a type it does not know.
import { ClientFailure } from './failure.ts';

/** The request id of this client: nginx uses 1 as well. */
export const REQUEST_ID = 1;

const HEADER_SIZE = 8;
const VERSION = 1;
const END_REQUEST = 3;
/** FCGI_END_REQUEST, FCGI_STDOUT, FCGI_STDERR: all that ngx_http_fastcgi_module.c takes (FastCGI 1.0 section 8). */
const ACCEPTED: ReadonlySet<number> = new Set([END_REQUEST, 6, 7]);

const VERSION_HINTS: Readonly<Record<number, string>> = {
  0x48: 'the peer speaks HTTP, uwsgi or SCGI (an H came first): is it a fastcgi listener?',
  0x53: 'the peer speaks SCGI or CGI (an S came first): is it a fastcgi listener?',
  0xff: 'a daemon breaks a response off like this when the app failed after its headers; see its log',
};

function bad(found: string, wanted: string, hint: string): ClientFailure {
  return new ClientFailure(`reading a FastCGI record failed: ${found}, wanted ${wanted}`, hint);
}

function checkVersion(version: number): void {
  if (version === VERSION) return;
  const hint =
    VERSION_HINTS[version] ?? 'records were interleaved or have a wrong length; see the log of the daemon';
  throw bad(`its version is ${version}`, `${VERSION}`, hint);
}

/** Header layout: version, type, requestId u16, contentLength u16, paddingLength, reserved (section 3.3). */
function checkHeader(type: number, id: number, length: number): void {
  const hint = 'nginx drops the request with 502 over it';
  if (!ACCEPTED.has(type))
    throw bad(`its type is ${type}`, '3 (END_REQUEST), 6 (STDOUT) or 7 (STDERR)', hint);
  if (id !== REQUEST_ID) throw bad(`its request id is ${id}`, `${REQUEST_ID}`, hint);
  if (type === END_REQUEST && length !== 8)
    throw bad(`END_REQUEST has ${length} bytes`, '8 (section 5.5)', hint);
}

export class RecordGuard {
  readonly #onRecord: (record: Buffer) => void;
  #held: Buffer = Buffer.alloc(0);

  constructor(onRecord: (record: Buffer) => void) {
    this.#onRecord = onRecord;
  }

  /** Bytes that do not make a record yet. */
  get pending(): number {
    return this.#held.length;
  }

  /**
   * Hands on every whole record, header and padding included, until `done` says that the request is over.
   * @returns the bytes left over after that
   * @throws {ClientFailure} at the first record that is none
   */
  push(chunk: Buffer, done: () => boolean): number {
    let bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    while (bytes.length > 0 && !done()) {
      checkVersion(bytes.readUInt8(0));
      if (bytes.length < HEADER_SIZE) break;
      const length = bytes.readUInt16BE(4);
      checkHeader(bytes.readUInt8(1), bytes.readUInt16BE(2), length);
      const size = HEADER_SIZE + length + bytes.readUInt8(6);
      if (bytes.length < size) break;
      this.#onRecord(bytes.subarray(0, size));
      bytes = bytes.subarray(size);
    }
    this.#held = bytes;
    return done() ? bytes.length : 0;
  }
}
