// Decodes one uwsgi request: a 4-byte header, a block of vars, CONTENT_LENGTH bytes of body. Knows no socket, answers nothing.
//
//   header --100, 17--> done        (onReply)
//   header --0, 5, 30--> block --vars--> body --CONTENT_LENGTH bytes--> body (excess is dropped)
//   header, block, body --fault or early end--> done (onError)
import { BlockCollector } from '../block-collector.ts';
import { contentLengthOf } from '../content-length.ts';
import { ProtocolError } from '../errors.ts';
import type { ProtocolErrorCode } from '../errors.ts';
import type { ProtocolLimits } from '../limits.ts';
import { StreamBody } from '../stream-body.ts';
import type { StreamDecoder, StreamSink } from '../stream-events.ts';
import { HEADER_SIZE, Modifier, PING_REPLY, SPOOLER_REPLY } from './constants.ts';
import { parseVars, stripScriptName } from './vars.ts';

type State = 'header' | 'block' | 'body' | 'done';

export class UwsgiDecoder implements StreamDecoder {
  readonly #sink: StreamSink;
  readonly #limits: ProtocolLimits;
  readonly #block = new BlockCollector();
  readonly #body: StreamBody;
  #state: State = 'header';
  /** The header as a little-endian word: modifier1, datasize (16 bits), modifier2. */
  #header = 0;
  #headerLength = 0;

  constructor(sink: StreamSink, limits: ProtocolLimits) {
    this.#sink = sink;
    this.#limits = limits;
    this.#body = new StreamBody(sink);
  }

  push(chunk: Buffer): void {
    let offset = 0;
    if (this.#state === 'header') offset = this.#readHeader(chunk);
    if (this.#state === 'block') offset = this.#readBlock(chunk, offset);
    if (this.#state === 'body') this.#body.push(chunk, offset);
  }

  end(): void {
    const state = this.#state;
    this.#state = 'done';
    if (state === 'header' && this.#headerLength > 0)
      this.#truncated(`${this.#headerLength} of 4 header bytes`);
    else if (state === 'block') this.#truncated(`${this.#block.length} of ${this.#dataSize} bytes of vars`);
    else if (state === 'body' && !this.#body.complete) this.#truncated(this.#body.progress);
  }

  get #dataSize(): number {
    return (this.#header >>> 8) & 0xffff;
  }

  /** Returns the offset behind what it read. */
  #readHeader(chunk: Buffer): number {
    let offset = 0;
    while (offset < chunk.length && this.#headerLength < HEADER_SIZE) {
      this.#header |= chunk.readUInt8(offset++) << (8 * this.#headerLength++);
    }
    if (this.#headerLength === HEADER_SIZE) this.#dispatch();
    return offset;
  }

  #dispatch(): void {
    const modifier = this.#header & 0xff;
    if (modifier === Modifier.PING) this.#reply(PING_REPLY);
    else if (modifier === Modifier.SPOOLER) this.#reply(SPOOLER_REPLY);
    else if (modifier === Modifier.WSGI || modifier === Modifier.PSGI || modifier === Modifier.WSGI_STRIP) {
      this.#beginBlock();
    } else this.#refuseModifier(modifier);
  }

  #beginBlock(): void {
    const size = this.#dataSize;
    if (size === 0) {
      this.#fail(
        'ERR_UWSGI_EMPTY_BLOCK',
        'Cannot read the uwsgi vars: datasize is 0, want at least one variable',
      );
    } else if (size > this.#limits.paramsSize) {
      this.#fail(
        'ERR_PARAMS_SIZE',
        `Cannot take the uwsgi vars: datasize is ${size}, the limit is ${this.#limits.paramsSize} bytes`,
      );
    } else this.#state = 'block';
  }

  #readBlock(chunk: Buffer, start: number): number {
    const size = this.#dataSize;
    const rest = size - this.#block.length;
    const text = this.#block.collect(chunk, start, size);
    if (text !== null) this.#beginRequest(text);
    return start + rest;
  }

  #beginRequest(text: string): void {
    const params = parseVars(text, this.#limits.paramsCount, this.#sink);
    if (params instanceof ProtocolError) return this.#stop(params);
    const length = contentLengthOf(params);
    if (length instanceof ProtocolError) return this.#stop(length);
    if ((this.#header & 0xff) === Modifier.WSGI_STRIP) stripScriptName(params);
    this.#state = 'body';
    this.#sink.onRequest(params, length);
    this.#body.begin(length);
  }

  #reply(bytes: Uint8Array): void {
    this.#state = 'done';
    this.#sink.onReply(bytes);
  }

  #refuseModifier(modifier: number): void {
    const head = String.fromCharCode(
      modifier,
      this.#dataSize & 0xff,
      this.#dataSize >>> 8,
      this.#header >>> 24,
    );
    if (/^[A-Za-z][A-Za-z ]{3}$/.test(head)) {
      this.#fail(
        'ERR_UWSGI_HTTP',
        `Cannot read the uwsgi header: ${JSON.stringify(head)} looks like HTTP, so a peer speaks HTTP to a uwsgi socket ` +
          '(in nginx: proxy_pass where uwsgi_pass is wanted)',
      );
    } else this.#fail('ERR_UWSGI_MODIFIER', `Cannot serve uwsgi modifier1 ${modifier}: want 0, 5, 30 or 100`);
  }

  #truncated(found: string): void {
    this.#fail('ERR_UWSGI_TRUNCATED', `Cannot finish the uwsgi request: the peer ended it after ${found}`);
  }

  #fail(code: ProtocolErrorCode, message: string): void {
    this.#stop(new ProtocolError(code, message));
  }

  #stop(error: ProtocolError): void {
    this.#state = 'done';
    this.#sink.onError(error);
  }
}
