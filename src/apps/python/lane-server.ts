// The lanes of one mount in one worker: where Python threads connect, when they are to leave, and how many requests may run.
// Knows no request and no process.
import { renameSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { basename, dirname, join } from 'node:path';
import type { Admission } from '../../gateway/admission.ts';
import { type Asker, Dispatch, type Posted } from './dispatch.ts';
import { type Hello, Lane, type LaneOwner, type LaneSocket } from './lane.ts';

/** Where the lanes of a mount come to, and what proves that they are ours. Plain data: it comes from the master. */
export interface LaneAddress {
  /** The mount's name. */
  readonly mount: string;
  /** Of a Unix socket that this worker makes. */
  readonly path: string;
  readonly token: string;
}

/** A lane has opened or is gone. Plain data. */
export interface LaneChange {
  readonly mount: string;
  readonly pid: number;
  readonly thread: number;
  readonly open: boolean;
}

/** A thread is still busy with a request that nobody waits for any more. Plain data. */
export interface Overdue {
  readonly mount: string;
  readonly pid: number;
  readonly thread: number;
  readonly requestId: string;
  readonly method: string;
  readonly uri: string;
}

/** A request that nobody waits for any more. */
export type Abandoned = Pick<Overdue, 'requestId' | 'method' | 'uri'>;

/** What the pool of the mount is like. Plain data: it comes from the master. */
export interface PoolState {
  readonly mount: string;
  /** The app does not load. */
  readonly isDown: boolean;
  /** Why, where it is down. */
  readonly failure?: string | undefined;
}

export interface LaneServerOptions {
  readonly address: LaneAddress;
  readonly admission: Admission;
  /** This process serves nothing but Python. */
  readonly cedes: boolean;
  /** limits.requests of the mount. */
  readonly requests: number;
  /** timeouts.request of the mount, in milliseconds; 0: no limit. */
  readonly requestTimeout: number;
  /** timeouts.queue of the mount, in milliseconds. */
  readonly queueTimeout: number;
  /** How an accepted connection is read: it is paused, and nothing of it was read yet. */
  readonly read: (socket: Socket, receive: (chunk: Buffer) => void) => LaneSocket;
  readonly onLane: (change: LaneChange) => void;
  readonly onOverdue: (overdue: Overdue) => void;
}

/** Milliseconds for a new connection to say who it is. */
const HELLO_TIME = 5000;
/** Milliseconds for which a worker that is replaced keeps one lane for a request that is still on its way. */
const LAST_LANE_TIME = 1000;
/** Milliseconds before it is looked again which thread has a request. */
const LOOK_AGAIN = 5;
/** Threads of many processes may connect at the same time. */
const BACKLOG = 1024;

export class LaneServer implements LaneOwner {
  readonly #options: LaneServerOptions;
  readonly #server: Server;
  readonly #lanes = new Set<Lane>();
  readonly #dispatch: Dispatch;
  #isDown = false;
  #failure: string | undefined;
  #isLeaving = false;
  #holdsLast = true;

  constructor(options: LaneServerOptions) {
    this.#options = options;
    this.#dispatch = new Dispatch(options.queueTimeout, () => this.#resize());
    this.#server = createServer({ pauseOnConnect: true }, (socket) => this.#connected(socket));
  }

  get cedes(): boolean {
    return this.#options.cedes;
  }

  /** Lanes that are open. */
  get size(): number {
    return this.#lanes.size;
  }

  /** Requests that can be with Python at a time: one a thread, and some more where they are answered fast. */
  get places(): number {
    return this.#dispatch.places;
  }

  /** The app does not load: requests are not to wait for a lane. */
  get isDown(): boolean {
    return this.#isDown;
  }

  /** Why the app does not load, where it is known. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** @throws the system's error */
  async listen(): Promise<void> {
    const { path } = this.#options.address;
    // The worker before us in this place may still listen there; Node would remove its own path, which so is another.
    const own = `${path}.${process.pid}`;
    rmSync(own, { force: true });
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ path: own, backlog: BACKLOG }, resolve);
    });
    // A connection that could not be accepted is tried again by its thread.
    this.#server.on('error', () => undefined);
    renameSync(own, path);
    this.#resize();
  }

  /** Hands a request to a thread, as soon as one has time for it. */
  post(user: Asker): void {
    this.#dispatch.post(user);
  }

  /**
   * Nobody waits for that request any more. A thread that is not done with it in the time a request may take is reported, at
   * once where that is over.
   */
  giveUp(user: Asker, request: Abandoned, isOverdue: boolean): void {
    const posted = this.#dispatch.giveUp(user);
    const { requestTimeout } = this.#options;
    if (posted === null || requestTimeout === 0) return;
    const left = isOverdue ? 0 : user.startedAt + requestTimeout - performance.now();
    if (left <= 0) this.#report(posted, request);
    else posted.timer = setTimeout(() => this.#report(posted, request), left).unref();
  }

  #report(posted: Posted, request: Abandoned): void {
    const found = this.#dispatch.threadOf(posted);
    if (found !== null) this.#options.onOverdue({ mount: this.#options.address.mount, ...found, ...request });
    // It has only just taken it, and waits for the interpreter.
    else posted.timer = setTimeout(() => this.#report(posted, request), LOOK_AGAIN).unref();
  }

  /** Takes on what the master says. */
  update({ isDown, failure }: PoolState): void {
    this.#isDown = isDown;
    this.#failure = failure;
    this.#resize();
  }

  /** Another worker takes over: lanes go to it as soon as nothing here needs them. */
  release(): void {
    if (this.#isLeaving) return;
    this.#isLeaving = true;
    this.#dropUnneeded();
    setTimeout(() => {
      this.#holdsLast = false;
      this.#dropUnneeded();
    }, LAST_LANE_TIME).unref();
  }

  close(): void {
    this.#server.close();
    for (const lane of this.#lanes) lane.destroy();
    this.#dispatch.close();
  }

  greets(lane: Lane, { pid, token, inbox }: Hello): boolean {
    const { address } = this.#options;
    if (token !== address.token || basename(inbox) !== inbox) return false;
    try {
      this.#dispatch.join(lane, pid, join(dirname(address.path), inbox));
      return true;
    } catch {
      // Its process has gone, or we let go of its inbox as the last of its threads left: it comes again with another.
      return false;
    }
  }

  opened(lane: Lane): void {
    this.#lanes.add(lane);
    this.#tell(lane, true);
    this.#dropUnneeded();
  }

  claimed(lane: Lane, ticket: number): Asker | null {
    return this.#dispatch.claim(lane, ticket);
  }

  idle(lane: Lane): void {
    this.#dispatch.end(lane);
    this.#dropUnneeded();
  }

  closed(lane: Lane): void {
    this.#lanes.delete(lane);
    this.#dispatch.part(lane);
    this.#tell(lane, false);
  }

  #connected(socket: Socket): void {
    const lane = new Lane((receive) => this.#options.read(socket, receive), this);
    setTimeout(() => {
      if (lane.state === 'greeting') lane.destroy();
    }, HELLO_TIME).unref();
  }

  /** Where another worker has taken over: who has been let in needs a thread, now or in a moment. */
  #dropUnneeded(): void {
    if (!this.#isLeaving) return;
    const { running, waiting } = this.#options.admission;
    const needed = Math.max(running + waiting, this.#holdsLast ? 1 : 0);
    this.#dispatch.letGo(this.#dispatch.staying - needed);
    this.#resize();
  }

  #tell({ hello }: Lane, open: boolean): void {
    if (hello === null) return;
    const { pid, thread } = hello;
    this.#options.onLane({ mount: this.#options.address.mount, pid, thread, open });
  }

  /** As many requests run as Python has places; where none will come they are let in, to be told so. */
  #resize(): void {
    const { admission, requests } = this.#options;
    admission.resize(this.#isDown ? requests : Math.min(requests, this.#dispatch.places));
  }
}
