// One lane over a socket that is none: who may speak when, what comes late, and what ends it.
import { expect } from 'chai';
import { Duplex } from 'node:stream';
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

  override _read(): void {
    // feed() says when there is something.
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.written.push(chunk);
    done();
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

const hello = (token = 'feed', version = 3): Buffer =>
  buildFrame(Kind.HELLO, 0, `4711\x001\x002\0${token}\0inbox`, '', version);
const claim = (ticket: number, flags = 0): Buffer => buildFrame(Kind.CLAIM, flags, '', '', ticket);
const head = (flags: number, body = ''): Buffer =>
  buildFrame(Kind.HEAD, flags, '200 OK\0X-A\x001\0X-B\x002', body);
const STREAMED = {
  environ: { names: { number: 0, names: ['REQUEST_METHOD'], text: 'REQUEST_METHOD' }, values: 'POST' },
  body: null,
};

describe('apps/python/lane', () => {
  let socket: FakeSocket;
  let lane: Lane;
  let events: string[];
  /** By ticket; a ticket that is not here is of nobody any more. */
  let users: Record<number, LaneUser>;
  const owner: LaneOwner = {
    cedes: true,
    greets: (_, { token, inbox }) => token === 'feed' && inbox === 'inbox',
    opened: ({ hello: who }) => events.push(`opened ${who?.pid} ${who?.process} ${who?.thread}`),
    claimed: (_, ticket) => users[ticket] ?? null,
    idle: ({ isClosing, ticket }) => events.push(`${ticket} idle${isClosing ? ', closing' : ''}`),
    closed: () => events.push('closed'),
  };
  const user = (name = 'user', more: Partial<LaneUser> = {}): LaneUser => ({
    claimed: () => events.push(`${name} claimed`),
    head: (frame) =>
      events.push(`${name} head ${frame.head.replaceAll('\0', '|')} ${frame.bytes.toString()}`),
    data: (chunk, isLast) => events.push(`${name} data ${chunk.toString()}${isLast ? ' last' : ''}`),
    failed: (error) => events.push(`${name} failed ${error.message} at ${error.stack}`),
    closeFailed: (error) => events.push(`${name} close failed ${error.message}`),
    log: (text) => events.push(`${name} log ${text}`),
    lost: (why) => events.push(`${name} lost ${why?.message ?? ''}`.trimEnd()),
    drained: () => events.push(`${name} drained`),
    ...more,
  });
  const news = (): string[] => events.splice(0);

  beforeEach(async () => {
    socket = new FakeSocket();
    events = [];
    users = { 1: user('one'), 2: user('two') };
    lane = new Lane(through(socket), owner);
    await socket.feed(hello());
    expect(news()).to.deep.equal(['opened 4711 1 2']);
    expect(socket.frames.map(({ kind, flags }) => [kind, flags])).to.deep.equal([[Kind.WELCOME, Flag.CEDES]]);
    socket.written.length = 0;
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
    for (const [ticket, name] of [
      [1, 'one'],
      [2, 'two'],
    ] as const) {
      await socket.feed(claim(ticket));
      expect(lane.state).to.equal('waiting');
      await socket.feed(head(Flag.FIN, 'body'));
      expect(news()).to.deep.equal([
        `${name} claimed`,
        `${name} head 200 OK|X-A|1|X-B|2 body`,
        `${ticket} idle`,
      ]);
    }
    expect(socket.frames).to.deep.equal([]);
  });

  it('hands a response on as it comes', async () => {
    await socket.feed(
      claim(1),
      head(0, 'a'),
      buildFrame(Kind.DATA, 0, '', 'b'),
      buildFrame(Kind.LOG, 0, '', 'said\n'),
    );
    expect(lane.state).to.equal('answering');
    await socket.feed(buildFrame(Kind.DATA, Flag.FIN, ''));
    expect(news().slice(2)).to.deep.equal(['one data b', 'one log said\n', 'one data  last', '1 idle']);
  });

  it('tells what the application raised, with its traceback', async () => {
    await socket.feed(claim(1), buildFrame(Kind.ERR, 0, '', 'ValueError\0nö\0Traceback:\n  here\n'));
    expect(news()).to.deep.equal([
      'one claimed',
      'one failed ValueError: nö at Traceback:\n  here',
      '1 idle',
    ]);
  });

  it('gives what close() says to the request it belongs to', async () => {
    await socket.feed(claim(1), head(Flag.FIN | Flag.CLOSING));
    await socket.feed(
      buildFrame(Kind.LOG, Flag.CLOSE, '', 'late\n'),
      buildFrame(Kind.ERR, Flag.CLOSE, '', 'E\0m\0t'),
      claim(2),
      head(Flag.FIN),
    );
    expect(news().slice(1)).to.deep.equal([
      'one head 200 OK|X-A|1|X-B|2 ',
      '1 idle, closing',
      'one log late\n',
      'one close failed E: m',
      'two claimed',
      'two head 200 OK|X-A|1|X-B|2 ',
      '2 idle',
    ]);
  });

  it('sends what was called for, and breaks a body off where the response ends first', async () => {
    const called = { claimed: (at: Lane) => at.call(STREAMED) };
    const [one, two] = [user('one', called), user('two', called)];
    users = { 1: one, 2: two };
    await socket.feed(claim(1, Flag.WAITS));
    lane.sendBody(one, Buffer.from('abc'));
    lane.endBody(one, false);
    await socket.feed(head(Flag.FIN), claim(2, Flag.WAITS));
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

  it('drops what comes for a request that nobody waits for any more, and goes on after it', async () => {
    const one = user('one', { claimed: (at) => at.call(STREAMED) });
    users = { 1: one, 2: user('two') };
    await socket.feed(claim(1, Flag.WAITS), head(0, 'a'));
    news();
    lane.forget(one);
    expect(socket.frames.map(({ kind, flags }) => [kind, flags])).to.deep.equal([
      [Kind.REQ, Flag.BODY_FOLLOWS],
      [Kind.BODY, Flag.FIN | Flag.ABORTED],
    ]);
    await socket.feed(
      buildFrame(Kind.DATA, 0, '', 'b'),
      buildFrame(Kind.ERR, Flag.POST, '', 'E\0m\0t'),
      claim(2),
      head(Flag.FIN),
    );
    expect(news()).to.deep.equal(['1 idle', 'two claimed', 'two head 200 OK|X-A|1|X-B|2 ', '2 idle']);
  });

  it('lets a thread run that has taken what nobody waits for, and sends none that it has called for', async () => {
    await socket.feed(claim(7));
    expect(lane.state).to.equal('waiting');
    await socket.feed(head(Flag.FIN), claim(8, Flag.WAITS));
    expect(news()).to.deep.equal(['7 idle', '8 idle']);
    expect(lane.state).to.equal('idle');
    expect(socket.frames.map(({ kind }) => kind)).to.deep.equal([Kind.DROP]);
  });

  it('says that a request was lost where the thread goes', async () => {
    await socket.feed(claim(1));
    socket.push(null);
    await turn();
    expect(news()).to.deep.equal(['one claimed', 'closed', 'one lost']);
  });

  it('tells nobody anything once it was destroyed', async () => {
    await socket.feed(claim(1));
    lane.destroy();
    expect(news()).to.deep.equal(['one claimed', 'closed']);
    await turn();
    expect(news()).to.deep.equal([]);
    expect(socket.destroyed).to.equal(true);
  });

  it('ends where the thread breaks the rules', async () => {
    await socket.feed(claim(1), buildFrame(Kind.DATA, 0, '', 'x'));
    expect(news()).to.deep.equal(['one claimed', 'closed', 'one lost Cannot take DATA: no HEAD went before']);
  });

  it('ends where a response comes that was not claimed, or two are', async () => {
    await socket.feed(head(Flag.FIN));
    expect(news()).to.deep.equal(['closed']);
    const other = new FakeSocket();
    const twice = new Lane(through(other), owner);
    await other.feed(hello(), claim(1), claim(2));
    expect(twice.state).to.equal('closed');
    expect(news().slice(1)).to.deep.equal([
      'one claimed',
      'closed',
      'one lost Cannot take "claim" while the lane is waiting',
    ]);
  });

  for (const [what, greeting] of [
    ['a wrong token', hello('food')],
    ['another version', hello('feed', 1)],
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
