// What is counted for one listener: connections and what peers did wrong on them. May not know sockets or protocols.
import type { Sample } from './family.ts';
import { LabelCounter } from './label-counter.ts';
import { Ledger } from './ledger.ts';

/** idle: between requests. reading: inside a request that is not complete yet. active: a request runs or is answered. */
export const CONNECTION_STATES = ['idle', 'reading', 'active'] as const;
export type ConnectionState = (typeof CONNECTION_STATES)[number];

/** not_allowed: by listeners[].allowed_clients. connection_limit: by limits.connections. fd_limit: no descriptors left for it. */
export const DROP_REASONS = ['not_allowed', 'connection_limit', 'fd_limit', 'handover'] as const;
export type DropReason = (typeof DROP_REASONS)[number];

/** `auto` stands for a peer that has not shown yet which one it speaks. */
const PROTOCOLS: readonly string[] = ['fastcgi', 'uwsgi', 'scgi', 'http', 'auto'];

// Reasons come from catalogues in the code, never from a peer. The bound, for each protocol, keeps a slip there from
// becoming a leak.
const MAX_REASONS = 64;
const OTHER_REASON = '_OTHER';

interface ErrorCounter {
  readonly protocol: string;
  readonly reason: string;
  readonly slots: Float64Array;
}

export class ListenerMetrics {
  /** The `listener` label. */
  readonly label: string;
  /** The `protocol` label where protocolError() is not told another. */
  readonly protocol: string;
  readonly #states: Record<ConnectionState, number> = { idle: 0, reading: 0, active: 0 };
  readonly #errors = new Map<string, ErrorCounter>();
  readonly #dropped = new LabelCounter('reason', DROP_REASONS);
  readonly #accepted = new Float64Array(1);
  readonly #errorReasons: ReadonlySet<string> | null;
  readonly ledger = new Ledger(
    () => CONNECTION_STATES.map((state) => this.#states[state]),
    (key) => this.#errorOfWorker(key),
  );

  /** @param errorReasons what a worker may name as the reason of a protocol error; null: anything, up to the bound */
  constructor(label: string, protocol: string, errorReasons: ReadonlySet<string> | null = null) {
    this.label = label;
    this.protocol = protocol;
    this.#errorReasons = errorReasons;
    this.ledger.track('accepted', this.#accepted);
    this.ledger.track('dropped', this.#dropped.slots);
  }

  /** A connection came in; it is `idle` until moved. */
  accepted(): void {
    this.#accepted[0] = this.acceptedTotal + 1;
    this.#states.idle++;
  }

  /** A connection came from another worker, which had accepted it; it is `idle` until moved. */
  adopted(): void {
    this.#states.idle++;
  }

  /** A connection changes its state. */
  moved(from: ConnectionState, to: ConnectionState): void {
    this.#states[from]--;
    this.#states[to]++;
  }

  /** A connection is gone, or has left for another worker; `state` is the one it was in. */
  closed(state: ConnectionState): void {
    this.#states[state]--;
  }

  /**
   * A peer broke its protocol.
   * @param reason a name from the catalogue of protocol errors, never text of the peer
   * @param protocol the one found out, on a listener that tells protocols apart by their first bytes
   */
  protocolError(reason: string, protocol: string = this.protocol): void {
    const { slots } = this.#errors.get(errorKey(protocol, reason)) ?? this.#newError(protocol, reason);
    slots[0] = (slots[0] ?? 0) + 1;
  }

  /** A connection was refused or closed before it was served. */
  dropped(reason: DropReason): void {
    this.#dropped.inc(reason);
  }

  get acceptedTotal(): number {
    return this.#accepted[0] ?? 0;
  }

  stateSamples(): Sample[] {
    return CONNECTION_STATES.map((state, at) => ({
      labels: { listener: this.label, state },
      value: this.#states[state] + this.ledger.sum(at),
    }));
  }

  errorSamples(): Sample[] {
    return [...this.#errors.values()].map(({ protocol, reason, slots }) => ({
      labels: { listener: this.label, protocol, reason },
      value: slots[0] ?? 0,
    }));
  }

  droppedSamples(): Sample[] {
    return this.#dropped.samples({ listener: this.label });
  }

  #newError(protocol: string, wanted: string): ErrorCounter {
    const known = [...this.#errors.values()].filter((error) => error.protocol === protocol);
    const reason = known.length < MAX_REASONS ? wanted : OTHER_REASON;
    const key = errorKey(protocol, reason);
    const found = this.#errors.get(key);
    if (found !== undefined) return found;
    const made: ErrorCounter = { protocol, reason, slots: new Float64Array(1) };
    this.#errors.set(key, made);
    this.ledger.track(key, made.slots);
    return made;
  }

  #errorOfWorker(key: string): void {
    const [, protocol = '', reason = ''] = /^error (\w+) (\w+)$/.exec(key) ?? [];
    const isReason = reason === OTHER_REASON || (this.#errorReasons?.has(reason) ?? true);
    if (PROTOCOLS.includes(protocol) && isReason) this.#newError(protocol, reason);
  }
}

const errorKey = (protocol: string, reason: string): string => `error ${protocol} ${reason}`;
