// The socket that 'upgrade' listeners of an http.Server get: they write the head of their answer as bytes, and what that says
// decides what it is from then on: the client's connection, or the way of an ordinary response.
import { Buffer } from 'node:buffer';
import type { Environ, HeaderList, Tunnel } from '../../gateway/contract.ts';
import { DuplexSocket } from './duplex-socket.ts';
import { type SocketFacts, socketFacts } from './socket-facts.ts';

/** Bytes a head may have. */
const MAX_HEAD = 64 * 1024;
const END = '\r\n\r\n';

export interface UpgradeOwner {
  /** The listener says 101: gives what the client is connected to. */
  upgraded(headers: HeaderList): Tunnel;
  /** It says anything else. */
  answered(status: string, headers: HeaderList): void;
  /** The next part of that answer's body. */
  wrote(chunk: Uint8Array, done: (error?: Error) => void): void;
  /** No more comes: the answer is complete, or there will be none. `error` is what went wrong. */
  ended(error: Error | null): void;
}

export class UpgradeSocket extends DuplexSocket {
  readonly #owner: UpgradeOwner;
  #head: Buffer = Buffer.alloc(0);
  #answering = false;
  #tunnel: Tunnel | null = null;
  readonly connecting = false;
  readonly pending = false;
  readonly encrypted: boolean;
  readonly remoteAddress: string | undefined;
  readonly remotePort: number | undefined;
  readonly remoteFamily: SocketFacts['remoteFamily'];
  readonly localAddress: string | undefined;
  readonly localPort: number | undefined;
  readonly localFamily: SocketFacts['localFamily'];

  constructor(environ: Environ, owner: UpgradeOwner) {
    super();
    this.#owner = owner;
    const facts = socketFacts(environ);
    this.encrypted = facts.encrypted;
    this.remoteAddress = facts.remoteAddress;
    this.remotePort = facts.remotePort;
    this.remoteFamily = facts.remoteFamily;
    this.localAddress = facts.localAddress;
    this.localPort = facts.localPort;
    this.localFamily = facts.localFamily;
  }

  get bytesRead(): number {
    return this.#tunnel?.bytesRead ?? 0;
  }

  get bytesWritten(): number {
    return this.#tunnel?.bytesWritten ?? 0;
  }

  get readyState(): string {
    return this.destroyed ? 'closed' : this.writableEnded ? 'readOnly' : 'open';
  }

  address(): { address?: string; family?: string; port?: number } {
    const { localAddress, localFamily, localPort } = this;
    if (localAddress === undefined || localFamily === undefined || localPort === undefined) return {};
    return { address: localAddress, family: localFamily, port: localPort };
  }

  destroySoon(): void {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once('finish', () => this.destroy());
  }

  override _read(): void {
    this.#tunnel?.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.idle.touch();
    try {
      if (this.#tunnel !== null) this.#forward(this.#tunnel, chunk, done);
      else if (this.#answering) this.#owner.wrote(chunk, done);
      else this.#readHead(chunk, done);
    } catch (error) {
      done(error as Error);
    }
  }

  override _final(done: () => void): void {
    if (this.#tunnel === null) {
      this.#owner.ended(
        this.#answering ? null : new Error('The upgrade listener ended its socket without an answer'),
      );
      done();
    } else if (this.#tunnel.destroyed) {
      done();
    } else {
      this.#tunnel.end(() => done());
    }
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.idle.set(0);
    if (this.#tunnel !== null) this.#tunnel.destroy();
    // What was written before is the answer, as it is with a real connection: "write the refusal, destroy" is common.
    else if (this.#answering) this.#owner.ended(error);
    else if (!this.writableFinished)
      this.#owner.ended(error ?? new Error('The upgrade listener destroyed its socket without an answer'));
    done(error);
  }

  /** A write that fails is followed by 'close', which tells the listener. */
  #forward(tunnel: Tunnel, chunk: Uint8Array, done: () => void): void {
    if (tunnel.destroyed) done();
    else tunnel.write(chunk, () => done());
  }

  #readHead(chunk: Buffer, done: (error?: Error | null) => void): void {
    this.#head = Buffer.concat([this.#head, chunk]);
    const end = this.#head.indexOf(END);
    if (end === -1) {
      const tooLong = this.#head.length > MAX_HEAD;
      done(tooLong ? new Error(`Cannot answer: the head has more than ${MAX_HEAD} bytes`) : null);
      return;
    }
    const [status, headers] = parseHead(this.#head.toString('latin1', 0, end));
    const rest = this.#head.subarray(end + END.length);
    this.#head = Buffer.alloc(0);
    if (status.startsWith('101 ')) {
      const tunnel = this.#owner.upgraded(headers);
      this.#open(tunnel);
      if (rest.length === 0) done();
      else this.#forward(tunnel, rest, done);
    } else {
      this.#answering = true;
      this.#owner.answered(status, headers);
      if (rest.length === 0) done();
      else this.#owner.wrote(rest, done);
    }
  }

  #open(tunnel: Tunnel): void {
    this.#tunnel = tunnel;
    tunnel.on('data', (chunk: Buffer) => {
      this.idle.touch();
      if (!this.push(chunk)) tunnel.pause();
    });
    tunnel.on('end', () => {
      this.push(null);
      this.read(0);
    });
    tunnel.on('shutdown', () => this.emit('shutdown'));
    tunnel.on('close', () => this.destroy());
  }
}

/** @throws {Error} where it is no HTTP/1 response head */
function parseHead(text: string): [status: string, headers: HeaderList] {
  const [first = '', ...lines] = text.split('\r\n');
  const status = /^HTTP\/1\.[01] ([1-9][0-9]{2})(?: (.*))?$/.exec(first);
  if (status === null) {
    throw new Error(
      `Cannot answer: the first line is ${JSON.stringify(first.slice(0, 60))}, wanted "HTTP/1.1 NNN Reason"`,
    );
  }
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(':');
    return [line.slice(0, Math.max(0, colon)), line.slice(colon + 1).trim()];
  });
  return [`${status[1]} ${status[2] || 'Unknown'}`, headers];
}
