// An inbox on a real FIFO: what goes in comes out whole, in its order, to one of both sides.
import { execFileSync } from 'node:child_process';
import { closeSync, constants, existsSync, openSync, readFileSync, readSync, writeFileSync } from 'node:fs';
import { endianness } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { LaneRequest } from '../../../../src/apps/python/frames.ts';
import { Inbox } from '../../../../src/apps/python/inbox.ts';
import { INBOX_FRAME, Kind, readFrames } from '../../../helpers/lane-frames.ts';
import { makeTempDir, removeTempDir } from '../../../helpers/temp.ts';
import { waitFor } from '../../../helpers/wait.ts';

describe('apps/python/inbox', () => {
  let folder = '';
  let inbox: Inbox;
  let thread: number;
  let notes: number;
  const request = (value: string, number = -1): LaneRequest => ({
    environ: { names: { number, names: ['A'], text: 'A' }, values: value },
    body: Buffer.alloc(0),
  });
  /** Without a number for its names. */
  const put = (...tickets: number[]): boolean[] =>
    tickets.map((ticket) => inbox.put(ticket, request(String(ticket))));
  const never = (ticket: number): void => expect.fail(`there was no room for ${ticket}`);
  /** What a thread would read; null: it would wait. */
  const take = (): { kind: number; flags: number; aux: number; head: readonly string[] } | null => {
    const bytes = Buffer.alloc(INBOX_FRAME);
    try {
      expect(readSync(thread, bytes)).to.equal(INBOX_FRAME);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return null;
      throw error;
    }
    return readFrames(bytes).frames[0] ?? null;
  };
  const read = (): string | undefined => take()?.head.join(' ');
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  beforeEach(async () => {
    folder = await makeTempDir();
    const path = join(folder, 'inbox');
    execFileSync('mkfifo', [path]);
    // Sparse, as worker.py makes it, and shorter than any ticket needs.
    writeFileSync(`${path}.notes`, Buffer.alloc(8));
    thread = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
    notes = openSync(`${path}.notes`, 'r+');
    inbox = new Inbox(path);
  });
  afterEach(async () => {
    inbox.close();
    closeSync(thread);
    closeSync(notes);
    await removeTempDir(folder);
  });

  it('takes its names away', () => {
    expect(existsSync(inbox.path)).to.equal(false);
    expect(() => new Inbox(inbox.path)).to.throw('ENOENT');
  });

  it('gives a thread one request after the other, and takes back the others', async () => {
    expect(put(1, 2, 3)).to.deep.equal([true, true, true]);
    await turn();
    expect(read()).to.equal('A 1');
    expect([inbox.takeBack(), inbox.takeBack(), inbox.takeBack()]).to.deep.equal([2, 3, null]);
  });

  it('says that a request has to be called for', async () => {
    expect(inbox.put(7, { ...request(''), body: null })).to.equal(false);
    await turn();
    expect(take()).to.include({ kind: Kind.CALL, aux: 7 });
  });

  it('puts them at the end of the turn, in their order, and before a LEAVE that comes then', async () => {
    put(1, 2);
    expect(take()).to.equal(null);
    await turn();
    expect([read(), read(), take()]).to.deep.equal(['A 1', 'A 2', null]);
    put(3);
    inbox.leave();
    expect([read(), take()?.kind, take()]).to.deep.equal(['A 3', Kind.LEAVE, null]);
    await turn();
    expect(take()).to.equal(null);
  });

  it('takes back what it has not put yet', () => {
    put(1, 2, 3);
    expect(inbox.recall(2, never)).to.equal(true);
    expect([inbox.takeBack(), inbox.takeBack(), inbox.takeBack()]).to.deep.equal([1, 3, null]);
  });

  it('keeps what a full FIFO has no room for, and says when it has no more room itself', async () => {
    let count = 0;
    for (; inbox.hasRoom; count += 1) put(count);
    expect(count).to.be.within(17, 1024);
    expect(read()).to.equal('A 0');
    expect(inbox.hasRoom).to.equal(true);
    put(count);
    count += 1;
    expect(inbox.hasRoom).to.equal(false);
    // By itself, as threads take what is there.
    for (let ticket = 1; ticket < count; ticket += 1) {
      const next = await waitFor(() => read(), { what: 'the next one', interval: 1 });
      expect(next).to.equal(`A ${ticket}`);
    }
    expect(take()).to.equal(null);
    expect(inbox.hasRoom).to.equal(true);
  });

  it('takes back all of more than the FIFO has room for', () => {
    let count = 0;
    for (; inbox.hasRoom; count += 1) put(count);
    expect(inbox.recall(count - 1, never)).to.equal(true);
    for (let ticket = 0; ticket < count - 1; ticket += 1) expect(inbox.takeBack()).to.equal(ticket);
    expect(inbox.takeBack()).to.equal(null);
  });

  it('gives up one that no thread has, and leaves the others in their order', async () => {
    put(1, 2, 3);
    await turn();
    expect(read()).to.equal('A 1');
    expect(inbox.recall(1, never)).to.equal(false);
    put(4);
    expect(inbox.recall(3, never)).to.equal(true);
    expect([read(), read()]).to.deep.equal(['A 2', 'A 4']);
    expect(inbox.recall(2, never)).to.equal(false);
  });

  it('does not take LEAVE for a request, and leaves it to the threads', () => {
    inbox.leave();
    put(5);
    expect(inbox.recall(0, never)).to.equal(false);
    expect([inbox.takeBack(), inbox.takeBack()]).to.deep.equal([5, null]);
    expect(take()).to.include({ kind: Kind.LEAVE });
  });

  it('knows which thread noted a ticket, and notes what is given up', () => {
    expect([inbox.threadOf(1), inbox.threadOf(9)]).to.deep.equal([null, null]);
    writeFileSync(notes, Buffer.concat([Buffer.alloc(4), Buffer.from(Uint16Array.of(0x103).buffer)]));
    expect(inbox.threadOf(1)).to.equal(0x102);
    inbox.giveUp(1, true);
    const isGivenUp = (): boolean => readFileSync(`/proc/self/fd/${notes}`).readUInt16LE(6) !== 0;
    expect(isGivenUp()).to.equal(true);
    inbox.giveUp(1, false);
    expect(isGivenUp()).to.equal(false);
  });

  it('notes a list of names once, before the first request that has its number', async () => {
    const list = (number: number): [number, string] => {
      const bytes = readFileSync(`/proc/self/fd/${notes}`).subarray(65_536 * 4 + number * 4096);
      const length = endianness() === 'LE' ? bytes.readUInt16LE(0) : bytes.readUInt16BE(0);
      return [length, bytes.toString('latin1', 2, 2 + length)];
    };
    put(1);
    await turn();
    expect(take()).to.deep.include({ kind: Kind.REQ, head: ['A', '1'] });
    inbox.put(2, request('2', 63));
    expect(list(63)).to.deep.equal([1, 'A']);
    await turn();
    expect(take()).to.deep.include({ kind: Kind.VALUES, flags: 63, aux: 2, head: ['2'] });
    expect(list(63)).to.deep.equal([1, 'A']);
    const other = {
      ...request('3', 63),
      environ: { names: { number: 63, names: [], text: 'B' }, values: '3' },
    };
    inbox.put(3, other);
    expect(list(63)).to.deep.equal([1, 'A']);
  });
});
