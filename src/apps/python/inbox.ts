// Where the requests for one Python process wait: a FIFO that its threads read, whoever is free first. So a thread that has
// answered finds its next request there instead of waiting for this worker to run again. Knows bytes and tickets,
// and nothing of lanes and requests.
//
// The process has made the FIFO, and beside it a file in which both note, by ticket, which thread has taken the request and
// that nobody waits for it any more; the threads have that in their memory (mmap(2)). Reading what is written at
// once, and whole, is what pipe(7) promises up to PIPE_BUF; so a request goes either to one thread or back to us.
import { Buffer } from 'node:buffer';
import { closeSync, constants, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { INBOX_FRAME, leaveFrame, ticketOf } from './frames.ts';

/** Beside the FIFO; worker.py adds the same. */
const NOTES = '.notes';
/** Of a ticket: two bytes with the number of the thread and one (0: none), then two of which the first says "given up". */
const NOTE = 4;
const GIVEN_UP = 2;
const [SET, CLEAR] = [Buffer.of(1), Buffer.of(0)];

const frame = Buffer.alloc(INBOX_FRAME);
const note = Buffer.alloc(NOTE);

export class Inbox {
  readonly path: string;
  readonly #fifo: number;
  readonly #notes: number;

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

  /** Puts a frame of INBOX_FRAME bytes behind the others; false: it is full. */
  put(bytes: Buffer): boolean {
    try {
      return writeSync(this.#fifo, bytes, 0, INBOX_FRAME) === INBOX_FRAME;
    } catch (error) {
      return notNow(error);
    }
  }

  /** Takes the first request back: its ticket; null: there is none. */
  takeBack(): number | null {
    let ticket: number | null = null;
    let leaves = 0;
    while (ticket === null && this.#next()) {
      ticket = ticketOf(frame);
      if (ticket === null) leaves += 1;
    }
    // Threads wait for it; where there is no room for it, none of them does.
    for (; leaves > 0; leaves -= 1) this.put(leaveFrame());
    return ticket;
  }

  /**
   * Takes the frame with that ticket back; false: a thread has it. The others stay in their order, but for those for which
   * there is no room any more: `left` is told of them.
   */
  recall(ticket: number, left: (ticket: number) => void): boolean {
    const others: Buffer[] = [];
    let isFound = false;
    while (this.#next()) {
      if (ticketOf(frame) === ticket) isFound = true;
      else others.push(Buffer.from(frame));
    }
    for (const other of others) {
      const each = ticketOf(other);
      if (!this.put(other) && each !== null) left(each);
    }
    return isFound;
  }

  /** The number of the thread that has taken what has that ticket; null: it has not said yet. */
  threadOf(ticket: number): number | null {
    const size = readSync(this.#notes, note, 0, NOTE, ticket * NOTE);
    const thread = size === NOTE ? note.readUInt16LE(0) : 0;
    return thread === 0 ? null : thread - 1;
  }

  /** Tells the thread that has that ticket whether somebody waits for the answer; it looks there now and then. */
  giveUp(ticket: number, isGivenUp: boolean): void {
    writeSync(this.#notes, isGivenUp ? SET : CLEAR, 0, 1, ticket * NOTE + GIVEN_UP);
  }

  close(): void {
    closeSync(this.#fifo);
    closeSync(this.#notes);
  }

  #next(): boolean {
    try {
      return readSync(this.#fifo, frame, 0, INBOX_FRAME, null) === INBOX_FRAME;
    } catch (error) {
      return notNow(error);
    }
  }
}

/** False where the FIFO is full, or empty. */
function notNow(error: unknown): false {
  if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return false;
  throw error;
}
