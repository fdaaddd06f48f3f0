// Metrics of a process to which everything has happened once: every family there is, each with a sample.
import { Metrics } from '../../src/observe/metrics.ts';
import { SupervisorMetrics } from '../../src/observe/supervisor-metrics.ts';

export interface FamilyAbout {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  /** Every label that one of its samples has, `le` left out. */
  readonly labels: readonly string[];
}

export function everyMetric(): Metrics {
  const metrics = new Metrics({ version: '1' });
  const mount = metrics.mount('/');
  mount.queued();
  mount.dequeued(0);
  mount.requestStarted();
  mount.requestFinished('GET', 200, 0.1, 1, 1);
  mount.watchThreads(() => 1);
  const listener = metrics.listener('127.0.0.1:1', 'fastcgi');
  listener.accepted();
  listener.protocolError('bad_version');
  listener.dropped('not_allowed');
  const worker = {
    kind: 'node',
    slot: 0,
    state: 'ready',
    residentBytes: 1,
    cpuSeconds: 1,
    statsAge: 1,
    heapUsed: 1,
  } as const;
  const supervisor = new SupervisorMetrics(metrics.registry, {
    workers: () => [worker],
    mounts: () => [{ mount: '/', state: 'ready' }],
    places: () => ({ node: 1, python: 0 }),
    generation: () => 1,
  });
  supervisor.spawned('node');
  return metrics;
}

/** What is in everyMetric(). */
export async function everyFamily(): Promise<FamilyAbout[]> {
  const families = await everyMetric().registry.getMetricsAsJSON();
  return families.map(({ name, type, help, values }) => {
    const labels = values.flatMap((value) => Object.keys(value.labels));
    return { name, type: String(type), help, labels: [...new Set(labels)].filter((label) => label !== 'le') };
  });
}
