// The admin server's side of a running process: where it listens, and what it says of readiness and status.
import type { Server } from 'node:http';
import type { Logger } from 'pino';
import { type Address, formatAddress } from '../config/address.ts';
import { createAdminServer } from '../observe/admin.ts';
import type { Metrics } from '../observe/metrics.ts';
import type { Status } from '../observe/status-data.ts';
import { bind, type Unbind } from '../transport/bind.ts';
import { closeServer } from './close-server.ts';

export interface AdminSource {
  readonly metrics: Metrics;
  readonly logs: { readonly logger: Logger };
  /** Why requests cannot be served now; empty when they can. */
  unready(): readonly string[];
  status(): Status;
  /** Gets fresh numbers for a scrape: createAdminServer() says how. */
  refresh?(): Promise<void>;
}

/** Milliseconds for answers that are under way. */
const CLOSE_GRACE = 1000;

export class Admin {
  readonly #server: Server;
  readonly #address: Address;
  #unbind: Unbind | null = null;

  constructor(address: Address, source: AdminSource) {
    this.#address = address;
    this.#server = createAdminServer({
      metrics: source.metrics,
      logger: { error: (fields, message) => source.logs.logger.error(fields, message) },
      ready: () => {
        const reasons = source.unready();
        return { ready: reasons.length === 0, reasons };
      },
      status: () => source.status(),
      refresh: () => source.refresh?.() ?? Promise.resolve(),
    });
  }

  /** Whether it was made for this address. */
  isAt(address: Address): boolean {
    return formatAddress(address) === formatAddress(this.#address);
  }

  /** The address in use, its port where the configuration says 0. */
  get address(): string {
    const bound = this.#server.address();
    const port = bound !== null && typeof bound === 'object' ? bound.port : 0;
    return formatAddress(this.#address.kind === 'tcp' ? { ...this.#address, port } : this.#address);
  }

  /** @throws {SocketError} or the system's error when the address cannot be listened on */
  async listen(): Promise<void> {
    this.#unbind = await bind(this.#server, {
      address: this.#address,
      backlog: 128,
      file: { mode: 0o600, uid: -1, gid: -1 },
    });
  }

  async close(): Promise<void> {
    this.#unbind?.();
    await closeServer(this.#server, CLOSE_GRACE);
  }
}
