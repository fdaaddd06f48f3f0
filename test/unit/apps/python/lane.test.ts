// One lane over a socket that is none: who may speak when, what comes late, and what ends it.
import { expect } from 'chai';
import { Duplex } from 'node:stream';
import { encodeRequest } from '../../../../src/apps/python/frames.ts';
import {
  Lane,
  LANE_TABLE,
  type LaneOwner,
  type LaneUser,
  type OpenLaneSocket,
} from '../../../../src/apps/python/lane.ts';
import { buildFrame, Flag, Kind, readFrames, type WholeFrame } from '../../../helpers/lane-frames.ts';

/** The test's end: what the lane writes, and what it is to read. */
class FakeSocket extends Duplex {
  readonly written: Buffer[] = [];
  /** What the next write fails with. */
  failure: Error | null = null;

  override _read(): void {
    // feed() says when there is something.
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    if (this.failure === null) this.written.push(chunk);
    done(this.failure);
  }

  async feed(...frames: readonly Buffer[]): Promise<void> {
    for (const frame of frames) this.push(frame);
    await turn();
  }

  get frames(): WholeFrame[] {
    return readFrames(Buffer.concat(this.written)).frames;
  }
}

/** As it is read where nothing is shared. */
const through =
  (socket: Duplex): OpenLaneSocket =>
  (receive) => {
    socket.on('data', receive);
    return { socket, keep: (part) => part };
  };

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const hello = (token = 'feed', version = 1): Buffer => {
  const frame = buildFrame(Kind.HELLO, 0, `4711\x001\x002\0${token}`);
  frame.writeUInt16LE(version, 6);
  return frame;
};
const head = (flags: number, body = ''): Buffer =>
  buildFrame(Kind.HEAD, flags, '200 OK\0X-A\x001\0X-B\x002', body);
const REQUEST = encodeRequest(['REQUEST_METHOD', 'GET'], new Uint8Array(0));
const STREAMED = encodeRequest(['REQUEST_METHOD', 'POST'], null);

describe('apps/python/lane', () => {
  let socket: FakeSocket;
  let lane: Lane;
  let events: string[];
  const owner: LaneOwner = {
    greets: ({ token }) => token === 'feed',
    opened: (_, { pid, process, thread }) => events.push(`opened ${pid} ${process} ${thread}`),
    idle: (_, isClosing) => events.push(isClosing ? 'idle, closing' : 'idle'),
    closed: () => events.push('closed'),
  };
  const user = (name = 'user'): LaneUser => ({
    head: (fields, { bytes }) => events.push(`${name} head ${fields.join('|')} ${bytes.toString()}`),
    data: (chunk, isLast) => events.push(`${name} data ${chunk.toString()}${isLast ? ' last' : ''}`),
    failed: (error) => events.push(`${name} failed ${error.message} at ${error.stack}`),
    closeFailed: (error) => events.push(`${name} close failed ${error.message}`),
    log: (text) => events.push(`${name} log ${text}`),
    sent: () => events.push(`${name} sent`),
    refused: () => events.push(`${name} refused`),
    lost: (why) => events.push(`${name} lost ${why?.message ?? ''}`.trimEnd()),
    drained: () => events.push(`${name} drained`),
  });
  const news = (): string[] => events.splice(0);

  beforeEach(async () => {
    socket = new FakeSocket();
    events = [];
    lane = new Lane(through(socket), owner);
    await socket.feed(hello());
    expect(news()).to.deep.equal(['opened 4711 1 2', 'idle']);
  });
  afterEach(() => socket.destroy());

  it('has a table in which every state can end, and closed is the end', () => {
    for (const [state, row] of Object.entries(LANE_TABLE)) {
      if (state !== 'closed') expect(row.close, state).to.equal('closed');
      for (const next of Object.values(row)) expect(LANE_TABLE).to.have.property(next);
    }
    expect(LANE_TABLE.closed).to.deep.equal({});
  });

  it('serves one request after the other', async () => {
    for (const name of ['one', 'two']) {
      lane.start(user(name), REQUEST, false);
      await turn();
      expect(lane.state).to.equal('waiting');
      await socket.feed(head(Flag.FIN, 'body'));
      expect(news()).to.deep.equal([`${name} sent`, `${name} head 200 OK|X-A|1|X-B|2 body`, 'idle']);
    }
    expect(socket.frames.map(({ kind }) => kind)).to.deep.equal([Kind.REQ, Kind.REQ]);
  });

  it('hands a response on as it comes', async () => {
    lane.start(user(), REQUEST, false);
    await turn();
    await socket.feed(head(0, 'a'), buildFrame(Kind.DATA, 0, '', 'b'), buildFrame(Kind.LOG, 0, '', 'said\n'));
    expect(lane.state).to.equal('answering');
    await socket.feed(buildFrame(Kind.DATA, Flag.FIN, ''));
    expect(news().slice(2)).to.deep.equal(['user data b', 'user log said\n', 'user data  last', 'idle']);
  });

  it('tells what the application raised, with its traceback', async () => {
    lane.start(user(), REQUEST, false);
    await turn();
    await socket.feed(buildFrame(Kind.ERR, 0, '', 'ValueError\0nö\0Traceback:\n  here\n'));
    expect(news()).to.deep.equal(['user sent', 'user failed ValueError: nö at Traceback:\n  here', 'idle']);
  });

  it('gives what close() says to the request it belongs to, whatever runs by then', async () => {
    lane.start(user('one'), REQUEST, false);
    await turn();
    await socket.feed(head(Flag.FIN | Flag.CLOSING));
    lane.start(user('two'), REQUEST, false);
    await turn();
    await socket.feed(
      buildFrame(Kind.LOG, Flag.CLOSE, '', 'late\n'),
      buildFrame(Kind.ERR, Flag.CLOSE, '', 'E\0m\0t'),
      head(Flag.FIN),
    );
    expect(news().slice(1)).to.deep.equal([
      'one head 200 OK|X-A|1|X-B|2 ',
      'idle, closing',
      'two sent',
      'one log late\n',
      'one close failed E: m',
      'two head 200 OK|X-A|1|X-B|2 ',
      'idle',
    ]);
  });

  it('sends a body, and breaks it off where the response ends first', async () => {
    const one = user('one');
    lane.start(one, STREAMED, true);
    await turn();
    lane.sendBody(one, Buffer.from('abc'));
    lane.endBody(one, false);
    await socket.feed(head(Flag.FIN));
    const two = user('two');
    lane.start(two, STREAMED, true);
    await turn();
    lane.sendBody(two, Buffer.from('de'));
    await socket.feed(head(Flag.FIN));
    lane.sendBody(two, Buffer.from('too late'));
    lane.endBody(two, false);
    const sent = socket.frames.map(({ kind, flags, bytes }) => [kind, flags, bytes.toString()]);
    expect(sent).to.deep.equal([
      [Kind.REQ, Flag.BODY_FOLLOWS, ''],
      [Kind.BODY, 0, 'abc'],
      [Kind.BODY, Flag.FIN, ''],
      [Kind.REQ, Flag.BODY_FOLLOWS, ''],
      [Kind.BODY, 0, 'de'],
      [Kind.BODY, Flag.FIN | Flag.ABORTED, ''],
    ]);
  });

  it('says that a request was refused where it could not be written, and not that it was lost', async () => {
    socket.failure = Object.assign(new Error('EPIPE'), { code: 'EPIPE' });
    lane.start(user(), REQUEST, false);
    await turn();
    expect(news()).to.deep.equal(['closed', 'user refused']);
  });

  it('does not call a request refused whose body could not be written: it may run already', async () => {
    const streaming = user();
    lane.start(streaming, STREAMED, true);
    await turn();
    socket.failure = Object.assign(new Error('EPIPE'), { code: 'EPIPE', syscall: 'write' });
    lane.sendBody(streaming, Buffer.from('abc'));
    await turn();
    expect(news()).to.deep.equal(['user sent', 'closed', 'user lost']);
  });

  it('says that a request was lost where the thread goes', async () => {
    lane.start(user(), REQUEST, false);
    await turn();
    socket.push(null);
    await turn();
    expect(news()).to.deep.equal(['user sent', 'closed', 'user lost']);
  });

  it('tells nobody anything once it was destroyed', async () => {
    lane.start(user(), REQUEST, false);
    await turn();
    lane.destroy();
    expect(news()).to.deep.equal(['user sent', 'closed']);
    await turn();
    expect(news()).to.deep.equal([]);
    expect(socket.destroyed).to.equal(true);
  });

  it('ends where the thread breaks the rules', async () => {
    lane.start(user(), REQUEST, false);
    await turn();
    await socket.feed(buildFrame(Kind.DATA, 0, '', 'x'));
    expect(news()).to.deep.equal(['user sent', 'closed', 'user lost Cannot take DATA: no HEAD went before']);
  });

  it('ends where a response comes that nobody asked for', async () => {
    await socket.feed(head(Flag.FIN));
    expect(news()).to.deep.equal(['closed']);
  });

  for (const [what, greeting] of [
    ['a wrong token', hello('food')],
    ['another version', hello('feed', 2)],
    ['no HELLO', head(Flag.FIN)],
  ] as const) {
    it(`does not open for ${what}`, async () => {
      const stranger = new FakeSocket();
      const other = new Lane(through(stranger), owner);
      await stranger.feed(greeting);
      expect(other.state).to.equal('closed');
      expect(news()).to.deep.equal([]);
    });
  }
});
