// `npm run test:soak`: hundreds of reloads under load behind a real nginx, and what they cost. `--reloads N`: 500 unless
// told, half of them over each way. Exits with 1 where a request failed or anything was left behind.
import { parseArgs } from 'node:util';
import { FAULT_WAYS, Stand } from '../helpers/fault-stand.ts';
import { fixtureApp, startBridge, type Way } from '../helpers/bridge.ts';
import { descendantsOf, residentMemory } from '../helpers/processes.ts';
import type { SteadyReport } from '../helpers/steady-client.ts';
import { waitFor } from '../helpers/wait.ts';

const WORKERS = 2;
const MiB = 1024 * 1024;
const LOAD = { rate: 500, connections: 64, maxTime: Infinity };

interface Round {
  readonly way: string;
  readonly reloads: number;
  readonly report: SteadyReport;
  /** Bytes resident: of the master after the first tenth of the reloads and at the end, and of a worker at the end. */
  readonly master: { readonly early: number; readonly end: number };
  readonly worker: number;
  /** Milliseconds from the death of a worker until another serves in its place. */
  readonly recovery: number;
}

const mountsOf = (release: number): Record<string, object> => ({
  '/': { app: fixtureApp('steady'), env: { RELEASE: String(release) } },
});

async function soak(way: Way, reloads: number): Promise<Round> {
  const mounts = mountsOf(0);
  const bridge = await startBridge({ ways: [way], mounts, config: { workers: WORKERS } });
  const stand = new Stand(bridge, way);
  const { daemon } = stand;
  try {
    const client = stand.steady(LOAD);
    let early = 0;
    for (let n = 1; n <= reloads; n += 1) {
      await bridge.configure({ mounts: mountsOf(n) });
      const { code, stderr } = await stand.reload();
      if (code !== 0) throw new Error(`Cannot reload for the time ${n}: ${stderr}`);
      if (n === Math.ceil(reloads / 10)) early = residentMemory(daemon.pid);
      if (n % 50 === 0)
        console.log(`${way.name}: ${n} reloads, ${client.good} answers, ${client.failed} failed`);
    }
    await client.moreAnswers(100);
    const report = await client.stop();
    const master = { early, end: residentMemory(daemon.pid) };
    const recovery = await killToRecovered(stand);
    const [worker] = descendantsOf(daemon.pid);
    const result = {
      way: way.name,
      reloads,
      report,
      master,
      worker: residentMemory(worker?.pid ?? 0),
      recovery,
    };
    await stand.check({ expected: { viaduct: [/^A worker ended by signal SIGKILL/] } });
    return result;
  } finally {
    await stand.stop();
  }
}

async function killToRecovered(stand: Stand): Promise<number> {
  const serving = async (): Promise<number[] | null> => {
    const pids = await stand.daemon.workers();
    return pids.length === WORKERS ? pids : null;
  };
  const [victim = 0] = await waitFor(serving, { what: 'all workers to serve', timeout: 30_000 });
  const killedAt = performance.now();
  process.kill(victim, 'SIGKILL');
  const isReplaced = async (): Promise<boolean> => (await serving())?.includes(victim) === false;
  await waitFor(isReplaced, { what: 'a replacement', timeout: 30_000 });
  return performance.now() - killedAt;
}

function show({ way, reloads, report, master, worker, recovery }: Round): void {
  const { sent, failed, failures, seconds, latency } = report;
  const ms = (value: number): string => `${value.toFixed(1)} ms`;
  const mib = (value: number): string => `${(value / MiB).toFixed(1)} MiB`;
  console.log(
    `${way}: ${failed} of ${sent} requests failed over ${reloads} reloads in ${seconds.toFixed(0)} s`,
  );
  console.log(`  latency p50 ${ms(latency.p50)}, p99 ${ms(latency.p99)}, max ${ms(latency.max)}`);
  console.log(`  master ${mib(master.early)} after a tenth of them, ${mib(master.end)} at the end`);
  console.log(`  an idle worker ${mib(worker)}, a killed one replaced in ${recovery.toFixed(0)} ms`);
  for (const { at, request, what } of failures.slice(0, 10))
    console.log(`  ${at.toFixed(0)} ms ${request}: ${what}`);
}

const { values } = parseArgs({ options: { reloads: { type: 'string', default: '500' } } });
const each = Math.ceil(Number(values.reloads) / FAULT_WAYS.length);
if (!(each > 0)) throw new Error(`Cannot reload "${values.reloads}" times: wanted a number above 0`);
for (const way of FAULT_WAYS) {
  const round = await soak(way, each);
  show(round);
  if (round.report.failed > 0) process.exitCode = 1;
}
