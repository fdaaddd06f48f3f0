// The names that params have, kept as strings that are made once: a front server sends the same ones with every request.
import type { Buffer } from 'node:buffer';
import { checkParam } from './params.ts';

/** Slots of the table, a power of two. */
const SLOTS = 1024;
/** Longer names are not kept. */
const MAX_LENGTH = 64;

// The kept name of each slot, and its bytes at SLOT * MAX_LENGTH. First come, first served: what a peer sends can fill
// the table, but never grow it or change what is in it.
const names: string[] = Array.from({ length: SLOTS }, () => '');
const bytes = new Uint8Array(SLOTS * MAX_LENGTH);

/**
 * The kept string for the `length` bytes at `at`, or null where it has to be made. A kept name is known to be clean, see
 * checkParam(). A name of 20 bytes costs 34 ns up to its use as a property key, where a new string, which the engine has to
 * find among its own names, costs 62 (bench/micro/known.ts).
 */
export function keptName(block: Buffer, at: number, length: number): string | null {
  const slot = slotOf(block, at, length);
  const name = names[slot] as string;
  if (name.length !== length || length === 0) return null;
  const end = at + length;
  for (let here = at, there = slot * MAX_LENGTH; here < end; here++, there++) {
    if (block[here] !== bytes[there]) return null;
  }
  return name;
}

/** Keeps `name`, whose bytes stand at `at`, where its slot is free. False: it may not reach an environ, see checkParam(). */
export function keepName(name: string, block: Buffer, at: number): boolean {
  if (checkParam(name, '') !== null) return false;
  const slot = slotOf(block, at, name.length);
  if (names[slot] !== '' || name.length > MAX_LENGTH) return true;
  // As a property key it becomes the engine's own copy, which every later use as a key finds by address.
  names[slot] = Object.keys({ [name]: 0 })[0] as string;
  for (let index = 0; index < name.length; index++) bytes[slot * MAX_LENGTH + index] = name.charCodeAt(index);
  return true;
}

/** Names differ in length, at the end and in the middle; nearly all begin alike. */
function slotOf(block: Buffer, at: number, length: number): number {
  const last = block[at + length - 1] as number;
  const third = block[at + length - 3] as number;
  const middle = block[at + (length >> 1)] as number;
  return (length * 37 + last * 5 + third * 17 + middle * 11) & (SLOTS - 1);
}
