// Which Python process gets a request: the one with most threads to spare, and where all are busy and answer fast, a few more
// than it has threads. Keeps who waits in which inbox until a thread claims it. Knows no HTTP and no socket.
import { FrameError, type LaneRequest } from './frames.ts';
import { Inbox } from './inbox.ts';
import type { Lane, LaneUser } from './lane.ts';

/** Who wants a thread. */
export interface Asker extends LaneUser {
  readonly request: LaneRequest;
  /** Dispatch's own. */
  posted: Posted | null;
  /** performance.now() when it went to a process; Dispatch's own. */
  startedAt: number;
  /** No thread came free within timeouts.queue. */
  tooLate(): void;
}

/** One request with a process, until its thread is done with it. */
export interface Posted {
  readonly ticket: number;
  readonly crew: Crew;
  /** Its thread has to call for it. */
  readonly isCalled: boolean;
  /** null: given up meanwhile. */
  user: Asker | null;
  /** Of the thread that has claimed it. */
  lane: Lane | null;
  /** To be cleared when the thread is done. */
  timer: NodeJS.Timeout | undefined;
}

/** The threads of one process. */
interface Crew {
  readonly pid: number;
  readonly inbox: Inbox;
  readonly lanes: Set<Lane>;
  /** Of its lanes, so many were told to leave. */
  leaving: number;
  /** Requests in its inbox and its threads. */
  requests: number;
  /** Of its requests, those that nobody waits for any more. */
  strays: number;
  /** Of its lanes, those whose thread may still be in close(). */
  closing: number;
  /** Mean milliseconds from the end of one request to the end of the next; see PACE_WEIGHT. */
  pace: number;
  /** performance.now() when the last one ended. */
  endedAt: number;
  /** Requests it may have beyond one a thread. */
  ahead: number;
}

/**
 * Requests that wait in an inbox although all threads are busy: a thread that finds one there goes on without a switch to
 * this process and back. They are out of the hands of timeouts.queue, so it is done only where
 * they wait some milliseconds.
 */
const AHEAD = 12;
/** Milliseconds between two ends, below which a process gets requests ahead, and above which it gets none. */
const FAST = 1;
const SLOW = 2;
/** One in so many ends makes the mean; a pause counts as LONGEST. */
const PACE_WEIGHT = 32;
const LONGEST = 50;
/** Milliseconds without an end, after which a process that has requests ahead gives them to others. */
const STALL = 20;
/** Milliseconds before a full inbox is tried again. */
const PAUSE = 2;

export class Dispatch {
  readonly #queueTimeout: number;
  readonly #onPlaces: () => void;
  readonly #crews = new Map<string, Crew>();
  readonly #crewOf = new Map<Lane, Crew>();
  /** By ticket. */
  readonly #posted: (Posted | null)[] = [];
  readonly #free: number[] = [];
  readonly #waiting = new Set<Asker>();

  /**
   * @param queueTimeout milliseconds for which a request waits for a thread
   * @param onPlaces `places` has changed
   */
  constructor(queueTimeout: number, onPlaces: () => void) {
    this.#queueTimeout = queueTimeout;
    this.#onPlaces = onPlaces;
  }

  /** Requests that can be with Python at a time. */
  get places(): number {
    let places = 0;
    for (const crew of this.#crews.values()) places += Math.max(0, roomOf(crew) - crew.strays);
    return places;
  }

  /** Threads that were not told to leave. */
  get staying(): number {
    let staying = 0;
    for (const crew of this.#crews.values()) staying += stayingOf(crew);
    return staying;
  }

  /** So many threads are to leave, whichever have nothing to do first. */
  letGo(count: number): void {
    for (let left = count; left > 0; left -= 1) {
      let most: Crew | null = null;
      for (const crew of this.#crews.values())
        if (most === null || stayingOf(crew) > stayingOf(most)) most = crew;
      if (most === null || !most.inbox.hasRoom) return;
      most.inbox.leave();
      most.leaving += 1;
    }
  }

  /** A thread has come. @throws the system's error where its inbox cannot be opened */
  join(lane: Lane, pid: number, path: string): void {
    let crew = this.#crews.get(path);
    if (crew === undefined) {
      const inbox = new Inbox(path);
      crew = {
        pid,
        inbox,
        lanes: new Set(),
        leaving: 0,
        requests: 0,
        strays: 0,
        closing: 0,
        pace: LONGEST,
        endedAt: 0,
        ahead: 0,
      };
      this.#crews.set(path, crew);
    }
    crew.lanes.add(lane);
    this.#crewOf.set(lane, crew);
    this.#serve();
    this.#level(performance.now());
    this.#onPlaces();
  }

  /** A thread is gone. Who waits for what it had claimed is told by the lane. */
  part(lane: Lane): void {
    const crew = this.#crewOf.get(lane);
    if (crew === undefined) return;
    if (lane.isClosing) crew.closing -= 1;
    this.#done(lane);
    this.#crewOf.delete(lane);
    crew.lanes.delete(lane);
    crew.leaving = Math.max(0, crew.leaving - 1);
    if (crew.lanes.size === 0) this.#dissolve(crew);
    this.#onPlaces();
  }

  /** Hands a request to a process, now or as soon as there is one with a thread to spare. */
  post(user: Asker): void {
    const crew = this.#freest();
    if (crew === null || !this.#put(crew, user)) this.#wait(user);
  }

  /** The thread of that lane has taken the request with that ticket; null: nobody waits for it any more. */
  claim(lane: Lane, ticket: number): Asker | null {
    const posted = this.#posted[ticket];
    const crew = this.#crewOf.get(lane);
    if (posted === undefined || posted === null || crew !== posted.crew || posted.lane !== null)
      throw new FrameError(`Cannot take CLAIM: no request has the ticket ${ticket}`);
    if (lane.isClosing) crew.closing -= 1;
    posted.lane = lane;
    return posted.user;
  }

  /** The request of that lane is over. */
  end(lane: Lane): void {
    const crew = this.#crewOf.get(lane);
    if (crew === undefined) return;
    this.#done(lane);
    if (lane.isClosing) crew.closing += 1;
    const now = performance.now();
    crew.pace += (Math.min(now - crew.endedAt, LONGEST) - crew.pace) / PACE_WEIGHT;
    crew.endedAt = now;
    if (crew.ahead === 0 ? crew.pace < FAST : crew.pace > SLOW) this.#allowAhead(crew, AHEAD - crew.ahead);
    if (this.#waiting.size > 0) this.#serve();
    if (this.#crews.size > 1) this.#level(now);
  }

  /** Nobody waits for that request any more: null where no thread has it, else what ends when the thread is done. */
  giveUp(user: Asker): Posted | null {
    this.#waiting.delete(user);
    const { posted } = user;
    if (posted === null) return null;
    const { ticket, crew, lane } = posted;
    if (lane === null && crew.inbox.recall(ticket, (each) => this.#again(each))) {
      this.#release(ticket);
      return null;
    }
    user.posted = null;
    posted.user = null;
    crew.strays += 1;
    crew.inbox.giveUp(ticket, true);
    lane?.forget(user);
    this.#onPlaces();
    return posted;
  }

  /** Which thread is busy with it; null: none is, or it has not said so yet. */
  threadOf({ ticket, crew, lane }: Posted): { readonly pid: number; readonly thread: number } | null {
    const thread = lane?.hello?.thread ?? crew.inbox.threadOf(ticket);
    return thread === null ? null : { pid: crew.pid, thread };
  }

  close(): void {
    for (const { inbox } of this.#crews.values()) inbox.close();
    this.#crews.clear();
    this.#crewOf.clear();
  }

  /** The process with most threads to spare; null: none may have another request. */
  #freest(): Crew | null {
    let best: Crew | null = null;
    let most = -Infinity;
    for (const crew of this.#crews.values()) {
      const spare = spareOf(crew);
      if (spare > most && crew.requests < roomOf(crew)) {
        best = crew;
        most = spare;
      }
    }
    return best;
  }

  #put(crew: Crew, user: Asker): boolean {
    const { inbox } = crew;
    if (!inbox.hasRoom) {
      setTimeout(() => this.#serve(), PAUSE).unref();
      return false;
    }
    const ticket = this.#free.pop() ?? this.#posted.push(null) - 1;
    const isCalled = !inbox.put(ticket, user.request);
    const posted: Posted = { ticket, crew, isCalled, user, lane: null, timer: undefined };
    this.#posted[ticket] = posted;
    user.posted = posted;
    user.startedAt = performance.now();
    crew.requests += 1;
    return true;
  }

  /** Its thread is done with it, or none will ever have it: whose it was. */
  #release(ticket: number): Asker | null {
    const posted = this.#posted[ticket];
    if (posted === undefined || posted === null) return null;
    const { crew, user, timer } = posted;
    this.#posted[ticket] = null;
    this.#free.push(ticket);
    crew.requests -= 1;
    if (user !== null) {
      user.posted = null;
      return user;
    }
    crew.strays -= 1;
    crew.inbox.giveUp(ticket, false);
    clearTimeout(timer);
    this.#onPlaces();
    return null;
  }

  /** The thread of that lane is done with what it had claimed, if it had. */
  #done(lane: Lane): void {
    if (this.#posted[lane.ticket]?.lane === lane) this.#release(lane.ticket);
  }

  #wait(user: Asker): void {
    this.#waiting.add(user);
    setTimeout(() => {
      if (this.#waiting.delete(user)) user.tooLate();
    }, this.#queueTimeout).unref();
  }

  #serve(): void {
    for (const user of this.#waiting) {
      const crew = this.#freest();
      if (crew === null || !this.#put(crew, user)) return;
      this.#waiting.delete(user);
    }
  }

  #allowAhead(crew: Crew, ahead: number): void {
    crew.ahead = ahead;
    this.#onPlaces();
  }

  /** Whoever is ahead of its threads gives to those that have some to spare, and gives all where its threads are stuck. */
  #level(now: number): void {
    for (const crew of this.#crews.values()) {
      if (crew.requests <= stayingOf(crew)) continue;
      if (crew.ahead > 0 && now - crew.endedAt > STALL) {
        crew.pace = LONGEST;
        this.#allowAhead(crew, 0);
      }
      while (crew.requests > stayingOf(crew) && (crew.ahead === 0 || this.#hasSpare())) {
        const ticket = crew.inbox.takeBack();
        if (ticket === null) break;
        this.#again(ticket);
      }
    }
  }

  #hasSpare(): boolean {
    for (const crew of this.#crews.values()) if (spareOf(crew) > 0) return true;
    return false;
  }

  /** What was taken back from an inbox goes to another. */
  #again(ticket: number): void {
    const user = this.#release(ticket);
    if (user !== null) this.post(user);
  }

  /** Its last thread is gone: what none of them took goes elsewhere, the rest was lost with them. */
  #dissolve(crew: Crew): void {
    this.#crews.delete(crew.inbox.path);
    for (let ticket = crew.inbox.takeBack(); ticket !== null; ticket = crew.inbox.takeBack())
      this.#again(ticket);
    for (const posted of this.#posted) if (posted?.crew === crew) this.#release(posted.ticket)?.lost(null);
    crew.inbox.close();
  }
}

const stayingOf = ({ lanes, leaving }: Crew): number => Math.max(0, lanes.size - leaving);

/** Threads that have nothing to do, as far as is known; below zero: requests that wait for one. */
const spareOf = (crew: Crew): number => stayingOf(crew) - crew.requests - crew.closing;

/** Requests it may have. */
const roomOf = (crew: Crew): number => {
  const staying = stayingOf(crew);
  return staying === 0 ? 0 : staying + crew.ahead;
};
