// FastCGI 1.0, server side: bytes in, events out. It knows no socket and no clock; states.ts says what a record means.
import { ByteCollector } from '../byte-collector.ts';
import { ProtocolError, type ProtocolErrorCode } from '../errors.ts';
import type { ProtocolLimits } from '../limits.ts';
import { uint16 } from '../uint16.ts';
import {
  FCGI_VERSION,
  HEADER_LENGTH,
  KEEP_CONN,
  ProtocolStatus,
  RecordType,
  RESPONDER,
} from './constants.ts';
import type { FastcgiSink } from './events.ts';
import { IdTable } from './id-table.ts';
import { decodePairs } from './params.ts';
import { Action, actionFor, isFromApplication, RequestState, State } from './states.ts';

const BEGIN_LENGTH = 8;

/** What to do with the content of the record that is being read. */
const Content = { Skip: 0, Begin: 1, GetValues: 2, Params: 3, Stdin: 4 } as const;
type Content = (typeof Content)[keyof typeof Content];

export class FastcgiDecoder {
  readonly #sink: FastcgiSink;
  readonly #limits: ProtocolLimits;
  readonly #active = new IdTable<RequestState>();
  #dead = false;
  /** A request was answered before all of it came. nginx sends no more of it then, and closes, inside a record too. */
  #leftover = false;
  #notices = 0;

  // The record being read. A header that comes in pieces waits in #header.
  readonly #header = Buffer.alloc(HEADER_LENGTH);
  #headerLength = 0;
  #content: Content = Content.Skip;
  #id = 0;
  #request: RequestState | null = null;
  #contentLeft = 0;
  #paddingLeft = 0;
  readonly #discrete = new ByteCollector();
  /** The collector that refers to the current chunk. */
  #borrower: ByteCollector | null = null;

  constructor(sink: FastcgiSink, limits: ProtocolLimits) {
    this.#sink = sink;
    this.#limits = limits;
  }

  /** True between records with no request active: the peer may leave. */
  get idle(): boolean {
    return this.#active.size === 0 && !this.#inRecord();
  }

  /** Takes the next bytes of the connection. Never throws: what is wrong goes to the sink. */
  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length && !this.#dead) {
      if (this.#contentLeft > 0) at = this.#takeContent(chunk, at);
      else if (this.#paddingLeft > 0) at = this.#skipPadding(chunk, at);
      else at = this.#takeHeader(chunk, at);
    }
    this.#borrower?.own();
    this.#borrower = null;
  }

  /** The peer sends no more. */
  end(): void {
    if (this.#dead) return;
    let open = this.#inRecord() && !this.#leftover;
    for (const request of this.#active.values()) {
      if (request.state === State.Params || request.state === State.Stdin) open = true;
    }
    if (open) {
      this.#fail(
        'ERR_FCGI_TRUNCATED',
        'Cannot finish request: the peer closed before its params and stdin ended',
      );
    }
  }

  /** END_REQUEST for `id` was sent: later records for it are ignored, and the id may be used again (section 3.3). */
  release(id: number): void {
    this.#leftover ||= this.#active.get(id)?.state !== State.Ended;
    this.#active.delete(id);
  }

  #inRecord(): boolean {
    return this.#headerLength > 0 || this.#contentLeft > 0 || this.#paddingLeft > 0;
  }

  #takeHeader(chunk: Buffer, at: number): number {
    if (this.#headerLength === 0 && chunk.length - at >= HEADER_LENGTH) {
      this.#openRecord(chunk, at);
      return at + HEADER_LENGTH;
    }
    const taken = Math.min(HEADER_LENGTH - this.#headerLength, chunk.length - at);
    chunk.copy(this.#header, this.#headerLength, at, at + taken);
    this.#headerLength += taken;
    if (this.#headerLength === HEADER_LENGTH) {
      this.#headerLength = 0;
      this.#openRecord(this.#header, 0);
    }
    return at + taken;
  }

  #openRecord(header: Buffer, at: number): void {
    const version = header[at] as number;
    if (version !== FCGI_VERSION) {
      this.#fail('ERR_FCGI_VERSION', `Cannot read record: version is ${version}, wanted 1`);
      return;
    }
    const type = header[at + 1] as number;
    const length = uint16(header, at + 4);
    this.#id = uint16(header, at + 2);
    this.#contentLeft = length;
    this.#paddingLeft = header[at + 6] as number;
    this.#request = null;
    this.#content = Content.Skip;
    if (type === RecordType.BeginRequest) this.#openBegin(length);
    else if (this.#id === 0) this.#openManagement(type);
    else this.#openApplication(type, length);
    if (length === 0 && !this.#dead) this.#closeRecord();
  }

  #openBegin(length: number): void {
    if (this.#id === 0 || length !== BEGIN_LENGTH) {
      const found = `request id ${this.#id}, ${length} bytes`;
      this.#fail(
        'ERR_FCGI_BEGIN',
        `Cannot begin request: BEGIN_REQUEST has ${found}, wanted a non-zero id and 8 bytes`,
      );
    } else if (this.#active.has(this.#id)) {
      this.#fail('ERR_FCGI_ID_REUSE', `Cannot begin request: request id ${this.#id} is still active`);
    } else {
      this.#leftover = false;
      this.#content = Content.Begin;
    }
  }

  #openManagement(type: number): void {
    if (type === RecordType.GetValues) {
      this.#content = Content.GetValues;
    } else if (type > RecordType.UnknownType || type === 0) {
      this.#notice('ERR_FCGI_UNKNOWN_TYPE', `Skipped management record of unknown type ${type}`);
      if (!this.#dead) this.#sink.onUnknownType(type);
    } else if (isFromApplication(type)) {
      this.#noticeDirection(type);
    }
    // The other known types belong to a request; id 0 never is one, so they are ignored like those of any inactive id.
  }

  #openApplication(type: number, length: number): void {
    if (type === RecordType.GetValues || isFromApplication(type)) {
      this.#noticeDirection(type);
      return;
    }
    const request = this.#active.get(this.#id);
    if (request === undefined) return;
    this.#request = request;
    switch (actionFor(type, length, request.state)) {
      case Action.Skip:
        return;
      case Action.Collect:
        this.#openParams(request, length);
        return;
      case Action.FinishParams:
        this.#finishParams(request);
        return;
      case Action.Deliver:
        this.#content = Content.Stdin;
        return;
      case Action.FinishStdin:
        request.state = State.Ended;
        this.#sink.onStdinEnd(this.#id);
        return;
      case Action.Abort:
        request.state = State.Discard;
        this.#sink.onAbort(this.#id);
        return;
      case Action.EarlyStdin:
        this.#fail(
          'ERR_FCGI_EARLY_STDIN',
          `Cannot read request ${this.#id}: STDIN came before its params ended`,
        );
        return;
      case Action.LateParams:
        this.#notice('ERR_FCGI_LATE_PARAMS', `Skipped PARAMS of request ${this.#id}: its params had ended`);
        return;
      case Action.LateStdin:
        this.#notice('ERR_FCGI_LATE_STDIN', `Skipped STDIN of request ${this.#id}: its stdin had ended`);
        return;
      case Action.UnknownType:
        this.#notice(
          'ERR_FCGI_UNKNOWN_TYPE',
          `Skipped record of unknown type ${type} for request ${this.#id}`,
        );
        return;
    }
  }

  #openParams(request: RequestState, length: number): void {
    const size = request.params.length + length;
    if (size > this.#limits.paramsSize) {
      const wanted = `limits.params_size is ${this.#limits.paramsSize}`;
      this.#reject(
        request,
        new ProtocolError('ERR_PARAMS_SIZE', `Cannot take request: ${size} bytes of params, ${wanted}`),
      );
    } else {
      this.#content = Content.Params;
    }
  }

  #finishParams(request: RequestState): void {
    const id = this.#id;
    // The block is consumed here: what push() would do to keep it is not needed any more.
    if (this.#borrower === request.params) this.#borrower = null;
    const { buffer, start, end } = request.params;
    let params: string[];
    try {
      params = decodePairs(buffer, start, end, this.#limits.paramsCount, this.#dropped);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#reject(request, error);
      return;
    }
    if (this.#dead) return;
    request.state = State.Stdin;
    this.#sink.onParams(id, params);
  }

  #takeContent(chunk: Buffer, at: number): number {
    const taken = Math.min(this.#contentLeft, chunk.length - at);
    const end = at + taken;
    this.#contentLeft -= taken;
    switch (this.#content) {
      case Content.Skip:
        break;
      case Content.Stdin:
        // The sink may have released the request, or it was aborted, between two pieces of this record.
        if (this.#request?.state === State.Stdin && this.#active.get(this.#id) === this.#request) {
          this.#sink.onStdin(this.#id, chunk.subarray(at, end));
        }
        break;
      case Content.Params:
        if (this.#request !== null) this.#collect(this.#request.params, chunk, at, end);
        break;
      case Content.Begin:
      case Content.GetValues:
        this.#collect(this.#discrete, chunk, at, end);
        break;
    }
    if (this.#contentLeft === 0) this.#closeRecord();
    return end;
  }

  /** A first piece stays in the chunk for the length of this push(): a request that comes in one chunk is never copied. */
  #collect(collector: ByteCollector, chunk: Buffer, start: number, end: number): void {
    collector.add(chunk, start, end);
    if (this.#borrower !== collector) {
      this.#borrower?.own();
      this.#borrower = collector;
    }
  }

  #closeRecord(): void {
    if (this.#content !== Content.Begin && this.#content !== Content.GetValues) return;
    if (this.#borrower === this.#discrete) this.#borrower = null;
    if (this.#content === Content.Begin) this.#begin(this.#discrete.buffer, this.#discrete.start);
    else this.#getValues();
    this.#discrete.clear();
  }

  #begin(body: Buffer, at: number): void {
    const id = this.#id;
    const role = uint16(body, at);
    const keepConn = ((body[at + 2] as number) & KEEP_CONN) !== 0;
    if (role !== RESPONDER) {
      this.#notice('ERR_FCGI_UNKNOWN_ROLE', `Refused request ${id}: role is ${role}, wanted 1 (Responder)`);
      if (!this.#dead) this.#sink.onRefuse(id, ProtocolStatus.UnknownRole, keepConn);
    } else if (this.#active.size >= this.#limits.requestsPerConnection) {
      this.#notice(
        'ERR_FCGI_OVERLOADED',
        `Refused request ${id}: ${this.#active.size} are active on the connection`,
      );
      if (!this.#dead) this.#sink.onRefuse(id, ProtocolStatus.Overloaded, keepConn);
    } else {
      this.#active.set(id, new RequestState());
      this.#sink.onBegin(id, keepConn);
    }
  }

  #getValues(): void {
    const { buffer, start, end } = this.#discrete;
    const names: string[] = [];
    try {
      const pairs = decodePairs(buffer, start, end, this.#limits.paramsCount, this.#dropped);
      for (let at = 0; at < pairs.length; at += 2) names.push(pairs[at] as string);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#fail('ERR_FCGI_GET_VALUES', `Cannot answer GET_VALUES: ${error.message}`);
      return;
    }
    if (!this.#dead) this.#sink.onGetValues(names);
  }

  #skipPadding(chunk: Buffer, at: number): number {
    const skipped = Math.min(this.#paddingLeft, chunk.length - at);
    this.#paddingLeft -= skipped;
    return at + skipped;
  }

  #reject(request: RequestState, error: ProtocolError): void {
    if (this.#dead) return;
    request.state = State.Discard;
    this.#sink.onReject(this.#id, error);
  }

  #noticeDirection(type: number): void {
    this.#notice(
      'ERR_FCGI_WRONG_DIRECTION',
      `Skipped record of type ${type} for request ${this.#id}: only an application sends it`,
    );
  }

  readonly #dropped = (error: ProtocolError): void => this.#report(error);

  #notice(code: ProtocolErrorCode, message: string): void {
    this.#report(new ProtocolError(code, message));
  }

  #report(error: ProtocolError): void {
    if (this.#dead) return;
    this.#notices += 1;
    this.#sink.onNotice(error);
    if (this.#notices <= this.#limits.notices) return;
    const noise = `${this.#notices} odd records on one connection, the last: ${error.message}`;
    this.#fail('ERR_FCGI_TOO_MUCH_NOISE', `Cannot go on: ${noise}`);
  }

  #fail(code: ProtocolErrorCode, message: string): void {
    if (this.#dead) return;
    this.#dead = true;
    this.#active.clear();
    this.#sink.onError(new ProtocolError(code, message));
  }
}
