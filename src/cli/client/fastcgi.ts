// The FastCGI side of the probe client, on fastcgi-stream: an encoder and decoder this project did not write, so that
// a mistake of our own codec cannot cancel itself out. Its known defects are guarded here and in record-guard.ts.
import type { Socket } from 'node:net';
import type fastcgiStream from 'fastcgi-stream';
import type { Client, ClientRequest, ResponseSink } from './client.ts';
import { ClientFailure } from './failure.ts';
import { RecordGuard, REQUEST_ID } from './record-guard.ts';
import { ResponseReader } from './response-reader.ts';
import { converse, drained } from './wire.ts';

type Library = typeof fastcgiStream;
type WireRecord = InstanceType<Library['records']['Params']>;

/** A record of more would be written with a wrong length; nginx refuses to send more params as well. */
const PARAMS_SIZE_MAX = 65_534;
/** What nginx puts into one STDIN record; fastcgi-stream writes wrong padding for lengths that 8 does not divide. */
const STDIN_CHUNK = 32_768;
const PROTOCOL_STATUS: Readonly<Record<number, string>> = {
  1: 'FCGI_CANT_MPX_CONN',
  2: 'FCGI_OVERLOADED',
  3: 'FCGI_UNKNOWN_ROLE',
};

/** fastcgi-stream takes text and writes UTF-8: bytes that are none cannot be sent through it. */
function toText(bytes: string, name: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(bytes, 'latin1'));
  } catch {
    const hex = Buffer.from(bytes, 'latin1').toString('hex');
    throw new ClientFailure(
      `encoding the param ${name} failed: its bytes ${hex} are not UTF-8, wanted UTF-8 over FastCGI`,
      'use --protocol uwsgi or scgi for other bytes',
    );
  }
}

function encodeParams(library: Library, request: ClientRequest): WireRecord {
  const pairs = request.params.map(([name, value]) => [toText(name, name), toText(value, name)] as const);
  const record = new library.records.Params(pairs);
  const size = record.getSize();
  if (size > PARAMS_SIZE_MAX) {
    throw new ClientFailure(
      `encoding the params failed: they take ${size} bytes, wanted at most ${PARAMS_SIZE_MAX}`,
      'nginx refuses such a request too: "fastcgi request record is too big"',
    );
  }
  return record;
}

/** fastcgi-stream's view of the socket: it writes to it, but reads only what the guard lets through. */
class Pipe {
  #listener: (chunk: Buffer) => void = () => {};
  socket: Socket | null = null;

  on(_event: 'data', listener: (chunk: Buffer) => void): void {
    this.#listener = listener;
  }

  write(bytes: Buffer): boolean {
    return this.socket?.write(bytes) ?? false;
  }

  feed(record: Buffer): void {
    this.#listener(record);
  }
}

class FastcgiConversation {
  readonly protocol = 'fastcgi';
  readonly address: ClientRequest['address'];
  readonly #library: Library;
  readonly #request: ClientRequest;
  readonly #sink: ResponseSink;
  readonly #params: WireRecord;
  readonly #pipe = new Pipe();
  readonly #stream: InstanceType<Library['FastCGIStream']>;
  readonly #guard = new RecordGuard((record) => {
    this.#pipe.feed(record);
  });
  readonly #reader: ResponseReader;
  #received = 0;
  #over = false;

  constructor(library: Library, request: ClientRequest, sink: ResponseSink) {
    this.#library = library;
    this.#request = request;
    this.#sink = sink;
    this.address = request.address;
    this.#params = encodeParams(library, request);
    this.#reader = new ResponseReader('skip', request.method, sink);
    this.#stream = new library.FastCGIStream(this.#pipe);
    this.#stream.on('record', (_id, record) => {
      this.#onRecord(record);
    });
  }

  async send(socket: Socket): Promise<void> {
    const { BeginRequest, Params, StdIn } = this.#library.records;
    this.#pipe.socket = socket;
    const flags = this.#request.keepConn ? BeginRequest.flags.KEEPCONN : 0;
    this.#stream.writeRecord(REQUEST_ID, new BeginRequest(BeginRequest.roles.RESPONDER, flags));
    // An empty PARAMS record ends the stream, so no params at all must not be sent as two of them.
    if (this.#params.getSize() > 0) this.#stream.writeRecord(REQUEST_ID, this.#params);
    this.#stream.writeRecord(REQUEST_ID, new Params());
    const { body } = this.#request;
    for (let start = 0; start < body.length; start += STDIN_CHUNK) {
      if (socket.destroyed) return;
      const record = new StdIn(body.subarray(start, start + STDIN_CHUNK));
      // oxlint-disable-next-line no-await-in-loop -- back-pressure: the next record waits for this one
      if (!this.#stream.writeRecord(REQUEST_ID, record)) await drained(socket);
    }
    this.#stream.writeRecord(REQUEST_ID, new StdIn());
  }

  receive(chunk: Buffer): boolean {
    this.#received += chunk.length;
    const left = this.#guard.push(chunk, () => this.#over);
    if (left > 0)
      this.#sink.onWarning(`the daemon sent ${left} bytes after END_REQUEST; nginx drops the connection`);
    return this.#over;
  }

  #onRecord(record: WireRecord): void {
    const { StdOut, StdErr, EndRequest } = this.#library.records;
    if (record instanceof StdOut) this.#reader.push(Buffer.from(record.data));
    else if (record instanceof StdErr) this.#sink.onStderr(Buffer.from(record.data));
    else if (record instanceof EndRequest) this.#onEnd(record.appStatus, record.protocolStatus);
  }

  #onEnd(appStatus: number, protocolStatus: number): void {
    this.#over = true;
    if (protocolStatus !== 0) {
      const name = PROTOCOL_STATUS[protocolStatus] ?? 'no status of FastCGI 1.0';
      throw new ClientFailure(
        `the daemon ended the request with protocolStatus ${protocolStatus} (${name}), wanted 0 (FCGI_REQUEST_COMPLETE)`,
        'the daemon refused the request: look at its limits and its log',
      );
    }
    this.#reader.finish();
    if (appStatus !== 0)
      this.#sink.onWarning(`END_REQUEST has appStatus ${appStatus}, 0 is usual; nginx ignores it`);
  }

  ended(): void {
    if (this.#received === 0) {
      throw new ClientFailure(
        'reading the response failed: the daemon closed the connection without an answer, wanted FastCGI records',
        'is it a fastcgi listener?',
      );
    }
    throw new ClientFailure(
      `reading the response failed: the connection closed before END_REQUEST, with ${this.#guard.pending} bytes of a record, wanted END_REQUEST`,
      'the response was cut off: the app or its worker died; see the log of the daemon',
    );
  }
}

/** Sends one FastCGI Responder request (FastCGI 1.0 section 6.2). */
export const requestFastcgi: Client = async (request, sink, signal) => {
  const { default: library } = await import('fastcgi-stream');
  await converse(new FastcgiConversation(library, request, sink), signal);
};
