// An inbox on a real FIFO: what goes in comes out whole, in its order, to one of both sides.
import { execFileSync } from 'node:child_process';
import { closeSync, constants, existsSync, openSync, readFileSync, readSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { inboxFrame, leaveFrame } from '../../../../src/apps/python/frames.ts';
import { Inbox } from '../../../../src/apps/python/inbox.ts';
import { INBOX_FRAME, Kind } from '../../../helpers/lane-frames.ts';
import { makeTempDir, removeTempDir } from '../../../helpers/temp.ts';

describe('apps/python/inbox', () => {
  let folder = '';
  let inbox: Inbox;
  let thread: number;
  let notes: number;
  const request = (ticket: number): Buffer =>
    inboxFrame(ticket, { head: `A\0${ticket}`, body: Buffer.alloc(0) });
  const never = (ticket: number): void => expect.fail(`there was no room for ${ticket}`);
  /** What a thread would read. */
  const read = (): string => {
    const bytes = Buffer.alloc(INBOX_FRAME);
    expect(readSync(thread, bytes)).to.equal(INBOX_FRAME);
    return bytes.toString('latin1', 12, 12 + bytes.readUInt32LE(0));
  };

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

  it('gives a thread one request after the other, and takes back the others', () => {
    for (const ticket of [1, 2, 3]) expect(inbox.put(request(ticket))).to.equal(true);
    expect(read()).to.equal('A\x001');
    expect([inbox.takeBack(), inbox.takeBack(), inbox.takeBack()]).to.deep.equal([2, 3, null]);
  });

  it('says that it is full, and has room again', () => {
    let count = 0;
    while (inbox.put(request(count))) count += 1;
    expect(count).to.be.within(1, 1024);
    expect(read()).to.equal('A\x000');
    expect(inbox.put(request(count))).to.equal(true);
    expect(inbox.put(request(count + 1))).to.equal(false);
  });

  it('gives up one that no thread has, and leaves the others in their order', () => {
    for (const ticket of [1, 2, 3]) inbox.put(request(ticket));
    expect(read()).to.equal('A\x001');
    expect(inbox.recall(1, never)).to.equal(false);
    inbox.put(request(4));
    expect(inbox.recall(3, never)).to.equal(true);
    expect([read(), read()]).to.deep.equal(['A\x002', 'A\x004']);
    expect(inbox.recall(2, never)).to.equal(false);
  });

  it('does not take LEAVE for a request, and leaves it to the threads', () => {
    inbox.put(leaveFrame());
    inbox.put(request(5));
    expect(inbox.recall(0, never)).to.equal(false);
    expect([inbox.takeBack(), inbox.takeBack()]).to.deep.equal([5, null]);
    const bytes = Buffer.alloc(INBOX_FRAME);
    expect([readSync(thread, bytes), bytes[4]]).to.deep.equal([INBOX_FRAME, Kind.LEAVE]);
  });

  it('knows which thread noted a ticket, and notes what is given up', () => {
    expect([inbox.threadOf(1), inbox.threadOf(9)]).to.deep.equal([null, null]);
    writeFileSync(notes, Buffer.of(0, 0, 0, 0, 3, 1));
    expect(inbox.threadOf(1)).to.equal(0x102);
    inbox.giveUp(1, true);
    const bytes = (): string => readFileSync(`/proc/self/fd/${notes}`).toString('hex');
    expect(bytes()).to.equal('0000000003010100');
    inbox.giveUp(1, false);
    expect(bytes()).to.equal('0000000003010000');
  });
});
