// Name-value pairs (FastCGI 1.0, section 3.4): length, length, name, value; a length is one byte, or four with the top bit set.
import { ProtocolError } from '../errors.ts';
import { latin1Slice } from '../latin1.ts';
import { keepName, keptName, viewOf } from '../names.ts';
import { checkParam } from '../params.ts';

/** How many strings the last block gave: the next one most likely gives as many, and an array of that size need not grow. */
let expected = 48;

/**
 * Decodes the block from `from` to `to` into name, value, name, value ... as latin-1 text.
 * Pairs that no environ may hold (see checkParam) are left out and told to `dropped`.
 * @throws {ProtocolError} ERR_FCGI_PARAMS_TRUNCATED, ERR_PARAMS_COUNT
 */
export function decodePairs(
  block: Buffer,
  from: number,
  to: number,
  maxPairs: number,
  dropped: (error: ProtocolError) => void,
): string[] {
  // One native call for the whole block, then slices of it: half the cost of decoding each item.
  const text = latin1Slice(block, from, to);
  // oxlint-disable-next-line unicorn/no-new-array -- Array.from() would fill it first
  const pairs = new Array<string>(expected);
  const view = viewOf(block);
  const base = block.byteOffset;
  let count = 0;
  let at = from;
  // NULs that belong to lengths. If the block has more, a name or a value has one: that is seen for all of them at once.
  let zeros = 0;
  let clean = true;
  while (at < to) {
    const start = at;
    let nameLength = block[at++] as number;
    if (nameLength > 127) {
      nameLength = longLength(block, start, to);
      at += 3;
    }
    if (at >= to) throw truncated(start - from, to - from);
    const valueLengthAt = at;
    let valueLength = block[at++] as number;
    if (valueLength > 127) {
      valueLength = longLength(block, valueLengthAt, to);
      at += 3;
    }
    const valueStart = at + nameLength;
    const end = valueStart + valueLength;
    if (end > to) throw truncated(start - from, to - from);
    if (count >= maxPairs * 2) {
      throw new ProtocolError('ERR_PARAMS_COUNT', `Cannot take request: more than ${maxPairs} params`);
    }
    if (at - start === 2) {
      if (valueLength === 0) zeros++;
    } else {
      zeros += zerosIn(block, start, at);
    }
    let name = keptName(view, base + at, nameLength);
    if (name === null) {
      name = text.slice(at - from, valueStart - from);
      if (!keepName(name, view, base + at)) clean = false;
    }
    pairs[count++] = name;
    pairs[count++] = text.slice(valueStart - from, end - from);
    at = end;
  }
  if (count !== expected) pairs.length = expected = count;
  return clean && zerosOf(text) === zeros ? pairs : checkedPairs(pairs, dropped);
}

function checkedPairs(pairs: readonly string[], dropped: (error: ProtocolError) => void): string[] {
  const good: string[] = [];
  for (let at = 0; at < pairs.length; at += 2) {
    const name = pairs[at] as string;
    const value = pairs[at + 1] as string;
    const error = checkParam(name, value);
    if (error === null) good.push(name, value);
    else dropped(error);
  }
  return good;
}

function zerosOf(text: string): number {
  let count = 0;
  for (let at = text.indexOf('\0'); at !== -1; at = text.indexOf('\0', at + 1)) count++;
  return count;
}

function zerosIn(block: Buffer, from: number, to: number): number {
  let count = 0;
  for (let at = from; at < to; at++) if (block[at] === 0) count++;
  return count;
}

/** Four bytes with the top bit set. */
function longLength(block: Buffer, at: number, to: number): number {
  return at + 4 > to ? Infinity : block.readUInt32BE(at) & 0x7fffffff;
}

const truncated = (at: number, size: number): ProtocolError =>
  new ProtocolError(
    'ERR_FCGI_PARAMS_TRUNCATED',
    `Cannot decode params: the pair at byte ${at} passes the end of the block at ${size}`,
  );
