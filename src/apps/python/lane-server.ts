// The lanes of one mount in one worker: where Python threads connect, which of them are idle, and how many requests may run.
// Knows no request and no process.
import { renameSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import type { Admission } from '../../gateway/admission.ts';
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
/** Threads of many processes may connect at the same time. */
const BACKLOG = 1024;

export class LaneServer implements LaneOwner {
  readonly #options: LaneServerOptions;
  readonly #server: Server;
  readonly #lanes = new Set<Lane>();
  /** The last one is the next to be used: the fewer threads are busy, the better their caches serve. */
  readonly #idle: Lane[] = [];
  readonly #waiting = new Set<(lane: Lane | null) => void>();
  /** Threads that went on after their request was given up, and the timers that report them. */
  readonly #strays = new Map<string, NodeJS.Timeout>();
  #isDown = false;
  #failure: string | undefined;
  #isLeaving = false;
  #holdsLast = true;

  constructor(options: LaneServerOptions) {
    this.#options = options;
    this.#server = createServer({ pauseOnConnect: true }, (socket) => this.#connected(socket));
  }

  /** Lanes that are open. */
  get size(): number {
    return this.#lanes.size;
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

  /** An idle lane; null: there is none now. */
  take(): Lane | null {
    return this.#idle.pop() ?? null;
  }

  /** `use` gets the next lane that comes free; null: none did within timeouts.queue. */
  wait(use: (lane: Lane | null) => void): void {
    this.#waiting.add(use);
    setTimeout(() => {
      if (this.#waiting.delete(use)) use(null);
    }, this.#options.queueTimeout).unref();
  }

  /** `use` waits no more. */
  forget(use: (lane: Lane | null) => void): void {
    this.#waiting.delete(use);
  }

  /**
   * Gives up the request that a lane is busy with. A thread that does not come back in the time a request may take is
   * reported, at once where that is over.
   */
  abandon(lane: Lane, request: Pick<Overdue, 'requestId' | 'method' | 'uri'>, isOverdue: boolean): void {
    const { hello, startedAt } = lane;
    lane.destroy();
    const { requestTimeout, onOverdue, address } = this.#options;
    if (hello === null || requestTimeout === 0) return;
    const { pid, thread } = hello;
    const report = (): void => onOverdue({ mount: address.mount, pid, thread, ...request });
    const left = startedAt + requestTimeout - performance.now();
    if (isOverdue || left <= 0) report();
    else this.#strays.set(keyOf(hello), setTimeout(report, left).unref());
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
    this.#dropUnwanted();
    setTimeout(() => {
      this.#holdsLast = false;
      this.#dropUnwanted();
    }, LAST_LANE_TIME).unref();
  }

  close(): void {
    this.#server.close();
    for (const timer of this.#strays.values()) clearTimeout(timer);
    for (const lane of this.#lanes) lane.destroy();
  }

  greets({ token }: Hello): boolean {
    return token === this.#options.address.token;
  }

  opened(lane: Lane, hello: Hello): void {
    const key = keyOf(hello);
    clearTimeout(this.#strays.get(key));
    this.#strays.delete(key);
    this.#lanes.add(lane);
    this.#tell(lane, true);
    this.#resize();
  }

  idle(lane: Lane, isClosing: boolean): void {
    const [next] = this.#waiting;
    if (!this.#isNeeded()) {
      lane.destroy();
    } else if (next !== undefined) {
      this.#waiting.delete(next);
      next(lane);
    } else if (isClosing) {
      this.#idle.unshift(lane);
    } else {
      this.#idle.push(lane);
    }
  }

  closed(lane: Lane): void {
    this.#lanes.delete(lane);
    const at = this.#idle.indexOf(lane);
    if (at !== -1) this.#idle.splice(at, 1);
    this.#tell(lane, false);
    this.#resize();
  }

  #connected(socket: Socket): void {
    const lane = new Lane((receive) => this.#options.read(socket, receive), this);
    setTimeout(() => {
      if (lane.state === 'greeting') lane.destroy();
    }, HELLO_TIME).unref();
  }

  #isNeeded(): boolean {
    if (!this.#isLeaving) return true;
    // Who has been let in will ask for a lane in a moment; the one in question is idle, or about to be.
    const { running, waiting } = this.#options.admission;
    const busy = [...this.#lanes].filter(({ state }) => state !== 'idle').length;
    return waiting > 0 || running > busy || (this.#holdsLast && this.#lanes.size === 1);
  }

  #dropUnwanted(): void {
    // Each is taken out of the list by its end.
    while (this.#idle.length > 0 && !this.#isNeeded()) this.#idle[0]?.destroy();
  }

  #tell({ hello }: Lane, open: boolean): void {
    if (hello === null) return;
    const { pid, thread } = hello;
    this.#options.onLane({ mount: this.#options.address.mount, pid, thread, open });
  }

  /** As many requests run as there are lanes; where none will come they are let in, to be told so. */
  #resize(): void {
    const { admission, requests } = this.#options;
    admission.resize(this.#isDown ? requests : Math.min(requests, this.#lanes.size));
  }
}

const keyOf = ({ pid, thread }: Hello): string => `${pid}/${thread}`;
