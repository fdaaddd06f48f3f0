// A daemon that does what a script says, byte for byte, and the terminal of a verb under test. Builds and reads
// FastCGI records by itself: the code under test must not check itself.
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** One accepted connection, as the script sees it. */
export class PeerConnection {
  readonly #socket: Socket;
  #bytes = Buffer.alloc(0);

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk]);
    });
    // A client that has seen enough closes; that must not fail the script.
    socket.on('error', () => {});
  }

  get received(): Buffer {
    return this.#bytes;
  }

  async until(complete: (bytes: Buffer) => boolean): Promise<void> {
    // oxlint-disable-next-line no-await-in-loop -- each turn waits for more bytes
    while (!complete(this.#bytes)) await once(this.#socket, 'data');
  }

  write(bytes: Uint8Array | string): void {
    this.#socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
  }

  end(bytes: Uint8Array | string = ''): void {
    this.#socket.end(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
  }

  /** Writes and closes both directions at once, whatever the client still wants to send. */
  destroyAfter(bytes: string): void {
    this.#socket.write(Buffer.from(bytes, 'latin1'), () => {
      this.#socket.destroy();
    });
  }

  /** Resolves once the client has closed. */
  hungUp(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#socket.readableEnded || this.#socket.closed) resolve();
      this.#socket.on('end', resolve);
      this.#socket.on('close', () => {
        resolve();
      });
    });
  }
}

export type Script = (connection: PeerConnection) => Promise<void> | void;

export interface Peer {
  /** unix:PATH */
  readonly address: string;
  /** What the last connection sent. */
  received(): Buffer;
  /** Rejects where a script failed. */
  stop(): Promise<void>;
}

export async function startPeer(script: Script): Promise<Peer> {
  const folder = mkdtempSync(join(tmpdir(), 'viaduct-peer-'));
  const path = join(folder, 's');
  const sockets = new Set<Socket>();
  let last: PeerConnection | null = null;
  let failure: unknown = null;
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    const connection = new PeerConnection(socket);
    last = connection;
    Promise.resolve(script(connection)).catch((error: unknown) => {
      failure = error;
      socket.destroy();
    });
  });
  server.listen(path);
  await once(server, 'listening');
  return {
    address: `unix:${path}`,
    received: () => last?.received ?? Buffer.alloc(0),
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
      rmSync(folder, { recursive: true });
      if (failure !== null) throw failure;
    },
  };
}

/** Collects what a verb prints. */
export class FakeIo {
  readonly cwd: string = tmpdir();
  readonly env: NodeJS.ProcessEnv = {};
  readonly stdin: AsyncIterable<Uint8Array>;
  #out = Buffer.alloc(0);
  #err = '';
  #watchers: (() => void)[] = [];

  constructor(stdin: readonly Uint8Array[] = []) {
    this.stdin = (async function* () {
      yield* stdin;
    })();
  }

  readonly stdout = (text: string | Uint8Array): void => {
    this.#out = Buffer.concat([this.#out, typeof text === 'string' ? Buffer.from(text) : text]);
    for (const wake of this.#watchers.splice(0)) wake();
  };

  readonly stderr = (text: string): void => {
    this.#err += text;
  };

  /** Standard output as latin-1 text. */
  get out(): string {
    return this.#out.toString('latin1');
  }

  get err(): string {
    return this.#err;
  }

  async untilOut(text: string): Promise<void> {
    while (!this.out.includes(text)) {
      // oxlint-disable-next-line no-await-in-loop -- each turn waits for more output
      await new Promise<void>((resolve) => {
        this.#watchers.push(resolve);
      });
    }
  }
}

export interface FcgiRecord {
  readonly type: number;
  readonly id: number;
  readonly content: Buffer;
}

/** One record (FastCGI 1.0 section 3.3). */
export function record(
  type: number,
  content: string | Uint8Array,
  { id = 1, version = 1, padding = 0 }: { id?: number; version?: number; padding?: number } = {},
): Buffer {
  const body = typeof content === 'string' ? Buffer.from(content, 'latin1') : Buffer.from(content);
  const head = [version, type, id >> 8, id & 255, body.length >> 8, body.length & 255, padding, 0];
  return Buffer.concat([Buffer.from(head), body, Buffer.alloc(padding)]);
}

export const stdout = (text: string): Buffer => record(6, text);
export const stderr = (text: string): Buffer => record(7, text);
export const endRequest = (appStatus = 0, protocolStatus = 0): Buffer =>
  record(3, Buffer.from([0, 0, 0, appStatus, protocolStatus, 0, 0, 0]));

/** Every whole record of some bytes. */
export function readRecords(bytes: Buffer): FcgiRecord[] {
  const records: FcgiRecord[] = [];
  let at = 0;
  while (at + 8 <= bytes.length) {
    const length = bytes.readUInt16BE(at + 4);
    const next = at + 8 + length + bytes.readUInt8(at + 6);
    if (next > bytes.length) break;
    const content = bytes.subarray(at + 8, at + 8 + length);
    records.push({ type: bytes.readUInt8(at + 1), id: bytes.readUInt16BE(at + 2), content });
    at = next;
  }
  return records;
}

/** True once the empty STDIN record has come. */
export function hasStdinEnd(bytes: Buffer): boolean {
  return readRecords(bytes).some(({ type, content }) => type === 5 && content.length === 0);
}

/** Name-value pairs (section 3.4) as latin-1 text. */
export function readPairs(bytes: Buffer): [string, string][] {
  const pairs: [string, string][] = [];
  let at = 0;
  const length = (): number => {
    const first = bytes.readUInt8(at);
    at += first < 128 ? 1 : 4;
    return first < 128 ? first : bytes.readUInt32BE(at - 4) - 2 ** 31;
  };
  while (at < bytes.length) {
    const name = length();
    const value = length();
    const text = bytes.toString('latin1', at, at + name + value);
    pairs.push([text.slice(0, name), text.slice(name)]);
    at += name + value;
  }
  return pairs;
}
