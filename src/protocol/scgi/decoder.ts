// Decodes one SCGI request: a netstring of NUL-terminated headers, then CONTENT_LENGTH bytes of body (python.ca/scgi/protocol.txt).
// Knows no socket, answers nothing.
//
//   length --":"--> block --headers and ","--> body --CONTENT_LENGTH bytes--> body (excess is dropped)
//   length, block, body --fault or early end--> done (onError)
import { BlockCollector } from '../block-collector.ts';
import { parseContentLength } from '../content-length.ts';
import { ProtocolError } from '../errors.ts';
import type { ProtocolErrorCode } from '../errors.ts';
import type { ProtocolLimits } from '../limits.ts';
import { checkParam } from '../params.ts';
import { StreamBody } from '../stream-body.ts';
import type { StreamDecoder, StreamSink } from '../stream-events.ts';

type State = 'length' | 'block' | 'body' | 'done';

const MAX_DIGITS = 7;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;

export class ScgiDecoder implements StreamDecoder {
  readonly #sink: StreamSink;
  readonly #limits: ProtocolLimits;
  readonly #block = new BlockCollector();
  readonly #body: StreamBody;
  #state: State = 'length';
  #digits = 0;
  #size = 0;

  constructor(sink: StreamSink, limits: ProtocolLimits) {
    this.#sink = sink;
    this.#limits = limits;
    this.#body = new StreamBody(sink);
  }

  push(chunk: Buffer): void {
    let offset = 0;
    if (this.#state === 'length') offset = this.#readLength(chunk);
    if (this.#state === 'block') offset = this.#readBlock(chunk, offset);
    if (this.#state === 'body') this.#body.push(chunk, offset);
  }

  end(): void {
    const state = this.#state;
    this.#state = 'done';
    if (state === 'length' && this.#digits > 0)
      this.#truncated(`${this.#digits} digits of the netstring length`);
    else if (state === 'block') this.#truncated(`${this.#block.length} of ${this.#size} bytes of headers`);
    else if (state === 'body' && !this.#body.complete) this.#truncated(this.#body.progress);
  }

  /** Returns the offset behind what it read. */
  #readLength(chunk: Buffer): number {
    let offset = 0;
    while (offset < chunk.length && this.#state === 'length') this.#takeLengthByte(chunk.readUInt8(offset++));
    return offset;
  }

  #takeLengthByte(byte: number): void {
    if (byte === COLON && this.#digits > 0) return this.#beginBlock();
    const leadingZero = byte === ZERO && this.#digits === 0;
    if (byte < ZERO || byte > NINE || leadingZero || this.#digits === MAX_DIGITS) {
      const found = JSON.stringify(String.fromCharCode(byte));
      return this.#fail(
        'ERR_SCGI_NETSTRING',
        `Cannot read the SCGI netstring length: byte ${this.#digits} is ${found}, want 1 to ${MAX_DIGITS} digits without a leading zero, then ":"`,
      );
    }
    this.#size = this.#size * 10 + byte - ZERO;
    this.#digits++;
  }

  #beginBlock(): void {
    if (this.#size <= this.#limits.paramsSize) this.#state = 'block';
    else {
      this.#fail(
        'ERR_PARAMS_SIZE',
        `Cannot take the SCGI headers: their length is ${this.#size}, the limit is ${this.#limits.paramsSize} bytes`,
      );
    }
  }

  #readBlock(chunk: Buffer, start: number): number {
    const size = this.#size + 1; // with the comma
    const rest = size - this.#block.length;
    const text = this.#block.collect(chunk, start, size);
    if (text !== null) this.#beginRequest(text);
    return start + rest;
  }

  #beginRequest(text: string): void {
    if (!text.endsWith(',')) {
      return this.#fail(
        'ERR_SCGI_NETSTRING',
        `Cannot read the SCGI netstring: ${JSON.stringify(text.slice(-1))} follows its ${this.#size} bytes, want ","`,
      );
    }
    const params = this.#parseHeaders(text.slice(0, -1));
    if (params === null) return;
    const length = parseContentLength(params[1] ?? '');
    if (length instanceof ProtocolError) return this.#stop(length);
    this.#state = 'body';
    this.#sink.onRequest(params, length);
    this.#body.begin(length);
  }

  /** The headers as a params list, or null when onError was called. */
  #parseHeaders(text: string): string[] | null {
    const params: string[] = [];
    let scgi = '';
    let offset = 0;
    for (let count = 0; offset < text.length; count++) {
      if (count === this.#limits.paramsCount) {
        return this.#refuse('ERR_PARAMS_COUNT', `more than the limit of ${count}`);
      }
      const nameEnd = text.indexOf('\0', offset);
      const valueEnd = nameEnd < 0 ? -1 : text.indexOf('\0', nameEnd + 1);
      if (valueEnd < 0)
        return this.#refuse('ERR_SCGI_HEADERS', `the pair at byte ${offset} is not ended by a NUL`);
      const name = text.slice(offset, nameEnd);
      const value = text.slice(nameEnd + 1, valueEnd);
      if (name === '') return this.#refuse('ERR_SCGI_HEADERS', `the name at byte ${offset} is empty`);
      if ((name === 'CONTENT_LENGTH') !== (count === 0)) {
        return this.#refuse(
          'ERR_SCGI_HEADERS',
          `header ${count} is ${quote(name)}, want CONTENT_LENGTH first and once`,
        );
      }
      if (count === 0 && value === '') {
        return this.#refuse('ERR_CONTENT_LENGTH', 'CONTENT_LENGTH is empty, want digits');
      }
      if (name === 'SCGI') scgi = value;
      this.#keep(params, name, value);
      offset = valueEnd + 1;
    }
    if (scgi !== '1') return this.#refuse('ERR_SCGI_HEADERS', `SCGI is ${quote(scgi)}, want "1"`);
    return params;
  }

  #keep(params: string[], name: string, value: string): void {
    const fault = checkParam(name, value);
    if (fault === null) params.push(name, value);
    else this.#sink.onNotice(fault);
  }

  #truncated(found: string): void {
    this.#fail('ERR_SCGI_TRUNCATED', `Cannot finish the SCGI request: the peer ended it after ${found}`);
  }

  #refuse(code: ProtocolErrorCode, what: string): null {
    this.#fail(code, `Cannot take the SCGI headers: ${what}`);
    return null;
  }

  #fail(code: ProtocolErrorCode, message: string): void {
    this.#stop(new ProtocolError(code, message));
  }

  #stop(error: ProtocolError): void {
    this.#state = 'done';
    this.#sink.onError(error);
  }
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 60));
}
