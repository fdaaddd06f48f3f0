// From what a file exports to a gateway application: apps of node:http.
import type { Application } from '../../gateway/contract.ts';
import { LoadError } from '../load-error.ts';

/** @throws {LoadError} */
export function adaptNode(_found: unknown, place: string, _timeout: number): Promise<Application> {
  return Promise.reject(new LoadError(`Cannot use ${place}: not there yet`));
}
