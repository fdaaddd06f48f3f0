// A connection in front of one app, without a socket and without a kernel: what the micro-benchmarks of whole requests share.
import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { Admission } from '../../src/gateway/admission.ts';
import type { Application } from '../../src/gateway/contract.ts';
import { Gateway } from '../../src/gateway/gateway.ts';
import { Metrics } from '../../src/observe/metrics.ts';
import { DEFAULT_LIMITS } from '../../src/protocol/limits.ts';
import type { TransportContext } from '../../src/transport/context.ts';
import { FastcgiConnection } from '../../src/transport/fastcgi/connection.ts';
import { Ticker } from '../../src/transport/timeouts.ts';

/** For whatever a plain request does not come to. */
export const never = (): never => {
  throw new Error('Cannot measure: something other than a plain request happened');
};
const ignore = (): void => undefined;

/** `written`: bytes that the connection has sent so far. */
export function fastcgiConnection(
  app: Application,
  showsEnviron = true,
): {
  connection: FastcgiConnection;
  written: () => number;
} {
  const metrics = new Metrics();
  const gateway = new Gateway(
    [
      {
        path: '',
        host: null,
        name: '/',
        app,
        showsEnviron,
        env: [],
        limits: { bodySize: 0, bodyTimeout: 60_000, sendTimeout: 60_000 },
        responseHeadersSize: 64 * 1024,
        requestTimeout: 60_000,
        queueTimeout: 5000,
        admission: new Admission({ requests: 1024, queue: 256, queueTimeout: 5000 }),
        metrics: metrics.mount('/'),
      },
    ],
    { slowAfter: 2000, stillRuns: never, finished: ignore, failed: never, warned: never, appLine: never },
    metrics.mount('none'),
  );
  const context: TransportContext = {
    limits: { ...DEFAULT_LIMITS, connections: 4096, courtesy: 64, descriptors: Infinity, requests: 1024 },
    timeouts: { params: 10_000, idle: 75_000, send: 60_000 },
    ticker: new Ticker(),
    metrics: metrics.listener('bench', 'fastcgi'),
    isUnix: true,
    handle: (exchange) => gateway.handle(exchange),
    report: never,
    rested: ignore,
    closed: ignore,
  };

  /** As much of a socket as a connection touches. */
  const socket = Object.assign(new EventEmitter(), {
    destroyed: false,
    writableLength: 0,
    written: 0,
    write(bytes: Uint8Array): boolean {
      this.written += bytes.length;
      return true;
    },
    cork: never,
    uncork: never,
  });
  const connection = new FastcgiConnection(socket as unknown as Socket, context);
  return { connection, written: () => socket.written };
}
