// Builds FastCGI, uwsgi and SCGI bytes for tests, from the specifications alone: it may not use anything of src/.

/** name, value, name, value ... as latin-1 text. */
export type Pairs = readonly string[];
export type Content = string | Uint8Array;

/** FastCGI 1.0 section 8. */
export const FcgiType = {
  BEGIN_REQUEST: 1,
  ABORT_REQUEST: 2,
  END_REQUEST: 3,
  PARAMS: 4,
  STDIN: 5,
  STDOUT: 6,
  STDERR: 7,
  DATA: 8,
  GET_VALUES: 9,
  GET_VALUES_RESULT: 10,
  UNKNOWN_TYPE: 11,
} as const;

export function bytesOf(content: Content): Buffer {
  return typeof content === 'string' ? Buffer.from(content, 'latin1') : Buffer.from(content);
}

/** One FastCGI record. Without `padding` it is padded to 8 bytes as nginx does; padding bytes are `paddingByte`. */
export function fcgiRecord(
  type: number,
  id: number,
  content: Content = '',
  options: { padding?: number; paddingByte?: number; version?: number } = {},
): Buffer {
  const body = bytesOf(content);
  const padding = options.padding ?? (8 - (body.length % 8)) % 8;
  const header = Buffer.of(
    options.version ?? 1,
    type,
    id >> 8,
    id & 0xff,
    body.length >> 8,
    body.length & 0xff,
    padding,
    0,
  );
  return Buffer.concat([header, body, Buffer.alloc(padding, options.paddingByte ?? 0)]);
}

export function fcgiBegin(id: number, options: { role?: number; keepConn?: boolean } = {}): Buffer {
  const role = options.role ?? 1;
  return fcgiRecord(
    FcgiType.BEGIN_REQUEST,
    id,
    Buffer.of(role >> 8, role & 0xff, options.keepConn ? 1 : 0, 0, 0, 0, 0, 0),
  );
}

/** FastCGI 3.4: lengths below 128 take one byte, unless `wide` writes them in four. */
export function fcgiPairs(pairs: Pairs, options: { wide?: boolean } = {}): Buffer {
  const parts: Buffer[] = [];
  for (let i = 0; i + 1 < pairs.length; i += 2) {
    const name = bytesOf(pairs[i] ?? '');
    const value = bytesOf(pairs[i + 1] ?? '');
    parts.push(fcgiLength(name.length, options.wide), fcgiLength(value.length, options.wide), name, value);
  }
  return Buffer.concat(parts);
}

function fcgiLength(length: number, wide = false): Buffer {
  if (length < 128 && !wide) return Buffer.of(length);
  return Buffer.of((length >>> 24) | 0x80, (length >>> 16) & 0xff, (length >>> 8) & 0xff, length & 0xff);
}

/** A stream (PARAMS, STDIN, DATA): records of at most `recordSize` bytes, then the empty one. */
export function fcgiStream(type: number, id: number, content: Content, recordSize = 32768): Buffer {
  const body = bytesOf(content);
  const records: Buffer[] = [];
  for (let at = 0; at < body.length; at += recordSize) {
    records.push(fcgiRecord(type, id, body.subarray(at, at + recordSize)));
  }
  return Buffer.concat([...records, fcgiRecord(type, id)]);
}

/** A whole request as nginx writes it. */
export function fcgiRequest(
  id: number,
  params: Pairs,
  body: Content = '',
  options: { keepConn?: boolean; recordSize?: number } = {},
): Buffer {
  return Buffer.concat([
    fcgiBegin(id, options),
    fcgiStream(FcgiType.PARAMS, id, fcgiPairs(params), options.recordSize),
    fcgiStream(FcgiType.STDIN, id, body, options.recordSize),
  ]);
}

export function uwsgiVars(pairs: Pairs): Buffer {
  return Buffer.concat(pairs.flatMap((text) => [uint16le(text.length), bytesOf(text)]));
}

/** A uwsgi packet around any block; `size` may lie about it. */
export function uwsgiPacket(
  block: Content,
  options: { modifier1?: number; modifier2?: number; size?: number } = {},
): Buffer {
  const bytes = bytesOf(block);
  return Buffer.concat([
    Buffer.of(options.modifier1 ?? 0),
    uint16le(options.size ?? bytes.length),
    Buffer.of(options.modifier2 ?? 0),
    bytes,
  ]);
}

function uint16le(value: number): Buffer {
  return Buffer.of(value & 0xff, value >> 8);
}

/** SCGI headers as given: the caller puts CONTENT_LENGTH first. */
export function scgiHeaders(pairs: Pairs): Buffer {
  return bytesOf(pairs.map((text) => `${text}\0`).join(''));
}

export function scgiNetstring(headers: Content): Buffer {
  const bytes = bytesOf(headers);
  return Buffer.concat([bytesOf(`${bytes.length}:`), bytes, bytesOf(',')]);
}
