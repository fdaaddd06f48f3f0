// The inbox of a Python process as viaduct has it: by hand, from the table in src/apps/python/frames.ts.
import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { buildFrame, Flag, INBOX_FRAME, Kind } from './lane-frames.ts';

export class InboxEnd {
  static readonly #open = new Map<string, InboxEnd>();
  /** Of all of them, so that one tells which request is meant. */
  static #tickets = 0;
  readonly #path: string;
  readonly #fifo: number;
  readonly #notes: number;
  /** REQ frames that threads have to call for, by ticket. */
  readonly #called = new Map<number, Buffer>();

  private constructor(path: string) {
    this.#path = path;
    this.#fifo = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
    this.#notes = openSync(`${path}.notes`, 'r+');
  }

  static at(path: string): InboxEnd {
    const inbox = InboxEnd.#open.get(path) ?? new InboxEnd(path);
    InboxEnd.#open.set(path, inbox);
    return inbox;
  }

  static closeAll(folder: string): void {
    for (const [path, inbox] of InboxEnd.#open)
      if (path.startsWith(folder)) {
        InboxEnd.#open.delete(path);
        closeSync(inbox.#fifo);
        closeSync(inbox.#notes);
      }
  }

  /** A request, or CALL where it does not fit or its body follows (`null`); gives its ticket. */
  request(head: string, body: Uint8Array | string | null): number {
    const ticket = InboxEnd.#nextTicket();
    const whole = buildFrame(Kind.REQ, body === null ? Flag.BODY_FOLLOWS : 0, head, body ?? '', ticket);
    if (body === null || whole.length > INBOX_FRAME) return this.call(whole);
    this.put(whole);
    return ticket;
  }

  /** A request whose names are noted under that number; gives its ticket. */
  values(number: number, params: Readonly<Record<string, string>>): number {
    const text = Object.keys(params).join('\0');
    const list = Buffer.concat([
      Buffer.from(Uint16Array.of(text.length).buffer),
      Buffer.from(text, 'latin1'),
    ]);
    writeSync(this.#notes, list, 0, list.length, 65_536 * 4 + number * 4096);
    const ticket = InboxEnd.#nextTicket();
    this.put(buildFrame(Kind.VALUES, number, Object.values(params).join('\0'), '', ticket));
    return ticket;
  }

  /** CALL for that frame; gives its ticket. */
  call(frame: Buffer): number {
    const ticket = InboxEnd.#nextTicket();
    this.#called.set(ticket, frame);
    this.put(buildFrame(Kind.CALL, 0, '', '', ticket));
    return ticket;
  }

  static #nextTicket(): number {
    InboxEnd.#tickets += 1;
    return InboxEnd.#tickets;
  }

  /** What the thread that claims this ticket has called for; it is taken out. */
  called(ticket: number): Buffer {
    const found = this.#called.get(ticket) ?? buildFrame(Kind.DROP, 0, '');
    this.#called.delete(ticket);
    return found;
  }

  /** More for the thread that will call for this ticket; false: it has done so. */
  append(ticket: number, frame: Buffer): boolean {
    const found = this.#called.get(ticket);
    if (found !== undefined) this.#called.set(ticket, Buffer.concat([found, frame]));
    return found !== undefined;
  }

  /** Nobody waits for that request any more. */
  giveUp(ticket: number): void {
    this.#called.delete(ticket);
    writeSync(this.#notes, Buffer.of(1), 0, 1, ticket * 4 + 2);
  }

  put(frame: Buffer): void {
    const padded = Buffer.concat([frame, Buffer.alloc(INBOX_FRAME - frame.length)]);
    if (writeSync(this.#fifo, padded) !== INBOX_FRAME) throw new Error(`Cannot write to ${this.#path}`);
  }
}
