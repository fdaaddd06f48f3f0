// The names that params have, kept as strings that are made once: a front server sends the same ones with every request.
import type { Buffer } from 'node:buffer';
import { checkParam } from './params.ts';

/** Slots of the table, a power of two. */
const SLOT_BITS = 11;
const SLOTS = 1 << SLOT_BITS;
/** Names are compared in words of 4 bytes, the last of which may overlap: shorter names are not kept, longer ones neither. */
const WORD = 4;
const MAX_LENGTH = 64;

// The kept name of each slot, and its bytes at SLOT * MAX_LENGTH. First come, first served: what a peer sends can fill
// the table, but never grow it or change what is in it.
const names: string[] = Array.from({ length: SLOTS }, () => '');
const bytes = new DataView(new ArrayBuffer(SLOTS * MAX_LENGTH));

let lastView: DataView = bytes;

/** All of the memory that `block` lies in. Chunks mostly come in the same one, and a view costs more to make than a name to find. */
export function viewOf(block: Buffer): DataView {
  if (lastView.buffer !== block.buffer) lastView = new DataView(block.buffer);
  return lastView;
}

/**
 * The kept string for the `length` bytes at `at`, or null where it has to be made. A kept name is known to be clean, see
 * checkParam(). A name of 20 bytes costs 27 ns up to its use as a property key, where a new string, which the engine has to
 * find among its own names, costs 57 (bench/micro/known.ts).
 */
export function keptName(view: DataView, at: number, length: number): string | null {
  if (length < WORD || length > MAX_LENGTH) return null;
  const slot = slotOf(view, at, length);
  const name = names[slot] as string;
  if (name.length !== length) return null;
  const last = length - WORD;
  const start = slot * MAX_LENGTH;
  for (let offset = 0; offset < last; offset += WORD) {
    if (view.getInt32(at + offset) !== bytes.getInt32(start + offset)) return null;
  }
  return view.getInt32(at + last) === bytes.getInt32(start + last) ? name : null;
}

/** Keeps `name`, whose bytes stand at `at`, where its slot is free. False: it may not reach an environ, see checkParam(). */
export function keepName(name: string, view: DataView, at: number): boolean {
  if (checkParam(name, '') !== null) return false;
  if (name.length < WORD || name.length > MAX_LENGTH) return true;
  const slot = slotOf(view, at, name.length);
  if (names[slot] !== '') return true;
  // As a property key it becomes the engine's own copy, which every later use as a key finds by address.
  names[slot] = Object.keys({ [name]: 0 })[0] as string;
  for (let index = 0; index < name.length; index++) {
    bytes.setUint8(slot * MAX_LENGTH + index, name.charCodeAt(index));
  }
  return true;
}

/** By length, last and middle word (multiplied by odd numbers that spread their bits): nearly all names begin alike. */
function slotOf(view: DataView, at: number, length: number): number {
  const last = view.getInt32(at + length - WORD);
  const middle = view.getInt32(at + ((length - WORD) >> 1));
  return (
    (Math.imul(last, 0x9e3779b1) ^ Math.imul(middle, 0x85ebca6b) ^ Math.imul(length, 0xc2b2ae35)) >>>
    (32 - SLOT_BITS)
  );
}
