// A program: a worker that can be told to serve and to leave, again and again, each time on listening sockets that come
// from its parent, HandoverPair (handover-pair.ts).
import { readdirSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import type { Application } from '../../src/gateway/contract.ts';
import { type Crossing, giveTo, Outbox } from '../../src/runtime/handover.ts';
import { detach } from '../../src/transport/handle.ts';
import type { Protocol } from './dialects.ts';
import { startWorker, type TestWorker } from './worker.ts';

export type ToWorker =
  /** Comes with a listening socket. */
  | { readonly kind: 'socket' }
  | { readonly kind: 'serve' }
  | { readonly kind: 'leave' }
  | { readonly kind: 'count' }
  | (Crossing & { readonly kind: 'adopt' });

export type FromWorker =
  | { readonly kind: 'serving' }
  | { readonly kind: 'left'; readonly clean: boolean; readonly accepted: number; readonly faults: string[] }
  | { readonly kind: 'counted'; readonly connections: number; readonly descriptors: number }
  | (Crossing & { readonly kind: 'handover' });

/** Answers with its own pid and the request body. */
const echo: Application = async (environ, startResponse) => {
  const body = await environ['wsgi.input'].read();
  startResponse('200 OK', [
    ['Content-Type', 'text/plain'],
    ['X-Pid', String(process.pid)],
  ]);
  return [body];
};

const protocols = process.argv.slice(2) as Protocol[];
const outbox = new Outbox(process);
let accepted = 0;
let worker: TestWorker | null = null;
let sockets: unknown[] = [];
let servers: Server[] = [];

const say = (message: FromWorker): boolean | undefined => process.send?.(message);

async function serve(): Promise<void> {
  const serving = await startWorker({
    listeners: protocols.map((protocol) => ({ protocol })),
    mounts: [{ app: echo }],
  });
  worker = serving;
  servers = sockets.map((handle, listener) =>
    createServer({ allowHalfOpen: true }, (socket) => {
      accepted += 1;
      serving.worker.adopt({ listener, protocol: null }, detach(socket));
    }).listen(handle, 4096),
  );
  sockets = [];
  say({ kind: 'serving' });
}

async function leave(leaving: TestWorker): Promise<void> {
  for (const server of servers) server.close();
  const clean = await leaving.worker.leave(
    10_000,
    protocols.map((_, listener) => giveTo(outbox, listener)),
  );
  await outbox.empty();
  await leaving.stop();
  const faults = leaving.lines.filter(({ level }) => level !== 'info' && level !== 'debug');
  say({ kind: 'left', clean, accepted, faults: faults.map(({ msg }) => msg) });
}

process.on('message', (message: ToWorker, handle: unknown) => {
  switch (message.kind) {
    case 'socket':
      sockets.push(handle);
      break;
    case 'serve':
      void serve();
      break;
    case 'leave':
      if (worker !== null) void leave(worker);
      break;
    case 'adopt':
      worker?.worker.adopt(message, handle);
      break;
    case 'count': {
      const states = Object.values(worker?.connections ?? {});
      const connections = states.reduce((sum, value) => sum + value, 0);
      say({ kind: 'counted', connections, descriptors: readdirSync('/proc/self/fd').length });
    }
  }
});
process.once('disconnect', () => process.exit());
