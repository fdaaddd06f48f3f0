// One fault, tried behind a real nginx on FastCGI keep-alive and again on uwsgi: starts both for it, and looks after it
// that nothing was logged that is no part of the fault, nothing stayed open or counted, and nothing outlived the end.
import { expect } from 'chai';
import { join } from 'node:path';
import {
  type Bridge,
  type BridgeOptions,
  type Expected,
  FASTCGI_KEEP,
  fixtureApp,
  startBridge,
  UWSGI,
  type Way,
} from './bridge.ts';
import { type CliResult, runViaduct } from './cli.ts';
import type { Daemon } from './daemon.ts';
import { type Dialect, DIALECTS } from './dialects.ts';
import type { CallOptions, HttpCall, HttpResponse } from './http-client.ts';
import { Leftovers } from './leftovers.ts';
import type { Nginx } from './nginx.ts';
import { Peer } from './peer.ts';
import { type SteadyClient, type SteadyOptions, startSteadyClient } from './steady-client.ts';

/** How the faults reach viaduct. */
export const FAULT_WAYS: readonly Way[] = [FASTCGI_KEEP, UWSGI];

export interface StandOptions extends Omit<BridgeOptions, 'ways' | 'mounts'> {
  /** FAULT_WAYS unless told. */
  ways?: readonly Way[];
  /** As for startBridge(); steady.js is mounted at / beside them. */
  mounts?: BridgeOptions['mounts'];
  /** Milliseconds for each of its two tests; 15000 unless told. */
  timeout?: number;
  /** What the fault itself makes viaduct and nginx log, from `warn` up. */
  expected?: Expected;
  /** Descriptors that the fault makes the master keep to its end; none unless told. */
  kept?: number;
  /** False: it is not running any more at the end, by the fault's own doing. */
  survives?: boolean;
}

export class Stand {
  readonly bridge: Bridge;
  readonly way: Way;
  /** To build and read bytes for a peer() with. */
  readonly dialect: Dialect;
  readonly leftovers: Leftovers;
  readonly #clients: SteadyClient[] = [];
  readonly #calls: HttpCall[] = [];
  readonly #peers: Peer[] = [];

  constructor(bridge: Bridge, way: Way) {
    this.bridge = bridge;
    this.way = way;
    this.dialect = DIALECTS[way.protocol];
    this.leftovers = new Leftovers(bridge.daemon);
  }

  get daemon(): Daemon {
    return this.bridge.daemon;
  }

  get nginx(): Nginx {
    return this.bridge.nginx;
  }

  /** Through nginx. */
  request(options: CallOptions): Promise<HttpResponse> {
    return this.startCall(options).done;
  }

  startCall(options: CallOptions): HttpCall {
    const call = this.bridge.startCall(this.way, options);
    this.#calls.push(call);
    return call;
  }

  /** A client of steady.js through nginx, at 300 requests a second on 16 connections unless told. */
  steady(options: Partial<SteadyOptions> = {}): SteadyClient {
    const port = this.nginx.portOf(this.way.name);
    const client = startSteadyClient({ port, rate: 300, connections: 16, ...options });
    this.#clients.push(client);
    return client;
  }

  /** A connection straight to viaduct. */
  async peer(): Promise<Peer> {
    const peer = await Peer.connect({ kind: 'unix', path: this.daemon.socket(this.way.protocol) });
    this.#peers.push(peer);
    return peer;
  }

  /** `viaduct reload`; the exit code and what it said. */
  async reload(): Promise<CliResult> {
    return runViaduct(['reload', '-c', join(this.daemon.dir, 'viaduct.yaml')]);
  }

  /** One of viaduct's metrics, over all that have these labels. */
  metric(name: string, labels: Readonly<Record<string, string>> = {}): Promise<number> {
    return this.daemon.metric(name, labels);
  }

  /** Nothing but the fault was logged, and all is as it was before there were clients. Ends the clients first. */
  async check({ expected = {}, kept = 0, survives = true }: StandOptions): Promise<void> {
    await this.#leave();
    await this.bridge.expectQuietLogs(expected);
    await this.nginx.stop();
    if (survives) {
      await this.leftovers.expectQuiet(kept);
      expect(await this.daemon.stop(), 'exit code').to.equal(0);
    }
    await this.leftovers.expectNothing();
  }

  async stop(): Promise<void> {
    await this.#leave();
    await this.bridge.stop();
  }

  async #leave(): Promise<void> {
    for (const call of this.#calls) call.abort();
    for (const peer of this.#peers) peer.destroy();
    for (const client of this.#clients) await client.stop();
  }
}

/** A mocha test for each way: `run` on a viaduct and an nginx of its own, with the checks after it. */
export function faultTest(title: string, options: StandOptions, run: (stand: Stand) => Promise<void>): void {
  for (const way of options.ways ?? FAULT_WAYS) {
    it(`${title}, over ${way.name}`, async function () {
      this.timeout(options.timeout ?? 15_000);
      const mounts = { '/': 'steady', ...options.mounts };
      const bridge = await startBridge({ ...options, mounts, ways: [way] });
      const stand = new Stand(bridge, way);
      try {
        await run(stand);
        await stand.check(options);
      } finally {
        await stand.stop();
      }
    });
  }
}

/** A mount of test/fixtures/apps with settings of its own. */
export function mountOf(app: string, more: object = {}): object {
  return { app: fixtureApp(app), ...more };
}
