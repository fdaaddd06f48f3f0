// Where the requests for one Python process wait: a FIFO that its threads read, whoever is free first. So a thread that has
// answered finds its next request there instead of waiting for this worker to run again. Knows bytes and tickets,
// and nothing of lanes.
//
// The process has made the FIFO, and beside it a file in which both note, by ticket, which thread has taken the request and
// that nobody waits for it any more, and this worker the lists of names; the threads have that in their memory (mmap(2)).
//
// A frame is a page, and so is what is read at once: a request goes either to one thread or back to us. pipe(7) promises that for
// a frame that is written by itself; Linux gives each page of a longer write a buffer of its own, and fills whole ones or none.
import { Buffer } from 'node:buffer';
import { closeSync, constants, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import type { NameList } from './environ-text.ts';
import { INBOX_FRAME, type LaneRequest, ticketOf, writeLeave, writeRequest } from './frames.ts';

/** Beside the FIFO; worker.py adds the same. */
const NOTES = '.notes';
/**
 * Of a ticket: two bytes with the number of the thread and one (0: none), then two of which the first says "given up". All
 * numbers there are as the machine has them.
 */
const NOTE = 4;
const GIVEN_UP = 2;
/** Behind the notes of all tickets, for each list of names: two bytes with its length, then the list. */
const LISTS = 65_536 * NOTE;
const LIST = 4096;
const [SET, CLEAR] = [Buffer.of(1), Buffer.of(0)];

/** Frames that can wait for the FIFO to have room, or for the end of a turn of the event loop. */
const HELD = 16;
/** Milliseconds before a full FIFO is tried again. */
const PAUSE = 2;

const frame = Buffer.alloc(INBOX_FRAME);
const note = new Uint16Array(NOTE / 2);

export class Inbox {
  readonly path: string;
  readonly #fifo: number;
  readonly #notes: number;
  readonly #held = Buffer.alloc(HELD * INBOX_FRAME);
  readonly #slots = Array.from({ length: HELD }, (_, at) =>
    this.#held.subarray(at * INBOX_FRAME, (at + 1) * INBOX_FRAME),
  );
  #count = 0;
  readonly #told: boolean[] = [];
  #retries = false;

  /**
   * Opens it, and takes its names away: nothing is left behind by whoever ends last.
   * @throws the system's error
   */
  constructor(path: string) {
    this.path = path;
    // For reading as well: it must not break while no thread has it open, and what nobody takes is taken back.
    this.#fifo = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
    try {
      this.#notes = openSync(path + NOTES, 'r+');
    } catch (error) {
      closeSync(this.#fifo);
      throw error;
    }
    unlinkSync(path);
    unlinkSync(path + NOTES);
  }

  /** put() and leave() may come next. */
  get hasRoom(): boolean {
    return this.#count < HELD || this.#writeHeld();
  }

  /**
   * Puts a request behind the others, at the end of this turn of the event loop: together with what else comes in it, and without
   * a thread that wakes up and takes the processor before that. False: its thread has to call for it.
   */
  put(ticket: number, request: LaneRequest): boolean {
    if (this.#count === 0) setImmediate(() => this.#writeHeld());
    return writeRequest(this.#next(), ticket, request, this.#tell(request.environ.names));
  }

  /** One thread is to leave. */
  leave(): void {
    writeLeave(this.#next());
    this.#writeHeld();
  }

  /** Takes the first request back: its ticket; null: there is none. */
  takeBack(): number | null {
    let ticket: number | null = null;
    let leaves = 0;
    while (ticket === null && this.#read()) {
      ticket = ticketOf(frame);
      if (ticket === null) leaves += 1;
    }
    // Threads wait for it; where there is no room for it, none of them does.
    for (; leaves > 0 && this.hasRoom; leaves -= 1) this.leave();
    return ticket;
  }

  /**
   * Takes the frame with that ticket back; false: a thread has it. The others stay in their order, but for those for which
   * there is no room any more: `left` is told of them.
   */
  recall(ticket: number, left: (ticket: number) => void): boolean {
    const others: Buffer[] = [];
    let isFound = false;
    while (this.#read()) {
      if (ticketOf(frame) === ticket) isFound = true;
      else others.push(Buffer.from(frame));
    }
    for (const other of others) {
      const each = ticketOf(other);
      if (this.hasRoom) {
        this.#next().set(other);
        this.#writeHeld();
      } else if (each !== null) left(each);
    }
    return isFound;
  }

  /** The number of the thread that has taken what has that ticket; null: it has not said yet. */
  threadOf(ticket: number): number | null {
    const size = readSync(this.#notes, note, 0, NOTE, ticket * NOTE);
    const thread = size === NOTE ? note[0] : 0;
    return thread === undefined || thread === 0 ? null : thread - 1;
  }

  /** Tells the thread that has that ticket whether somebody waits for the answer; it looks there now and then. */
  giveUp(ticket: number, isGivenUp: boolean): void {
    writeSync(this.#notes, isGivenUp ? SET : CLEAR, 0, 1, ticket * NOTE + GIVEN_UP);
  }

  close(): void {
    this.#count = 0;
    closeSync(this.#fifo);
    closeSync(this.#notes);
  }

  /** Where the next frame is to be written. */
  #next(): Buffer {
    this.#count += 1;
    return this.#slots[this.#count - 1] as Buffer;
  }

  /** True when there is room for more. */
  #writeHeld(): boolean {
    const size = this.#count * INBOX_FRAME;
    if (size === 0) return true;
    const written = this.#write(size);
    this.#held.copyWithin(0, written, size);
    this.#count -= written / INBOX_FRAME;
    if (this.#count > 0) this.#retry();
    return this.#count < HELD;
  }

  #retry(): void {
    if (this.#retries) return;
    this.#retries = true;
    setTimeout(() => {
      this.#retries = false;
      this.#writeHeld();
    }, PAUSE).unref();
  }

  #write(size: number): number {
    try {
      return writeSync(this.#fifo, this.#held, 0, size);
    } catch (error) {
      return notNow(error);
    }
  }

  #read(): boolean {
    this.#writeHeld();
    try {
      return readSync(this.#fifo, frame, 0, INBOX_FRAME, null) === INBOX_FRAME;
    } catch (error) {
      return notNow(error) > 0;
    }
  }

  /** Whether the threads know that list by its number. */
  #tell({ number, text }: NameList): boolean {
    if (number < 0) return false;
    return (this.#told[number] ??= this.#noteList(number, text));
  }

  #noteList(number: number, text: string): boolean {
    const list = Buffer.concat([
      new Uint8Array(Uint16Array.of(text.length).buffer),
      Buffer.from(text, 'latin1'),
    ]);
    try {
      return writeSync(this.#notes, list, 0, list.length, LISTS + number * LIST) === list.length;
    } catch {
      // The disk is full: the names go with each request.
      return false;
    }
  }
}

/** 0 where the FIFO is full, or empty. */
function notNow(error: unknown): 0 {
  if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return 0;
  throw error;
}
