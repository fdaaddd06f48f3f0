// From what a file exports to a gateway application: apps of node:http.
import type { Application } from '../../gateway/contract.ts';
import { boot } from '../boot-limit.ts';
import { technique } from './probe.ts';
import { recognize } from './recognize.ts';
import { withUpgrades } from './upgrade.ts';

/**
 * @param place the reference, for messages
 * @param timeout milliseconds it may take to be ready
 * @throws {LoadError}
 */
export async function adaptNode(found: unknown, place: string, timeout: number): Promise<Application> {
  const app = await boot(recognize(found, place), place, timeout);
  const run = await technique();
  return withUpgrades(run(app), app);
}
