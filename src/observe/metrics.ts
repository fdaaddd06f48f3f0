// The numbers of requests, queues, connections and logs under their names on /metrics: what the process that answers
// scrapes has. May not know sockets, requests or workers: others call in, a scrape reads out.
import { collectDefaultMetrics, Registry } from 'prom-client';
import { AppRecord } from './app-record.ts';
import { Family, registerFamily } from './family.ts';
import type { FamilyType, Sample } from './family.ts';
import type { ListenerMetrics } from './listener-metrics.ts';
import type { WorkerKey } from './ledger.ts';
import { MetricSlots, type MetricSlotsOptions, type UnknownPart } from './metric-slots.ts';
import type { MountMetrics } from './mount-metrics.ts';
import { render } from './render.ts';
import type { Rendered } from './render.ts';

type MountFamily = [FamilyType, string, string, (mount: MountMetrics, name: string) => Sample[]];
type ListenerFamily = [FamilyType, string, string, (listener: ListenerMetrics, name: string) => Sample[]];

const one = (mount: MountMetrics, value: number): Sample[] => [{ labels: { mount: mount.name }, value }];

const MOUNT_FAMILIES: readonly MountFamily[] = [
  [
    'histogram',
    'http_server_request_duration_seconds',
    'Seconds from the first byte of a request to the last of its response',
    (mount, name) => mount.durationSamples(name),
  ],
  [
    'counter',
    'viaduct_requests_total',
    'Requests answered, by method and status code',
    (mount) => mount.requestSamples(),
  ],
  [
    'gauge',
    'http_server_active_requests',
    'Requests running now, without those in the queue',
    (mount) => one(mount, mount.active),
  ],
  ['gauge', 'viaduct_queue_depth', 'Requests waiting now', (mount) => one(mount, mount.queueDepth)],
  [
    'gauge',
    'viaduct_queue_limit',
    'Requests that may wait, over all workers',
    (mount) => one(mount, mount.queueLimit),
  ],
  [
    'gauge',
    'viaduct_queue_oldest_age_seconds',
    'Seconds the request that waits longest has waited',
    (mount) => one(mount, mount.oldestQueuedAge),
  ],
  [
    'histogram',
    'viaduct_queue_wait_seconds',
    'Seconds requests waited in the queue',
    (mount, name) => mount.queueWaitSamples(name),
  ],
  [
    'gauge',
    'viaduct_python_threads',
    'Threads of a Python app that can take requests, over all workers',
    (mount) => mount.threadSamples(),
  ],
  ['counter', 'viaduct_requests_shed_total', 'Requests turned away', (mount) => mount.shedSamples()],
  [
    'counter',
    'viaduct_requests_aborted_total',
    'Requests whose client left, by how far they were',
    (mount) => mount.abortedSamples(),
  ],
  [
    'counter',
    'viaduct_slow_requests_total',
    'Requests that took longer than log.slow',
    (mount) => one(mount, mount.slowRequests),
  ],
  [
    'counter',
    'viaduct_request_timeouts_total',
    'Requests that ran longer than timeouts.request',
    (mount) => one(mount, mount.timeouts),
  ],
  [
    'counter',
    'viaduct_request_body_bytes_total',
    'Request body bytes received',
    (mount) => one(mount, mount.bytesIn),
  ],
  [
    'counter',
    'viaduct_response_body_bytes_total',
    'Response body bytes sent',
    (mount) => one(mount, mount.bytesOut),
  ],
];

const LISTENER_FAMILIES: readonly ListenerFamily[] = [
  [
    'counter',
    'viaduct_protocol_errors_total',
    'Breaches of protocol by peers',
    (listener) => listener.errorSamples(),
  ],
  ['gauge', 'viaduct_connections', 'Connections open now, by state', (listener) => listener.stateSamples()],
  [
    'counter',
    'viaduct_connections_accepted_total',
    'Connections accepted',
    (listener) => [{ labels: { listener: listener.label }, value: listener.acceptedTotal }],
  ],
  [
    'counter',
    'viaduct_connections_dropped_total',
    'Connections closed before they were served',
    (listener) => listener.droppedSamples(),
  ],
];

export interface MetricsOptions extends MetricSlotsOptions {
  /** Of viaduct, for viaduct_build_info. */
  readonly version?: string;
}

/**
 * Counters, gauges and histograms of record. Counting is a few stores into number slots, some 50 times cheaper than
 * prom-client's inc() and observe() (bench/micro/metrics.ts has the figures); names, labels and text exist only while
 * somebody scrapes.
 */
export class Metrics extends MetricSlots {
  /** Holds everything below and prom-client's process_* and nodejs_* metrics; more may be registered on it. */
  readonly registry: Registry = new Registry();
  /** The metrics that apps have made themselves. */
  readonly apps: AppRecord = new AppRecord(this.registry, this.droppedSeries);

  constructor(options: MetricsOptions = {}) {
    super(options);
    const labels = { version: options.version ?? 'unknown', node: process.version };
    this.#register('gauge', 'viaduct_build_info', 'What is running', () => [{ labels, value: 1 }]);
    for (const [type, name, help, samples] of MOUNT_FAMILIES) {
      this.#register(type, name, help, () => [...this.mounts].flatMap((mount) => samples(mount, name)));
    }
    for (const [type, name, help, samples] of LISTENER_FAMILIES) {
      this.#register(type, name, help, () =>
        [...this.listeners].flatMap((listener) => samples(listener, name)),
      );
    }
    this.#register('counter', 'viaduct_log_lines_dropped_total', 'Log lines given up', () =>
      this.logs.samples(),
    );
    this.#register('counter', 'viaduct_app_series_dropped_total', 'Series of apps left out, by reason', () =>
      this.droppedSeries.samples(),
    );
    this.#register(
      'histogram',
      'viaduct_worker_event_loop_delay_seconds',
      'Seconds by which the clock of a worker was late, looked at ten times a second',
      (name) => this.process.loopDelaySamples(name),
    );
    collectDefaultMetrics({ register: this.registry });
  }

  override forgetSlot(worker: WorkerKey): void {
    super.forgetSlot(worker);
    this.apps.forget(worker);
  }

  protected override applyPart(worker: WorkerKey, part: UnknownPart): number {
    return part['kind'] === 'app' ? this.apps.apply(worker, part) : super.applyPart(worker, part);
  }

  /** The text for a scrape: Prometheus text 0.0.4, or OpenMetrics 1.0.0 where the Accept header prefers it. */
  render(accept = ''): Promise<Rendered> {
    return render(this.registry, accept);
  }

  #register(type: FamilyType, name: string, help: string, values: (name: string) => Iterable<Sample>): void {
    registerFamily(this.registry, new Family(type, name, help, () => values(name)));
  }
}
