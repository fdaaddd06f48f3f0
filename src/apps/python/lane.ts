// One lane: a connection to one thread of a Python process, which answers one request at a time. Knows frames and their
// order, and nothing of HTTP, environs, inboxes and other lanes.
import type { Duplex } from 'node:stream';
import {
  encodeBodyHeader,
  encodeEmpty,
  encodeRequest,
  type Frame,
  FrameDecoder,
  FrameError,
  FrameFlag,
  FrameType,
  LANE_VERSION,
  type LaneRequest,
} from './frames.ts';

export type LaneState = 'greeting' | 'idle' | 'waiting' | 'answering' | 'closed';

/** hello: the thread has said who it is. claim: it has taken a request. head: its response begins. end: it is over. */
export type LaneEvent = 'hello' | 'claim' | 'head' | 'end' | 'close';

/** What is not in the table is a fault of whoever did it. */
export const LANE_TABLE: Readonly<Record<LaneState, Readonly<Partial<Record<LaneEvent, LaneState>>>>> = {
  greeting: { hello: 'idle', close: 'closed' },
  idle: { claim: 'waiting', close: 'closed' },
  waiting: { head: 'answering', end: 'idle', close: 'closed' },
  answering: { end: 'idle', close: 'closed' },
  closed: {},
};

/** What the application raised, with Python's own traceback as its stack. */
export class PythonError extends Error {
  override readonly name = 'PythonError';

  /** @param bytes of an ERR frame: class NUL message NUL traceback, in UTF-8 */
  constructor(bytes: Buffer) {
    const [kind = '', message = '', traceback = ''] = bytes.toString('utf8').split('\0');
    super(message === '' ? kind : `${kind}: ${message}`);
    this.stack = traceback.trimEnd();
  }
}

/** Who has the lane for one request. */
export interface LaneUser {
  /** A thread has taken the request, and may want the rest of it. */
  claimed(lane: Lane): void;
  /** @param frame HEAD: in its head the status line, then name, value, name, value ... */
  head(frame: Frame): void;
  /** More of the response; `isLast` once it is over. */
  data(chunk: Buffer, isLast: boolean): void;
  /** The application failed, and the request is over. */
  failed(error: PythonError): void;
  /** After the request was over: its close() failed. */
  closeFailed(error: PythonError): void;
  /** Whole lines for wsgi.errors; some may come after the request is over. */
  log(text: string): void;
  /** The lane is gone, and the request was not over. `why`: what the thread did wrong; null: it just went. */
  lost(why: FrameError | null): void;
  /** sendBody() may go on. */
  drained(): void;
}

/** A connection as a lane uses it. */
export interface LaneSocket {
  readonly socket: Duplex;
  /** A part of the chunk that is being received, or a copy of it, that stays as it is. */
  keep(part: Buffer): Buffer;
}

/** Gives `receive` what comes in over a connection; each chunk is good until it returns. */
export type OpenLaneSocket = (receive: (chunk: Buffer) => void) => LaneSocket;

export interface LaneOwner {
  /** This process serves nothing but Python; see CEDES. */
  readonly cedes: boolean;
  /** A thread has said who it is; false: it is not one of ours, or of no use. */
  greets(lane: Lane, hello: Hello): boolean;
  opened(lane: Lane): void;
  /** The thread has taken what has that ticket: for whom it is; null: for nobody any more. */
  claimed(lane: Lane, ticket: number): LaneUser | null;
  /** A request is over. */
  idle(lane: Lane): void;
  closed(lane: Lane): void;
}

/** Which thread it is. */
export interface Hello {
  readonly pid: number;
  /** 0..processes-1 */
  readonly process: number;
  /** 0..threads-1 */
  readonly thread: number;
  readonly token: string;
  /** The name of the FIFO from which it takes requests, beside the lane's socket; see inbox.ts. */
  readonly inbox: string;
}

export class Lane {
  readonly #socket: Duplex;
  readonly #owner: LaneOwner;
  readonly #decoder: FrameDecoder;
  #state: LaneState = 'greeting';
  #hello: Hello | null = null;
  #user: LaneUser | null = null;
  /** Whose close() may still have something to say. */
  #before: LaneUser | null = null;
  /** BODY frames are due, the last of them with FIN. */
  #owesBody = false;
  #fault: FrameError | null = null;
  /** Of the request it has claimed last. */
  ticket = -1;

  constructor(open: OpenLaneSocket, owner: LaneOwner) {
    const opened = open((chunk) => this.#push(chunk));
    const { socket } = opened;
    this.#socket = socket;
    this.#decoder = new FrameDecoder(
      (frame) => this.#take(frame),
      (part) => opened.keep(part),
    );
    this.#owner = owner;
    socket.on('drain', () => this.#user?.drained());
    // 'close' follows.
    socket.on('error', () => undefined);
    socket.on('end', () => this.#close());
    socket.on('close', () => this.#close());
  }

  get state(): LaneState {
    return this.#state;
  }

  /** null: it has not said yet. */
  get hello(): Hello | null {
    return this.#hello;
  }

  /** It has answered, and the app's close() may still run. */
  get isClosing(): boolean {
    return this.#before !== null;
  }

  /** Sends the request that the thread has claimed, where it could not stand in its inbox. */
  call(request: LaneRequest): void {
    this.#owesBody = request.body === null;
    this.#socket.write(encodeRequest(request));
  }

  /** One piece of the request body. False: wait for drained() before the next one. */
  sendBody(user: LaneUser, piece: Uint8Array): boolean {
    if (user !== this.#user || !this.#owesBody) return true;
    this.#socket.cork();
    this.#socket.write(encodeBodyHeader(piece.length, 0));
    const below = this.#socket.write(piece);
    this.#socket.uncork();
    return below;
  }

  /** The request body is over. */
  endBody(user: LaneUser, isAborted: boolean): void {
    if (user === this.#user) this.#endBody(isAborted);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Nobody waits for the request under way any more: what comes for it is dropped until the thread is done with it. */
  forget(user: LaneUser): void {
    if (user !== this.#user) return;
    this.#user = null;
    this.#endBody(true);
    this.#socket.resume();
  }

  /** Whoever has it is not told. */
  destroy(): void {
    this.#user = null;
    this.#close();
  }

  #endBody(isAborted: boolean): void {
    if (!this.#owesBody) return;
    this.#owesBody = false;
    this.#socket.write(encodeBodyHeader(0, FrameFlag.Fin | (isAborted ? FrameFlag.Aborted : 0)));
  }

  #push(chunk: Buffer): void {
    if (this.#state === 'closed') return;
    try {
      this.#decoder.push(chunk);
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      this.#fault = error;
      this.#close();
    }
  }

  #take(frame: Frame): void {
    if (this.#state === 'closed') return;
    const { type, flags } = frame;
    const isLate = (flags & FrameFlag.Close) !== 0;
    const user = isLate ? this.#before : this.#user;
    switch (type) {
      case FrameType.Hello:
        this.#greet(frame);
        break;
      case FrameType.Head:
        this.#move('head');
        user?.head(frame);
        if (isOver(frame)) this.#finish(flags);
        break;
      case FrameType.Data:
        if (this.#state !== 'answering') throw new FrameError('Cannot take DATA: no HEAD went before');
        user?.data(frame.bytes, isOver(frame));
        if (isOver(frame)) this.#finish(flags);
        break;
      case FrameType.Err:
        if (isLate) user?.closeFailed(new PythonError(frame.bytes));
        else {
          user?.failed(new PythonError(frame.bytes));
          this.#finish(flags);
        }
        break;
      case FrameType.Log:
        user?.log(frame.bytes.toString('utf8'));
        break;
      case FrameType.Claim:
        this.#claim(frame);
        break;
      case FrameType.Req:
      case FrameType.Body:
      case FrameType.Call:
      case FrameType.Leave:
      case FrameType.Drop:
      case FrameType.Welcome:
      case FrameType.Values:
        throw new FrameError(`Cannot take a frame of type ${type}`);
    }
  }

  #greet({ head, aux }: Frame): void {
    const [pid = '', process = '', thread = '', token = '', inbox = ''] = head.split('\0');
    const hello = { pid: Number(pid), process: Number(process), thread: Number(thread), token, inbox };
    this.#move('hello');
    this.#hello = hello;
    if (aux !== LANE_VERSION || !this.#owner.greets(this, hello)) {
      this.#hello = null;
      this.#close();
      return;
    }
    this.#socket.write(encodeEmpty(FrameType.Welcome, this.#owner.cedes ? FrameFlag.Cedes : 0));
    this.#owner.opened(this);
  }

  #claim({ aux, flags }: Frame): void {
    this.#move('claim');
    const user = this.#owner.claimed(this, aux);
    this.ticket = aux;
    this.#before = null;
    this.#user = user;
    if (user !== null) user.claimed(this);
    else if ((flags & FrameFlag.Waits) !== 0) {
      this.#socket.write(encodeEmpty(FrameType.Drop));
      this.#finish(0);
    }
  }

  /** The response is complete, or has failed. */
  #finish(flags: number): void {
    // Its user may have given the lane up meanwhile.
    if (this.#state === 'closed') return;
    this.#endBody(true);
    this.#move('end');
    this.#before = (flags & FrameFlag.Closing) !== 0 ? this.#user : null;
    this.#user = null;
    // A user that read slowly may have left it so.
    this.#socket.resume();
    this.#owner.idle(this);
  }

  #close(): void {
    if (this.#state === 'closed') return;
    const wasGreeted = this.#hello !== null;
    this.#move('close');
    const user = this.#user;
    this.#user = null;
    this.#socket.destroy();
    if (wasGreeted) this.#owner.closed(this);
    this.#before = null;
    user?.lost(this.#fault);
  }

  #move(event: LaneEvent): void {
    const next = LANE_TABLE[this.#state][event];
    if (next === undefined) throw new FrameError(`Cannot take "${event}" while the lane is ${this.#state}`);
    this.#state = next;
  }
}

/** FIN counts once the whole frame is there. */
const isOver = ({ flags, rest }: Frame): boolean => (flags & FrameFlag.Fin) !== 0 && rest === 0;
