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
//   1 REQ    worker   BODY_FOLLOWS        0        name NUL value NUL name NUL value ...       the whole request body,
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
//                                                  thread number NUL token
//
// A lane opens with HELLO, and then serves one request at a time:
//
//   idle --REQ--> waiting --HEAD--> answering --FIN on HEAD or DATA--> idle
//                 waiting, answering --ERR without CLOSE (POST says that HEAD went before)--> idle
//
// - BODY_FOLLOWS: BODY frames come, the last of them with FIN, also where the response ends first: the thread drops them
//   up to that FIN and only then reads the next REQ. FIN with ABORTED: the body breaks off here, reading it raises OSError.
// - CLOSING: the app's close() runs only now, so a REQ sent to this lane waits for it. ERR or LOG with CLOSE come from
//   that close(): they belong to the request that has ended, whatever was sent in between, and change no state.
// - A worker that wants no more of a response closes the connection; the thread then calls close() and opens a new lane.
import { Buffer } from 'node:buffer';

/** Of the frames above; HELLO carries it in aux. */
export const LANE_VERSION = 1;

export const FrameType = { Req: 1, Body: 2, Head: 3, Data: 4, Err: 5, Log: 6, Hello: 7 } as const;
export type FrameType = (typeof FrameType)[keyof typeof FrameType];

export const FrameFlag = { Fin: 1, BodyFollows: 2, Aborted: 4, Closing: 8, Post: 16, Close: 32 } as const;

export const FRAME_HEADER = 12;

/** A request body of at most so many bytes that is complete may travel inside REQ. */
export const INLINE_BODY = 64 * 1024;

/** Frames that are handed on only when they are whole may not be larger; worker.py cuts what it logs far below it. */
const MAX_WHOLE = 1024 * 1024;

const EMPTY = Buffer.alloc(0);
const WIDE = /[^\0-\xff]/;

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
    if (type < FrameType.Head || type > FrameType.Hello)
      throw new FrameError(`Cannot read frame: type is ${type}, wanted one from HEAD (3) to HELLO (7)`);
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

function writeHeader(out: Buffer, type: number, flags: number, length: number, headLength: number): void {
  out.writeUInt32LE(length, 0);
  out[4] = type;
  out[5] = flags;
  out.writeUInt16LE(0, 6);
  out.writeUInt32LE(headLength, 8);
}

/**
 * REQ as one buffer. `environ` is name, value, name, value ..., each latin-1 as PEP 3333 has it and without NUL;
 * `body` is the whole request body, at most INLINE_BODY bytes, or null when BODY frames follow.
 * @throws {TypeError} when a string has a NUL or a character above U+00FF
 */
export function encodeRequest(environ: readonly string[], body: Uint8Array | null): Buffer {
  for (const text of environ) if (text.includes('\0')) throw unfit(text, 'a NUL');
  const head = environ.join('\0');
  if (WIDE.test(head)) throw unfit(environ.find((text) => WIDE.test(text)) ?? '', 'a character above U+00FF');
  const bytes = body ?? EMPTY;
  const length = head.length + bytes.length;
  const out = Buffer.allocUnsafe(FRAME_HEADER + length);
  writeHeader(out, FrameType.Req, body === null ? FrameFlag.BodyFollows : 0, length, head.length);
  out.write(head, FRAME_HEADER, 'latin1');
  out.set(bytes, FRAME_HEADER + head.length);
  return out;
}

/** The header of a BODY frame; `length` bytes of body follow it. `flags`: FIN, ABORTED. */
export function encodeBodyHeader(length: number, flags: number): Buffer {
  const out = Buffer.allocUnsafe(FRAME_HEADER);
  writeHeader(out, FrameType.Body, flags, length, 0);
  return out;
}

function unfit(text: string, what: string): TypeError {
  return new TypeError(`Cannot send environ to Python: ${JSON.stringify(text.slice(0, 60))} has ${what}`);
}
