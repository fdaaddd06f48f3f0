// From what a file exports to a gateway application: apps of node:http.
import type { Application } from '../../gateway/contract.ts';
import { withBootLimit } from '../boot-limit.ts';
import { LoadError } from '../load-error.ts';
import { technique } from './probe.ts';
import { recognize } from './recognize.ts';
import { withUpgrades } from './upgrade.ts';

/**
 * @param place the reference, for messages
 * @param timeout milliseconds it may take to be ready
 * @throws {LoadError}
 */
export async function adaptNode(found: unknown, place: string, timeout: number): Promise<Application> {
  try {
    const app = await withBootLimit(recognize(found, place), `boot ${place}`, timeout);
    const run = await technique();
    return withUpgrades(run(app), app);
  } catch (error) {
    if (error instanceof LoadError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new LoadError(`Cannot boot ${place}: ${why}`, { cause: error });
  }
}
