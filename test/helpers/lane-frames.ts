// Lane frames as the tests build and read them: by hand from the table in src/apps/python/frames.ts, with none of its code.

export const Kind = {
  REQ: 1,
  BODY: 2,
  HEAD: 3,
  DATA: 4,
  ERR: 5,
  LOG: 6,
  HELLO: 7,
  CLAIM: 8,
  CALL: 9,
  LEAVE: 10,
  DROP: 11,
  WELCOME: 12,
  VALUES: 13,
} as const;
export const Flag = {
  FIN: 1,
  BODY_FOLLOWS: 2,
  ABORTED: 4,
  CLOSING: 8,
  POST: 16,
  CLOSE: 32,
  WAITS: 64,
  CEDES: 128,
} as const;

export interface WholeFrame {
  readonly kind: number;
  readonly flags: number;
  readonly aux: number;
  readonly head: readonly string[];
  readonly bytes: Buffer;
}

export const FRAME_HEADER = 12;
/** What is written to an inbox, and read from it, at once. */
export const INBOX_FRAME = 4096;

export function buildFrame(
  kind: number,
  flags: number,
  head: string,
  bytes: Uint8Array | string = '',
  aux = 0,
): Buffer {
  const headBytes = Buffer.from(head, 'latin1');
  const body = Buffer.from(bytes as string);
  const header = Buffer.alloc(FRAME_HEADER);
  header.writeUInt32LE(headBytes.length + body.length, 0);
  header.writeUInt8(kind, 4);
  header.writeUInt8(flags, 5);
  header.writeUInt16LE(aux, 6);
  header.writeUInt32LE(headBytes.length, 8);
  return Buffer.concat([header, headBytes, body]);
}

/** The frames at the beginning of `data`, how many bytes they take, and how many the next one needs at least. */
export function readFrames(data: Buffer): { frames: WholeFrame[]; size: number; wanted: number } {
  const frames: WholeFrame[] = [];
  let at = 0;
  while (data.length - at >= FRAME_HEADER && data.length - at >= FRAME_HEADER + data.readUInt32LE(at)) {
    const end = at + FRAME_HEADER + data.readUInt32LE(at);
    const bytesAt = at + FRAME_HEADER + data.readUInt32LE(at + 8);
    const head = data.subarray(at + FRAME_HEADER, bytesAt).toString('latin1');
    frames.push({
      kind: data.readUInt8(at + 4),
      flags: data.readUInt8(at + 5),
      aux: data.readUInt16LE(at + 6),
      head: head === '' ? [] : head.split('\0'),
      bytes: Buffer.from(data.subarray(bytesAt, end)),
    });
    at = end;
  }
  const rest = data.length - at;
  const wanted = FRAME_HEADER + (rest >= FRAME_HEADER ? data.readUInt32LE(at) : 0);
  return { frames, size: at, wanted };
}
