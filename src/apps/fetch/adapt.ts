// From what a file exports to a gateway application: apps of Request and Response.
import type { Application } from '../../gateway/contract.ts';
import { LoadError } from '../load-error.ts';

/** @throws {LoadError} */
export function adaptFetch(_found: unknown, place: string, _timeout: number): Promise<Application> {
  return Promise.reject(new LoadError(`Cannot use ${place}: not there yet`));
}
