// What a request's params must be, read from the bytes in the plainest way: whole, strict, and apart from the decoders.

/** The pairs an environ may hold, or null where the block is not made of whole pairs. */
export function modelPairs(
  block: Buffer,
  readPair: (block: Buffer, at: number) => Pair | null,
): string[] | null {
  const params: string[] = [];
  let at = 0;
  while (at < block.length) {
    const pair = readPair(block, at);
    if (pair === null || pair.end > block.length) return null;
    const clean = pair.name !== '' && !/[\0=]/.test(pair.name) && !pair.value.includes('\0');
    if (clean) params.push(pair.name, pair.value);
    at = pair.end;
  }
  return params;
}

interface Pair {
  name: string;
  value: string;
  end: number;
}

function pairAt(
  block: Buffer,
  nameAt: number,
  nameLength: number,
  valueAt: number,
  valueLength: number,
): Pair {
  return {
    name: block.toString('latin1', nameAt, nameAt + nameLength),
    value: block.toString('latin1', valueAt, valueAt + valueLength),
    end: valueAt + valueLength,
  };
}

/** The params of a uwsgi packet, modifier 30 aside; null where it must not become a request. */
export function modelUwsgi(bytes: Buffer): string[] | null {
  if (bytes.length < 5 || ![0, 5, 30].includes(bytes.readUInt8(0))) return null;
  const size = bytes.readUInt16LE(1);
  if (size === 0 || bytes.length < 4 + size) return null;
  return modelPairs(bytes.subarray(4, 4 + size), (block, at) => {
    if (at + 4 > block.length) return null;
    const nameLength = block.readUInt16LE(at);
    const lengthAt = at + 2 + nameLength;
    if (nameLength === 0 || lengthAt + 2 > block.length) return null;
    return pairAt(block, at + 2, nameLength, lengthAt + 2, block.readUInt16LE(lengthAt));
  });
}

/** The params of an SCGI request; null where it must not become one. */
export function modelScgi(bytes: Buffer): string[] | null {
  const match = /^([1-9]\d{0,6}):([^]*)$/.exec(bytes.toString('latin1'));
  const size = Number(match?.[1]);
  const rest = match?.[2] ?? '';
  if (rest[size] !== ',' || rest[size - 1] !== '\0') return null;
  const items = rest.slice(0, size - 1).split('\0');
  const names = items.filter((_, i) => i % 2 === 0);
  if (items.length % 2 === 1 || names.includes('') || names.indexOf('CONTENT_LENGTH') !== 0) return null;
  if (names.lastIndexOf('CONTENT_LENGTH') !== 0 || !/^\d+$/.test(items[1] ?? '')) return null;
  if (items[2 * names.lastIndexOf('SCGI') + 1] !== '1') return null;
  return names.flatMap((name, i) => (name.includes('=') ? [] : [name, items[2 * i + 1] ?? '']));
}

export interface ModelParams {
  id: number;
  params: string[] | null;
}

/** Each params stream that was begun and ended, in the order of their ends; null where it must not become a request. */
export function modelFastcgi(bytes: Buffer): ModelParams[] {
  const open = new Map<number, Buffer[]>();
  const ended: ModelParams[] = [];
  for (let at = 0; at + 8 <= bytes.length && bytes[at] === 1;) {
    const [type, id, length] = [
      bytes.readUInt8(at + 1),
      bytes.readUInt16BE(at + 2),
      bytes.readUInt16BE(at + 4),
    ];
    const content = bytes.subarray(at + 8, at + 8 + length);
    if (content.length < length) break;
    if (type === 1) open.set(id, []);
    else if (type === 4 && length > 0) open.get(id)?.push(content);
    else if (type === 4) {
      const records = open.get(id);
      if (records !== undefined) ended.push({ id, params: modelPairs(Buffer.concat(records), fastcgiPair) });
      open.delete(id);
    }
    at += 8 + length + bytes.readUInt8(at + 6);
  }
  return ended;
}

function fastcgiPair(block: Buffer, at: number): Pair | null {
  const name = fastcgiLength(block, at);
  const value = name && fastcgiLength(block, name.end);
  return name && value && pairAt(block, value.end, name.length, value.end + name.length, value.length);
}

function fastcgiLength(block: Buffer, at: number): { length: number; end: number } | null {
  const first = block[at];
  if (first === undefined) return null;
  if (first < 128) return { length: first, end: at + 1 };
  if (at + 4 > block.length) return null;
  return { length: block.readUInt32BE(at) - 0x80000000, end: at + 4 };
}
