// Two workers in processes of their own on the same listening sockets, and what a master does between them: passes on the
// connections of the one that leaves. The program that they run is handover-worker.ts.
import { type ChildProcess, type SendHandle, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import * as net from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Address } from '../../src/config/address.ts';
import { Outbox, Relay } from '../../src/runtime/handover.ts';
import type { Protocol } from './dialects.ts';
import type { FromWorker, ToWorker } from './handover-worker.ts';
import { isHandle, type SocketHandle } from '../../src/transport/handle.ts';
import { makeTempDir, removeTempDir } from './temp.ts';

const PROGRAM = fileURLToPath(new URL('handover-worker.js', import.meta.url));

type Kind = FromWorker['kind'];
type Message<K extends Kind> = Extract<FromWorker, { kind: K }>;

export class Side {
  readonly child: ChildProcess;
  outbox: Outbox;
  /** Connections taken from the listening sockets so far. */
  accepted = 0;
  /** What the worker has logged at `warn` or above. */
  readonly faults: string[] = [];
  readonly #bound: readonly SocketHandle[];
  readonly #waiting = new Map<Kind, (message: FromWorker) => void>();

  constructor(protocols: readonly Protocol[], bound: readonly SocketHandle[]) {
    this.#bound = bound;
    this.child = spawn(process.execPath, [PROGRAM, ...protocols], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      serialization: 'advanced',
    });
    // Each stint as a serving worker has an outbox of its own.
    this.child.setMaxListeners(0);
    this.outbox = new Outbox(this.child);
    this.outbox.retire();
    this.child.on('message', (message) =>
      this.#waiting.get((message as FromWorker).kind)?.(message as FromWorker),
    );
  }

  async serve(): Promise<void> {
    this.outbox = new Outbox(this.child);
    for (const handle of this.#bound) this.child.send({ kind: 'socket' }, handle as unknown as SendHandle);
    await this.#ask({ kind: 'serve' }, 'serving');
  }

  /** Resolves when its last connection is on its way; false where it had to cut one off. */
  async leave(): Promise<boolean> {
    this.outbox.retire();
    const { clean, accepted, faults } = await this.#ask({ kind: 'leave' }, 'left');
    this.accepted = accepted;
    this.faults.push(...faults);
    return clean;
  }

  /** Open connections and descriptors of the process. */
  count(): Promise<Message<'counted'>> {
    return this.#ask({ kind: 'count' }, 'counted');
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exited = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await exited;
  }

  #ask<K extends Kind>(message: ToWorker, kind: K): Promise<Message<K>> {
    return new Promise((resolve, reject) => {
      const exited = (): void => reject(new Error(`Cannot wait for "${kind}": the worker has exited`));
      this.child.once('exit', exited);
      this.#waiting.set(kind, (answer) => {
        this.child.off('exit', exited);
        resolve(answer as Message<K>);
      });
      this.child.send(message);
    });
  }
}

export class HandoverPair {
  readonly sides: readonly [Side, Side];
  /** Connections that had nowhere to go. */
  lost = 0;
  readonly #folder: string;
  readonly #bound: readonly SocketHandle[];

  constructor(folder: string, protocols: readonly Protocol[]) {
    this.#folder = folder;
    this.#bound = protocols.map((protocol) => bind(join(folder, `${protocol}.sock`)));
    this.sides = [new Side(protocols, this.#bound), new Side(protocols, this.#bound)];
    const relay = new Relay({
      route: (listener) => {
        const serving = this.sides.find(({ outbox }) => outbox.open);
        return serving === undefined ? null : { listener, outbox: serving.outbox };
      },
      lost: () => (this.lost += 1),
    });
    for (const { child } of this.sides) {
      child.on('message', (message, handle: unknown) => {
        const heard = message as FromWorker;
        if (heard.kind === 'handover') relay.pass(heard, handle);
      });
    }
  }

  /** They take turns. */
  side(index: number): Side {
    return this.sides[index % 2 === 0 ? 0 : 1];
  }

  address(protocol: Protocol): Address {
    return { kind: 'unix', path: join(this.#folder, `${protocol}.sock`) };
  }

  /** Of this process and of both workers. */
  async descriptors(): Promise<number[]> {
    const own = readdirSync('/proc/self/fd').length;
    const counts = await Promise.all(this.sides.map((side) => side.count()));
    return [own, ...counts.map(({ descriptors }) => descriptors)];
  }

  async stop(): Promise<void> {
    for (const side of this.sides) await side.stop();
    for (const handle of this.#bound) handle.close();
    await removeTempDir(this.#folder);
  }
}

/** Neither of them serves yet. */
export async function startHandoverPair(protocols: readonly Protocol[]): Promise<HandoverPair> {
  return new HandoverPair(await makeTempDir(), protocols);
}

/** Binds without listening, as node:cluster does: a net.Server here would take connections away from the workers. */
function bind(path: string): SocketHandle {
  const make: unknown = Reflect.get(net, '_createServerHandle');
  if (typeof make !== 'function') throw new Error('Cannot bind: this Node has no net._createServerHandle');
  const handle: unknown = Reflect.apply(make, net, [path, -1, -1]);
  if (!isHandle(handle)) throw new Error(`Cannot bind ${path}: error ${String(handle)}`);
  return handle;
}
