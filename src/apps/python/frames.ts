// The frames that a lane carries: a lane is one Unix connection between a worker and one thread of a Python process.
// Pure bytes: no socket, no request, no rule about who may speak when is known here. Its other half is worker.py.
//
// A frame is a header of 12 bytes (little-endian), then `length` bytes of payload: a head of `headLength` bytes, then bytes.
//
//    0        4      5       6     8            12            12 + headLength     12 + length
//    | length | type | flags | aux | headLength | head ...    | bytes ...         |
//      u32      u8     u8      u16   u32          NUL-joined latin-1 fields
//
//   type     sent by  flags               aux      head                                        bytes
//   1 REQ    worker   BODY_FOLLOWS        ticket   name NUL name NUL ... value NUL value ...   the whole request body,
//                                                  (what differs from request to request;      up to INLINE_BODY bytes;
//                                                  constants came with the configuration)      none with BODY_FOLLOWS
//   2 BODY   worker   FIN, ABORTED        0        none                                        a piece of the request body
//   3 HEAD   Python   FIN, CLOSING        status   status line NUL name NUL value ...          the first bytes of the response
//   4 DATA   Python   FIN, CLOSING        0        none                                        more of the response
//   5 ERR    Python   POST, CLOSING or    0        none                                        UTF-8: class NUL message NUL
//                     CLOSE                                                                    traceback
//   6 LOG    Python   0 or CLOSE          0        none                                        UTF-8: what the app wrote to
//                                                                                              wsgi.errors, whole lines, each
//                                                                                              ended by "\n"
//   7 HELLO  Python   0                   VERSION  process id NUL process number NUL           none
//                                                  thread number NUL token NUL name of inbox
//   8 CLAIM  Python   WAITS               ticket   none                                        none
//   9 CALL   worker   0                   ticket   none                                        none
//  10 LEAVE  worker   0                   0        none                                        none
//  11 DROP   worker   0                   0        none                                        none
//  12 WELCOME worker  CEDES               0        none                                        none
//  13 VALUES worker   number of names     ticket   value NUL value ...                         the whole request body
//
// Requests do not come over a lane: they wait in the inbox of the process, a FIFO from which whichever of its threads is
// free takes the next (inbox.ts). What is written there is always INBOX_FRAME bytes, so that each read(2) takes one request:
// one that fits as REQ, or as VALUES where its names were noted beside the inbox under a number; CALL for one that does
// not. The thread says CLAIM with the ticket of what it has taken, right before its first frame for a REQ or VALUES, at once
// and with WAITS for CALL; the worker then sends REQ over the lane, or DROP if nobody wants an answer any more. The
// thread that takes LEAVE closes its lane and opens a new one.
//
// A lane opens with HELLO; the thread takes no request before WELCOME, so none is taken that is not known to the worker.
// CEDES: the worker serves nothing but Python, and is to wait where Python has the processor; Node cannot say so itself.
// The lane then carries one answer at a time:
//
//   idle --CLAIM--> waiting --HEAD--> answering --FIN on HEAD or DATA--> idle
//                   waiting, answering --ERR without CLOSE (POST says that HEAD went before)--> idle
//
// - BODY_FOLLOWS: BODY frames come, the last of them with FIN, also where the response ends first: the thread drops them
//   up to that FIN and only then goes on. FIN with ABORTED: the body breaks off here, reading it raises OSError.
// - CLOSING: the app's close() runs only now, so this thread takes nothing until it has ended. ERR or LOG with CLOSE come
//   from that close(): they belong to the request that has ended, whatever was sent in between, and change no state.
// - A worker that wants no more of a response notes that beside the inbox. The thread looks there before it sends a frame
//   that is not the last one, ends the response with ERR, and keeps its lane.
import { Buffer } from 'node:buffer';
import type { EnvironText } from './environ-text.ts';

/** Of the frames above; HELLO carries it in aux. */
export const LANE_VERSION = 3;

export const FrameType = {
  Req: 1,
  Body: 2,
  Head: 3,
  Data: 4,
  Err: 5,
  Log: 6,
  Hello: 7,
  Claim: 8,
  Call: 9,
  Leave: 10,
  Drop: 11,
  Welcome: 12,
  Values: 13,
} as const;
export type FrameType = (typeof FrameType)[keyof typeof FrameType];

export const FrameFlag = {
  Fin: 1,
  BodyFollows: 2,
  Aborted: 4,
  Closing: 8,
  Post: 16,
  Close: 32,
  Waits: 64,
  Cedes: 128,
} as const;

export const FRAME_HEADER = 12;

/** A request body of at most so many bytes that is complete may travel inside REQ. */
export const INLINE_BODY = 64 * 1024;

/** PIPE_BUF: up to here a FIFO takes and gives what is written at once as one piece (pipe(7)). */
export const INBOX_FRAME = 4096;

/** Frames that are handed on only when they are whole may not be larger; worker.py cuts what it logs far below it. */
const MAX_WHOLE = 1024 * 1024;

const EMPTY = Buffer.alloc(0);

/** One frame from Python, or a part of one: of HEAD and DATA the bytes are handed on as they come. */
export interface Frame {
  readonly type: FrameType;
  /** Of the whole frame. FIN holds once `rest` is 0; before, it tells that the response is complete in this frame. */
  readonly flags: number;
  readonly aux: number;
  /** Latin-1 fields, joined by NUL. */
  readonly head: string;
  /** Of HEAD and DATA they stay as they are; of others they may be a view of the chunk pushed. */
  readonly bytes: Buffer;
  /** Bytes of this frame still to come, as DATA with the same flags. */
  readonly rest: number;
}

/** The Python side broke the rules above: the lane is of no use any more. */
export class FrameError extends Error {
  override readonly name = 'FrameError';
}

/** Turns what a lane receives into frames. */
export class FrameDecoder {
  readonly #onFrame: (frame: Frame) => void;
  readonly #keep: (part: Buffer) => Buffer;
  readonly #maxHead: number;
  #pending: Buffer = EMPTY;
  #rest = 0;
  #flags = 0;

  /**
   * @param keep gives a part of a chunk, or a copy of it, that stays as it is; without it chunks stay by themselves
   * @param maxHead in bytes
   */
  constructor(
    onFrame: (frame: Frame) => void,
    keep: (part: Buffer) => Buffer = (part) => part,
    maxHead: number = MAX_WHOLE,
  ) {
    this.#onFrame = onFrame;
    this.#keep = keep;
    this.#maxHead = maxHead;
  }

  /** True between frames: the lane may end here. */
  get idle(): boolean {
    return this.#rest === 0 && this.#pending.length === 0;
  }

  /**
   * Calls onFrame for every frame that `chunk` completes. `chunk` is only borrowed.
   * @throws {FrameError} on a frame that Python may not send; nothing may be pushed afterwards
   */
  push(chunk: Buffer): void {
    const data = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    this.#pending = EMPTY;
    let at = 0;
    while (at < data.length) {
      const next = this.#rest > 0 ? this.#goOn(data, at) : this.#begin(data, at);
      if (next === at) break;
      at = next;
    }
    if (at < data.length) this.#pending = Buffer.from(data.subarray(at));
  }

  /** The offset behind what could be used: `at` when the frame there is too short yet. */
  #begin(data: Buffer, at: number): number {
    if (data.length - at < FRAME_HEADER) return at;
    const length = data.readUInt32LE(at);
    const type = data.readUInt8(at + 4);
    const headLength = data.readUInt32LE(at + 8);
    this.#check(type, length, headLength);
    const streams = type === FrameType.Head || type === FrameType.Data;
    const start = at + FRAME_HEADER;
    if (data.length - start < (streams ? headLength : length)) return at;
    const bytesAt = start + headLength;
    const end = Math.min(start + length, data.length);
    this.#flags = data.readUInt8(at + 5);
    this.#rest = start + length - end;
    this.#onFrame({
      type: type as FrameType,
      flags: this.#flags,
      aux: data.readUInt16LE(at + 6),
      head: headLength === 0 ? '' : data.toString('latin1', start, bytesAt),
      bytes: this.#bytes(data, bytesAt, end, streams),
      rest: this.#rest,
    });
    return end;
  }

  #goOn(data: Buffer, at: number): number {
    const end = Math.min(at + this.#rest, data.length);
    this.#rest -= end - at;
    this.#onFrame({
      type: FrameType.Data,
      flags: this.#flags,
      aux: 0,
      head: '',
      bytes: this.#bytes(data, at, end, true),
      rest: this.#rest,
    });
    return end;
  }

  #bytes(data: Buffer, start: number, end: number, stays: boolean): Buffer {
    if (start === end) return EMPTY;
    const part = data.subarray(start, end);
    return stays ? this.#keep(part) : part;
  }

  #check(type: number, length: number, headLength: number): void {
    if (type < FrameType.Head || type > FrameType.Claim)
      throw new FrameError(`Cannot read frame: type is ${type}, wanted one from HEAD (3) to CLAIM (8)`);
    if (headLength > length)
      throw new FrameError(
        `Cannot read frame: its head has ${headLength} bytes, the whole payload ${length}`,
      );
    if (headLength > this.#maxHead)
      throw new FrameError(
        `Cannot read frame: its head has ${headLength} bytes, the limit is ${this.#maxHead}`,
      );
    if (type > FrameType.Data && length > MAX_WHOLE)
      throw new FrameError(
        `Cannot read frame: type ${type} has ${length} bytes of payload, the limit is ${MAX_WHOLE}`,
      );
  }
}

function writeHeader(
  out: Buffer,
  type: number,
  flags: number,
  aux: number,
  length: number,
  headLength: number,
): void {
  out.writeUInt32LE(length, 0);
  out[4] = type;
  out[5] = flags;
  out.writeUInt16LE(aux, 6);
  out.writeUInt32LE(headLength, 8);
}

/** What a thread is to do. */
export interface LaneRequest {
  readonly environ: EnvironText;
  /** The whole request body, at most INLINE_BODY bytes; null: BODY frames follow. */
  readonly body: Uint8Array | null;
}

/** The head of REQ. */
const headOf = ({ names, values }: EnvironText): string => `${names.text}\0${values}`;

/** REQ as it goes over a lane. */
export function encodeRequest({ environ, body }: LaneRequest): Buffer {
  const head = headOf(environ);
  const bytes = body ?? EMPTY;
  const length = head.length + bytes.length;
  const out = Buffer.allocUnsafe(FRAME_HEADER + length);
  const flags = body === null ? FrameFlag.BodyFollows : 0;
  writeHeader(out, FrameType.Req, flags, 0, length, head.length);
  out.write(head, FRAME_HEADER, 'latin1');
  out.set(bytes, FRAME_HEADER + head.length);
  return out;
}

/**
 * Writes a request as it goes into an inbox: VALUES or REQ if it fits, else CALL.
 * @param out INBOX_FRAME bytes; those behind the frame stay as they are
 * @param ticket 0..65535
 * @param isTold the thread knows the list of names by its number
 * @returns false for CALL
 */
export function writeRequest(
  out: Buffer,
  ticket: number,
  { environ, body }: LaneRequest,
  isTold: boolean,
): boolean {
  const head = isTold ? environ.values : headOf(environ);
  if (body === null || FRAME_HEADER + head.length + body.length > INBOX_FRAME) {
    writeHeader(out, FrameType.Call, 0, ticket, 0, 0);
    return false;
  }
  const type = isTold ? FrameType.Values : FrameType.Req;
  writeHeader(out, type, isTold ? environ.names.number : 0, ticket, head.length + body.length, head.length);
  out.write(head, FRAME_HEADER, 'latin1');
  if (body.length > 0) out.set(body, FRAME_HEADER + head.length);
  return true;
}

/** Of a frame from an inbox; null: it is LEAVE. */
export const ticketOf = (frame: Buffer): number | null =>
  frame[4] === FrameType.Leave ? null : frame.readUInt16LE(6);

/** Writes LEAVE as it goes into an inbox. */
export function writeLeave(out: Buffer): void {
  writeHeader(out, FrameType.Leave, 0, 0, 0, 0);
}

/** A frame that is nothing but its type and flags: DROP, WELCOME. */
export function encodeEmpty(type: FrameType, flags = 0): Buffer {
  const out = Buffer.allocUnsafe(FRAME_HEADER);
  writeHeader(out, type, flags, 0, 0, 0);
  return out;
}

/** The header of a BODY frame; `length` bytes of body follow it. `flags`: FIN, ABORTED. */
export function encodeBodyHeader(length: number, flags: number): Buffer {
  const out = Buffer.allocUnsafe(FRAME_HEADER);
  writeHeader(out, FrameType.Body, flags, 0, length, 0);
  return out;
}
