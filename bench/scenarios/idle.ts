// What connections cost that nginx keeps and does not use. They come straight from this process, without nginx.
import { readFileSync } from 'node:fs';
import { Peer } from '../../test/helpers/peer.ts';
import { waitFor } from '../../test/helpers/wait.ts';
import { BASELINE } from '../backends/all.ts';
import { viaductFastcgi, viaductWith } from '../backends/viaduct.ts';
import type { Backend } from '../lib/backend.ts';
import { column } from '../lib/columns.ts';
import { withBackend } from '../lib/measure.ts';
import { treeResidentBytes } from '../lib/proc.ts';
import type { Case, Figures, Load, Scenario } from '../lib/scenario.ts';
import { FASTCGI_REQUEST, HTTP_REQUEST } from '../micro/stock-request.ts';
import { HELLO } from './hello.ts';

export const IDLE_CONNECTIONS = 5000;
/** Descriptors that are not connections, here and in a backend. */
const OTHER_FILES = 200;
const AT_A_TIME = 100;
const MIB = 2 ** 20;

function idling(backend: Backend, asked: Buffer): Case {
  return {
    name: backend.name,
    prepare: () => backend.prepare(),
    measure: (load) => measureIdle(backend, asked, load),
  };
}

/** The same requests twice: first on few connections that end, so that only the connections are the difference. */
async function measureIdle(backend: Backend, asked: Buffer, load: Load): Promise<Figures> {
  const count = Math.min(IDLE_CONNECTIONS, openFilesLimit() - OTHER_FILES);
  return withBackend(backend, 'hello', load, async ({ pid }, socket) => {
    const peers = new Set<Peer>();
    const open = async (): Promise<Peer> => {
      const peer = await Peer.connect({ kind: 'unix', path: socket });
      peers.add(peer);
      return peer;
    };
    try {
      await inBatches(AT_A_TIME, async () => {
        const peer = await open();
        for (let turn = 0; turn < count / AT_A_TIME; turn += 1) await ask(peer, asked);
        peer.destroy();
      });
      const before = await settledResident(pid);
      await inBatches(count, async () => ask(await open(), asked));
      const resident = await settledResident(pid);
      const idle = [...peers].filter(({ over }) => !over).length;
      return { idle, resident, rise: resident - before };
    } finally {
      for (const peer of peers) peer.destroy();
    }
  });
}

async function inBatches(count: number, act: () => Promise<void>): Promise<void> {
  for (let done = 0; done < count; done += AT_A_TIME) {
    const size = Math.min(AT_A_TIME, count - done);
    await Promise.all(Array.from({ length: size }, act));
  }
}

/** One request, until the page is there. */
async function ask(peer: Peer, asked: Buffer): Promise<void> {
  const before = peer.size;
  peer.send(asked);
  await peer.until('the page', (received) => received.includes(HELLO, before));
}

/** Bytes, once five looks in a row differ by less than 1 MiB. */
async function settledResident(pid: number): Promise<number> {
  const looks: number[] = [];
  return waitFor(
    () => {
      looks.push(treeResidentBytes(pid));
      const last = looks.slice(-5);
      return last.length === 5 && Math.max(...last) - Math.min(...last) < MIB ? last.at(-1) : undefined;
    },
    { what: 'resident memory to settle', timeout: 10_000, interval: 100 },
  );
}

/** Node raises its soft limit to the hard one when it starts, and so does a backend on Node. */
function openFilesLimit(): number {
  const soft = /^Max open files\s+(\w+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
  return soft === 'unlimited' ? Infinity : Number(soft);
}

export const idle: Scenario = {
  name: 'idle',
  title: 'Idle connections',
  about: [
    "5,000 connections, fewer where the limit of open files is lower; straight to the backend's socket, without nginx",
    'each has had one answer to a request with keep-alive; RSS against the same number of requests on connections that have ended',
  ],
  rounds: 3,
  cases: [
    idling(BASELINE, HTTP_REQUEST),
    idling({ ...viaductWith(IDLE_CONNECTIONS + OTHER_FILES), name: viaductFastcgi.name }, FASTCGI_REQUEST),
  ],
  ratios: [],
  figures: [
    column('connections', 'idle', 1, 0),
    column('RSS MiB', 'resident', 1 / MIB, 1),
    column('rise MB', 'rise', 1e-6, 1),
  ],
};
