// All numbers the daemon shows, by mount and by listener, and their names on /metrics. May not know sockets, requests
// or workers: others call in, a scrape reads out.
import { collectDefaultMetrics, Registry } from 'prom-client';
import { Family, registerFamily } from './family.ts';
import type { FamilyType, Sample } from './family.ts';
import { ListenerMetrics } from './listener-metrics.ts';
import { MountMetrics } from './mount-metrics.ts';
import { render } from './render.ts';
import type { Rendered } from './render.ts';

/** The `mount` label of a request that belongs to none: no mount matched, or its params were no good. */
export const NO_MOUNT = '_none';

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
    'histogram',
    'viaduct_queue_wait_seconds',
    'Seconds requests waited in the queue',
    (mount, name) => mount.queueWaitSamples(name),
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

/**
 * Counters, gauges and histograms of one process. Counting is a few stores into number slots, some 50 times cheaper than
 * prom-client's inc() and observe() (bench/micro/metrics.ts has the figures); names, labels and text exist only while
 * somebody scrapes.
 */
export class Metrics {
  /** Holds everything below and prom-client's process_* and nodejs_* metrics; more may be registered on it. */
  readonly registry: Registry = new Registry();
  readonly #mounts = new Map<string, MountMetrics>();
  readonly #listeners = new Map<string, ListenerMetrics>();

  /** @param options.version of viaduct, for viaduct_build_info */
  constructor(options: { version?: string } = {}) {
    const labels = { version: options.version ?? 'unknown', node: process.version };
    this.#register('gauge', 'viaduct_build_info', 'What is running', () => [{ labels, value: 1 }]);
    for (const [type, name, help, samples] of MOUNT_FAMILIES) {
      this.#register(type, name, help, () =>
        [...this.#mounts.values()].flatMap((mount) => samples(mount, name)),
      );
    }
    for (const [type, name, help, samples] of LISTENER_FAMILIES) {
      this.#register(type, name, help, () =>
        [...this.#listeners.values()].flatMap((listener) => samples(listener, name)),
      );
    }
    collectDefaultMetrics({ register: this.registry });
  }

  /** The slots of a mount, made on first call: call it for every mount at boot, so that its series exist at 0. '' is NO_MOUNT. */
  mount(name: string): MountMetrics {
    const key = name === '' ? NO_MOUNT : name;
    let mount = this.#mounts.get(key);
    if (!mount) this.#mounts.set(key, (mount = new MountMetrics(key)));
    return mount;
  }

  /** The slots of a listener, made on first call; `protocol` is the one it is configured for (`auto` included). */
  listener(label: string, protocol: string): ListenerMetrics {
    let listener = this.#listeners.get(label);
    if (!listener) this.#listeners.set(label, (listener = new ListenerMetrics(label, protocol)));
    return listener;
  }

  /** The text for a scrape: Prometheus text 0.0.4, or OpenMetrics 1.0.0 where the Accept header prefers it. */
  render(accept = ''): Promise<Rendered> {
    return render(this.registry, accept);
  }

  #register(type: FamilyType, name: string, help: string, values: () => Iterable<Sample>): void {
    registerFamily(this.registry, new Family(type, name, help, values));
  }
}
