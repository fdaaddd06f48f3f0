// What is counted for one listener: connections and what peers did wrong on them. May not know sockets or protocols.
import type { Sample } from './family.ts';

/** idle: between requests. reading: inside a request that is not complete yet. active: a request runs or is answered. */
export const CONNECTION_STATES = ['idle', 'reading', 'active'] as const;
export type ConnectionState = (typeof CONNECTION_STATES)[number];

// Reasons come from catalogues in the code, never from a peer. The bound keeps a slip there from becoming a leak.
const MAX_REASONS = 64;

/** Counts by reason; a bounded number of reasons, the rest as `_OTHER`. */
class ReasonCounter {
  readonly #counts = new Map<string, number>();

  inc(reason: string): void {
    const known = this.#counts.has(reason) || this.#counts.size < MAX_REASONS;
    const key = known ? reason : '_OTHER';
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
  }

  entries(): Iterable<[reason: string, count: number]> {
    return this.#counts.entries();
  }
}

export class ListenerMetrics {
  /** The `listener` label. */
  readonly label: string;
  /** The `protocol` label where protocolError() is not told another. */
  readonly protocol: string;
  readonly #states: Record<ConnectionState, number> = { idle: 0, reading: 0, active: 0 };
  readonly #errors = new Map<string, ReasonCounter>();
  readonly #dropped = new ReasonCounter();
  #accepted = 0;

  constructor(label: string, protocol: string) {
    this.label = label;
    this.protocol = protocol;
  }

  /** A connection came in; it is `idle` until moved. */
  accepted(): void {
    this.#accepted++;
    this.#states.idle++;
  }

  /** A connection changes its state. */
  moved(from: ConnectionState, to: ConnectionState): void {
    this.#states[from]--;
    this.#states[to]++;
  }

  /** A connection is gone; `state` is the one it was in. */
  closed(state: ConnectionState): void {
    this.#states[state]--;
  }

  /**
   * A peer broke its protocol.
   * @param reason a name from the catalogue of protocol errors, never text of the peer
   * @param protocol the one found out, on a listener that tells protocols apart by their first bytes
   */
  protocolError(reason: string, protocol: string = this.protocol): void {
    let reasons = this.#errors.get(protocol);
    if (!reasons) this.#errors.set(protocol, (reasons = new ReasonCounter()));
    reasons.inc(reason);
  }

  /** A connection was refused or closed before it was served; `reason` is a fixed name, such as `max_connections`. */
  dropped(reason: string): void {
    this.#dropped.inc(reason);
  }

  get acceptedTotal(): number {
    return this.#accepted;
  }

  stateSamples(): Sample[] {
    return CONNECTION_STATES.map((state) => ({
      labels: { listener: this.label, state },
      value: this.#states[state],
    }));
  }

  errorSamples(): Sample[] {
    return [...this.#errors].flatMap(([protocol, reasons]) =>
      [...reasons.entries()].map(([reason, value]) => ({
        labels: { listener: this.label, protocol, reason },
        value,
      })),
    );
  }

  droppedSamples(): Sample[] {
    return [...this.#dropped.entries()].map(([reason, value]) => ({
      labels: { listener: this.label, reason },
      value,
    }));
  }
}
