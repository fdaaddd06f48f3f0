// The large body of the benchmarks: 100 MiB, the same piece of 64 KiB again and again, so that making it costs nothing.
import { PIECE, pieceAt } from './pattern.ts';

export const BULK_PIECE: Buffer = pieceAt(0);
export const BULK_PIECES = 1600;
export const BULK_BYTES: number = PIECE * BULK_PIECES;
