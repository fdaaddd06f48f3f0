// How V8 keeps the memory of requests, and how much it has.
import { getHeapStatistics, setFlagsFromString } from 'node:v8';

/**
 * Keeps V8 from allocating array and object literals among its old objects ("pretenuring"). It does so where once everything
 * from a place in the code survived, as happens while a server warms up; from then on every dead literal there keeps the
 * request it refers to, and all that refers to, until the next full collection. Measured over FastCGI: 480 KB of dead
 * requests promoted by each collection of the young generation, and twice the CPU of a request; which runs were hit was
 * chance, below 8 MiB of semi-space all of them (bench/micro/request.ts). To be called before there are requests.
 */
export function keepRequestsYoung(): void {
  setFlagsFromString('--no-allocation-site-pretenuring');
}

/** Bytes. */
export const usedHeap = (): number => getHeapStatistics().used_heap_size;
