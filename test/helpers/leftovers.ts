// What one viaduct may not leave behind: descriptors and numbers that stay up after a fault, processes and socket files
// after its end. Looks from outside: proc(5), its folder and /metrics.
import { expect } from 'chai';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Daemon, MARK, type Metric } from './daemon.ts';
import {
  descendantsOf,
  descriptorsOf,
  hasInEnvironment,
  listProcesses,
  type ProcessInfo,
} from './processes.ts';
import { waitFor } from './wait.ts';

/** Gauges of what is under way; all others may stay as they are. */
const GAUGES = ['http_server_active_requests', 'viaduct_queue_depth', 'viaduct_connections'];
const SETTLE_MS = 10_000;
const EXIT_MS = 2000;

export class Leftovers {
  readonly #daemon: Daemon;
  /** Sessions of its processes so far: a detached child is in one of its own, and so are that one's children. */
  readonly #sessions = new Set<number>();
  readonly #known = new Map<number, string>();
  readonly #descriptors: number;
  readonly #workerDescriptors: number;

  /** To be made once the daemon is ready and before it has connections. */
  constructor(daemon: Daemon) {
    this.#daemon = daemon;
    const workers = this.look();
    this.#descriptors = descriptorsOf(daemon.pid).length;
    this.#workerDescriptors = Math.max(0, ...workers.map(({ pid }) => descriptorsOf(pid).length));
  }

  /** Takes note of its processes as they are now, and gives them: those it has started, without itself. */
  look(): ProcessInfo[] {
    const all = listProcesses();
    const own = descendantsOf(this.#daemon.pid, all).filter(({ state }) => state !== 'Z');
    const ours = all.find(({ pid }) => pid === process.pid)?.session;
    for (const { pid, session, startedAt } of own) {
      this.#known.set(pid, startedAt);
      if (session !== ours) this.#sessions.add(session);
    }
    return own;
  }

  /**
   * Waits until all is as it was before there were clients, which must be gone.
   * @param kept descriptors that the master may have more than then
   * @param timeout milliseconds
   */
  async expectQuiet(kept = 0, timeout = SETTLE_MS): Promise<void> {
    this.look();
    await settle('gauges to be 0, with', timeout, () => this.#busyGauges());
    await settle('descriptors to be closed:', timeout, () => this.#extraDescriptors(kept));
    const metrics = [...(await this.#daemon.metrics()).values()];
    const sum = (name: string): number =>
      metrics.filter((sample) => sample.name === name).reduce((total, { value }) => total + value, 0);
    if (!metrics.some(({ name }) => name === 'viaduct_worker_spawns_total')) return;
    const spawns = sum('viaduct_worker_spawns_total');
    const live = sum('viaduct_workers');
    expect(spawns, 'spawns = exits + live workers').to.equal(sum('viaduct_worker_exits_total') + live);
    expect(this.look().filter(isWorker).length, 'live workers').to.equal(live);
  }

  /** To be called after its end. */
  async expectNothing(): Promise<void> {
    await settle('processes to end:', EXIT_MS, () => this.remaining());
    expect(socketsBelow(this.#daemon.dir), 'socket files').to.deep.equal([]);
    const files = readdirSync(this.#daemon.dir, { recursive: true, encoding: 'utf8' });
    expect(files.filter((name) => name.endsWith('.pid'))).to.deep.equal([]);
  }

  async #busyGauges(): Promise<string[]> {
    const busy = ({ name, value }: Metric): boolean => GAUGES.includes(name) && value !== 0;
    return [...(await this.#daemon.metrics())].flatMap(([key, sample]) =>
      busy(sample) ? [`${key} ${sample.value}`] : [],
    );
  }

  #extraDescriptors(kept: number): string[] {
    const master = descriptorsOf(this.#daemon.pid);
    if (master.length > this.#descriptors + kept)
      return [`${master.length} instead of ${this.#descriptors}, ${master.join(' ')}`];
    for (const { pid } of this.look().filter(isWorker)) {
      const found = descriptorsOf(pid);
      if (found.length > this.#workerDescriptors)
        return [`${found.length} of a worker instead of ${this.#workerDescriptors}, ${found.join(' ')}`];
    }
    return [];
  }

  /** Of its processes so far, and their descendants: those that are still there, with their commands. */
  remaining(): string[] {
    const { pid: master, dir } = this.#daemon;
    return listProcesses()
      .filter(
        ({ pid, startedAt, session }) =>
          pid === master ||
          this.#known.get(pid) === startedAt ||
          this.#sessions.has(session) ||
          hasInEnvironment(pid, MARK, dir),
      )
      .map(({ pid, state, command }) => `${pid} ${state} ${command}`);
  }
}

/** The name of its program, as the process table shows it. */
const isWorker = ({ command }: ProcessInfo): boolean => command.includes('worker-main');

/** Waits until `look` finds nothing. @throws {Error} with what it finds in the end */
async function settle(
  what: string,
  timeout: number,
  look: () => readonly string[] | Promise<readonly string[]>,
): Promise<void> {
  let found: readonly string[] = [];
  const isEmpty = async (): Promise<boolean> => (found = await look()).length === 0;
  await waitFor(isEmpty, { what: '', timeout, interval: 20 }).catch((cause: unknown) => {
    throw new Error(`Cannot wait for ${what} ${found.join(', ')} any longer than ${timeout} ms`, { cause });
  });
}

/** The paths of all socket files below a folder. */
export function socketsBelow(dir: string): string[] {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isSocket())
    .map((entry) => join(entry.parentPath, entry.name));
}
