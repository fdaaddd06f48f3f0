// The lanes of a mount, and the requests handed to them, with Python threads that are none on a real socket.
import { expect } from 'chai';
import { execFileSync } from 'node:child_process';
import { closeSync, constants, existsSync, openSync, readSync, writeFileSync, writeSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { basename, join } from 'node:path';
import { pythonApplication } from '../../../../src/apps/python/application.ts';
import { type LaneChange, LaneServer, type Overdue } from '../../../../src/apps/python/lane-server.ts';
import { Admission } from '../../../../src/gateway/admission.ts';
import type { Application, Environ, HeaderList } from '../../../../src/gateway/contract.ts';
import { GatewayError } from '../../../../src/gateway/errors.ts';
import { readShared } from '../../../../src/transport/reading.ts';
import {
  buildFrame,
  Flag,
  INBOX_FRAME,
  Kind,
  readFrames,
  type WholeFrame,
} from '../../../helpers/lane-frames.ts';
import { makeTempDir, removeTempDir } from '../../../helpers/temp.ts';
import { waitFor } from '../../../helpers/wait.ts';

/** The inbox of a process, as worker.py makes it. */
class FakeInbox {
  readonly name: string;
  readonly fifo: number;
  readonly #notes: number;

  constructor(folder: string, name: string) {
    this.name = name;
    const path = join(folder, name);
    execFileSync('mkfifo', [path]);
    this.fifo = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
    writeFileSync(`${path}.notes`, Buffer.alloc(1024));
    this.#notes = openSync(`${path}.notes`, 'r+');
  }

  /** The next frame; null: there is none. */
  take(): WholeFrame | null {
    const bytes = Buffer.alloc(INBOX_FRAME);
    try {
      readSync(this.fifo, bytes, 0, INBOX_FRAME, null);
    } catch {
      return null;
    }
    return readFrames(bytes).frames[0] ?? null;
  }

  note(ticket: number, thread: number): void {
    writeSync(this.#notes, Buffer.of(thread + 1), 0, 1, ticket * 4);
  }

  isGivenUp(ticket: number): boolean {
    const note = Buffer.alloc(1);
    readSync(this.#notes, note, 0, 1, ticket * 4 + 2);
    return note[0] !== 0;
  }

  close(): void {
    closeSync(this.fifo);
    closeSync(this.#notes);
  }
}

/** A thread as worker.py has it, played by the test. */
class Thread {
  readonly socket: Socket;
  readonly inbox: FakeInbox;
  readonly frames: WholeFrame[] = [];
  readonly #thread: number;
  /** Of what it has taken and not claimed. */
  ticket = -1;
  isGone = false;

  constructor(path: string, pid: number, thread: number, inbox: FakeInbox) {
    this.inbox = inbox;
    this.#thread = thread;
    this.socket = connect(path);
    this.socket.write(buildFrame(Kind.HELLO, 0, `${pid}\x000\0${thread}\0feed\0${inbox.name}`, '', 3));
    let data = Buffer.alloc(0);
    this.socket.on('data', (chunk) => {
      const { frames, size } = readFrames(Buffer.concat([data, chunk]));
      data = Buffer.concat([data, chunk]).subarray(size);
      this.frames.push(...frames.filter(({ kind }) => kind !== Kind.WELCOME));
    });
    this.socket.on('error', () => undefined);
    this.socket.on('close', () => (this.isGone = true));
  }

  /** Takes the next request. */
  async request(): Promise<WholeFrame> {
    const frame = await waitFor(() => this.inbox.take(), { what: 'a request', interval: 1 });
    this.ticket = frame.aux;
    this.inbox.note(frame.aux, this.#thread);
    return frame;
  }

  /** Claims what it has taken, and answers. */
  answer(body: string, flags: number = Flag.FIN): void {
    const claim = buildFrame(Kind.CLAIM, 0, '', '', this.ticket);
    this.socket.write(Buffer.concat([claim, buildFrame(Kind.HEAD, flags, '200 OK', body)]));
  }
}

describe('apps/python/lane-server', () => {
  let folder = '';
  let path = '';
  let admission: Admission;
  let lanes: LaneServer;
  let app: Application;
  let changes: LaneChange[];
  let overdue: Overdue[];
  let threads: Thread[];
  let inboxes: FakeInbox[];
  const unavailable: Application = (_, start) => {
    start('503 Service Unavailable', []);
    return [];
  };

  beforeEach(async () => {
    folder = await makeTempDir();
    path = join(folder, 'lane.sock');
    [changes, overdue, threads, inboxes] = [[], [], [], []];
    admission = new Admission({ requests: 3, queue: 1, queueTimeout: 1000 });
    lanes = new LaneServer({
      address: { mount: '/py', path, token: 'feed' },
      admission,
      cedes: false,
      requests: 3,
      requestTimeout: 50,
      queueTimeout: 100,
      read: readShared,
      onLane: (change) => changes.push(change),
      onOverdue: (each) => overdue.push(each),
    });
    await lanes.listen();
    app = pythonApplication(lanes, unavailable);
  });
  afterEach(async () => {
    lanes.close();
    for (const { socket } of threads) socket.destroy();
    for (const inbox of inboxes) inbox.close();
    await removeTempDir(folder);
  });

  const makeInbox = (): FakeInbox => {
    const made = new FakeInbox(folder, `lane.sock.1-${inboxes.length}`);
    inboxes.push(made);
    return made;
  };
  /** A thread, of a process of its own where it is given no inbox. */
  const connectThread = async (
    pid = 1,
    thread: number = threads.length,
    inbox: FakeInbox = makeInbox(),
  ): Promise<Thread> => {
    const before = lanes.size;
    const made = new Thread(path, pid, thread, inbox);
    threads.push(made);
    await waitFor(() => lanes.size === before + 1, { what: 'the lane to open' });
    return made;
  };
  /** Two of one process. */
  const connectPair = async (): Promise<[Thread, Thread]> => {
    const first = await connectThread();
    return [first, await connectThread(1, 1, first.inbox)];
  };
  /** A request; `controller` is its client. */
  const ask = (
    more: Partial<Environ> = {},
    controller = new AbortController(),
  ): { status: string[]; headers: HeaderList[]; body: Promise<string> } => {
    const status: string[] = [];
    const headers: HeaderList[] = [];
    const environ = {
      REQUEST_METHOD: 'GET',
      CONTENT_LENGTH: '0',
      'viaduct.signal': controller.signal,
      'viaduct.request_id': 'id',
      'wsgi.errors': { write: () => undefined },
      ...more,
    } as unknown as Environ;
    const start = (line: string, fields: HeaderList): (() => Promise<void>) => {
      status.push(line);
      headers.push(fields);
      return () => Promise.resolve();
    };
    const body = (async () => {
      let text = '';
      for await (const chunk of await app(environ, start)) text += Buffer.from(chunk).toString();
      return text;
    })();
    body.catch(() => undefined);
    return { status, headers, body };
  };
  const codeOf = (work: Promise<unknown>): Promise<string> =>
    work.then(
      () => 'none',
      (error: unknown) => (error instanceof GatewayError ? error.code : String(error)),
    );

  it('lets as many requests in as there are threads, up to limits.requests', async () => {
    expect(admission.enter()).to.equal(false);
    for (let count = 0; count < 4; count += 1) await connectThread();
    expect([1, 2, 3].map(() => admission.enter())).to.deep.equal([true, true, true]);
    expect(admission.enter()).to.equal(false);
    threads[0]?.socket.destroy();
    await waitFor(() => lanes.size === 3, { what: 'one to be gone' });
    expect(changes.map(({ thread, open }) => `${thread} ${open}`)).to.deep.equal([
      '0 true',
      '1 true',
      '2 true',
      '3 true',
      '0 false',
    ]);
  });

  it('puts a request where most threads have nothing to do, and those that still close count last', async () => {
    const [a, b] = [await connectThread(), await connectThread()];
    const first = ask();
    await a.request();
    a.answer('one', Flag.FIN | Flag.CLOSING);
    expect(await first.body).to.equal('one');
    const second = ask();
    await b.request();
    b.answer('two');
    expect(await second.body).to.equal('two');
    const [third, fourth] = [ask(), ask()];
    await b.request();
    await a.request();
    b.answer('three');
    a.answer('four');
    expect([await third.body, await fourth.body]).to.deep.equal(['three', 'four']);
  });

  it('sends the values alone, of the same names with the same number', async () => {
    const thread = await connectThread();
    const seen: unknown[] = [];
    for (const more of [{}, { HTTP_X: 'x' }, { REQUEST_METHOD: 'PUT' }]) {
      const one = ask(more);
      const { kind, flags, head } = await thread.request();
      seen.push([kind, flags, head]);
      thread.answer('one');
      await one.body;
    }
    expect(seen).to.deep.equal([
      [Kind.VALUES, 0, ['GET', '0', 'id']],
      [Kind.VALUES, 1, ['GET', '0', 'id', 'x']],
      [Kind.VALUES, 0, ['PUT', '0', 'id']],
    ]);
  });

  it('sends what does not fit into an inbox once a thread calls for it', async () => {
    const thread = await connectThread();
    const long = ask({ HTTP_X: 'x'.repeat(5000) });
    expect((await thread.request()).kind).to.equal(Kind.CALL);
    thread.socket.write(buildFrame(Kind.CLAIM, Flag.WAITS, '', '', thread.ticket));
    const [request] = await waitFor(() => (thread.frames.length > 0 ? thread.frames : null), {
      what: 'the request',
    });
    expect([request?.kind, request?.head.at(-1)?.length]).to.deep.equal([Kind.REQ, 5000]);
    thread.socket.write(buildFrame(Kind.HEAD, Flag.FIN, '200 OK', 'long'));
    expect(await long.body).to.equal('long');
  });

  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  /** Answers requests at once, until that process may have more of them than it has threads. */
  const hurry = async (thread: Thread): Promise<void> => {
    const before = lanes.places;
    while (lanes.places === before) {
      const quick = ask();
      let frame = thread.inbox.take();
      for (; frame === null; frame = thread.inbox.take()) await turn();
      thread.ticket = frame.aux;
      thread.answer('quick');
      await quick.body;
    }
  };

  it('gives a process that answers fast more than it has threads, which others get that come free', async () => {
    const a = await connectThread();
    expect(lanes.places).to.equal(1);
    await hurry(a);
    expect(lanes.places).to.be.above(2);
    const [first, second] = [ask({ REQUEST_METHOD: 'POST' }), ask({ REQUEST_METHOD: 'POST' })];
    await a.request();
    const b = await connectThread();
    await b.request();
    b.answer('two');
    a.answer('one');
    expect([await first.body, await second.body]).to.deep.equal(['one', 'two']);
  });

  it('takes from a process what waits there and does not come to its turn', async () => {
    const a = await connectThread();
    await hurry(a);
    const stuck = ask({ REQUEST_METHOD: 'POST' });
    await a.request();
    const b = await connectThread();
    await hurry(b);
    const more = [1, 2, 3].map(() => ask({ REQUEST_METHOD: 'POST' }));
    const begun = performance.now();
    await waitFor(() => performance.now() - begun > 30, { what: 'it to look stuck' });
    await b.request();
    b.answer('moved');
    await Promise.race(more.map(({ body }) => body));
    // Although this one has no thread to spare yet.
    expect(a.inbox.take()).to.equal(null);
    for (let count = 0; count < 2; count += 1) {
      await b.request();
      b.answer('moved');
    }
    expect(await Promise.all(more.map(({ body }) => body))).to.deep.equal(['moved', 'moved', 'moved']);
    a.answer('at last');
    expect(await stuck.body).to.equal('at last');
  });

  it('streams a response, and tells the length of one that is complete from the start', async () => {
    const thread = await connectThread();
    const streamed = ask();
    await thread.request();
    thread.answer('a', 0);
    thread.socket.write(buildFrame(Kind.DATA, 0, '', 'b'));
    thread.socket.write(buildFrame(Kind.DATA, Flag.FIN, '', 'c'));
    expect(await streamed.body).to.equal('abc');
    expect(streamed.headers).to.deep.equal([[]]);
    const large = ask();
    await thread.request();
    thread.answer('x'.repeat(300_000));
    expect(await large.body).to.have.lengthOf(300_000);
    expect(large.headers).to.deep.equal([[['Content-Length', '300000']]]);
  });

  it('sends a request again, once, where its process went and it may be', async () => {
    const [a, b] = [await connectThread(), await connectThread()];
    const again = ask();
    await a.request();
    a.socket.destroy();
    await b.request();
    b.answer('from another');
    expect(await again.body).to.equal('from another');
    const c = await connectThread();
    const twice = ask();
    await b.request();
    b.socket.destroy();
    await c.request();
    c.socket.destroy();
    expect(await codeOf(twice.body)).to.equal('ERR_PYTHON_LOST');
  });

  it('gives what no thread of a process took to another one, whatever it is', async () => {
    const [a, b] = [await connectThread(), await connectThread()];
    const [first, second] = [ask({ REQUEST_METHOD: 'POST' }), ask({ REQUEST_METHOD: 'POST' })];
    a.socket.destroy();
    for (const body of ['one', 'two']) {
      await b.request();
      b.answer(body);
    }
    expect([await first.body, await second.body]).to.have.members(['one', 'two']);
  });

  it('keeps what waits for the other threads of a process where one goes', async () => {
    const [a, b] = await connectPair();
    const waiting = ask({ REQUEST_METHOD: 'POST' });
    a.socket.destroy();
    await waitFor(() => lanes.size === 1, { what: 'one to be gone' });
    await b.request();
    b.answer('here');
    expect(await waiting.body).to.equal('here');
  });

  it('does not send it again where it may not be', async () => {
    for (let count = 0; count < 2; count += 1) await connectThread();
    const post = ask({ REQUEST_METHOD: 'POST' });
    await threads[0]?.request();
    threads[0]?.socket.destroy();
    expect(await codeOf(post.body)).to.equal('ERR_PYTHON_LOST');
    const begun = ask();
    await threads[1]?.request();
    threads[1]?.answer('half', 0);
    await waitFor(() => begun.status.length === 1, { what: 'the head' });
    threads[1]?.socket.destroy();
    expect(await codeOf(begun.body)).to.equal('ERR_PYTHON_LOST');
  });

  it('waits for a thread, but not for ever', async () => {
    const waiting = ask();
    const thread = await connectThread();
    await thread.request();
    thread.answer('at last');
    expect(await waiting.body).to.equal('at last');
    const busy = ask();
    await thread.request();
    expect(await codeOf(ask().body)).to.equal('ERR_PYTHON_BUSY');
    thread.answer('done');
    await busy.body;
  });

  const gone = (): GatewayError => new GatewayError('ERR_GATEWAY_CLIENT_GONE', 'gone');
  const late = (): GatewayError => new GatewayError('ERR_GATEWAY_TIMEOUT', 'late');

  it('tells the thread where the client leaves, and reports it where it goes on for too long', async () => {
    const thread = await connectThread(7, 3);
    const client = new AbortController();
    const left = ask({ REQUEST_URI: '/slow' }, client);
    const { aux: ticket } = await thread.request();
    expect(thread.inbox.isGivenUp(ticket)).to.equal(false);
    client.abort(gone());
    expect(await codeOf(left.body)).to.equal('ERR_GATEWAY_CLIENT_GONE');
    expect(thread.inbox.isGivenUp(ticket)).to.equal(true);
    expect(lanes.places).to.equal(0);
    expect(overdue).to.deep.equal([]);
    await waitFor(() => overdue.length === 1, { what: 'the report' });
    expect(overdue).to.deep.equal([
      { mount: '/py', pid: 7, thread: 3, requestId: 'id', method: 'GET', uri: '/slow' },
    ]);
    thread.answer('for nobody');
    const next = ask();
    await waitFor(() => !thread.inbox.isGivenUp(ticket), { what: 'the answer to be read' });
    expect(lanes.places).to.equal(1);
    await thread.request();
    thread.answer('for somebody');
    expect(await next.body).to.equal('for somebody');
    expect(thread.isGone).to.equal(false);
  });

  it('takes back what no thread has taken where the client leaves', async () => {
    const thread = await connectThread();
    const client = new AbortController();
    const left = ask({}, client);
    client.abort(gone());
    expect(await codeOf(left.body)).to.equal('ERR_GATEWAY_CLIENT_GONE');
    expect(thread.inbox.take()).to.equal(null);
    const next = ask();
    await thread.request();
    thread.answer('next');
    expect(await next.body).to.equal('next');
  });

  it('reports at once what took too long, and nothing that was done in time', async () => {
    const thread = await connectThread(7, 3);
    const client = new AbortController();
    const left = ask({}, client);
    const { aux: ticket } = await thread.request();
    client.abort(gone());
    await codeOf(left.body);
    thread.answer('done in time');
    await waitFor(() => !thread.inbox.isGivenUp(ticket), { what: 'the answer to be read' });
    const clock = new AbortController();
    const slow = ask({}, clock);
    await thread.request();
    clock.abort(late());
    expect(await codeOf(slow.body)).to.equal('ERR_GATEWAY_TIMEOUT');
    expect(overdue.map(({ thread: at }) => at)).to.deep.equal([3]);
    // What is due after the first one would have been has come, and that has not.
    const other = await connectThread(7, 4);
    const third = new AbortController();
    const last = ask({}, third);
    await other.request();
    third.abort(gone());
    await codeOf(last.body);
    await waitFor(() => overdue.length > 1, { what: 'the next report' });
    expect(overdue.map(({ thread: at }) => at)).to.deep.equal([3, 4]);
  });

  it('reports a thread that had not said yet what it took, as soon as it says so', async () => {
    const thread = await connectThread(7, 3);
    const clock = new AbortController();
    const slow = ask({}, clock);
    const frame = await waitFor(() => thread.inbox.take(), { what: 'the request' });
    clock.abort(late());
    await codeOf(slow.body);
    expect(overdue).to.deep.equal([]);
    thread.inbox.note(frame.aux, 3);
    await waitFor(() => overdue.length === 1, { what: 'the report' });
  });

  it('answers at once where the app does not load', async () => {
    lanes.update({ mount: '/py', isDown: true });
    expect(admission.enter()).to.equal(true);
    const { status, body } = ask();
    await body;
    expect(status).to.deep.equal(['503 Service Unavailable']);
    lanes.update({ mount: '/py', isDown: false });
    expect(admission.enter()).to.equal(false);
  });

  it('lets its threads go once it is released and nobody needs them', async () => {
    const [a, b] = await connectPair();
    expect(admission.enter()).to.equal(true);
    const inside = ask();
    await b.request();
    lanes.release();
    expect((await a.request()).kind).to.equal(Kind.LEAVE);
    a.socket.destroy();
    await waitFor(() => lanes.size === 1, { what: 'it to be gone' });
    b.answer('done');
    expect(await inside.body).to.equal('done');
    admission.leave();
    expect((await b.request()).kind).to.equal(Kind.LEAVE);
  });

  it('ends a lane that claims what it was not given, and nothing else', async () => {
    const [a, b] = await connectPair();
    const inside = ask();
    await a.request();
    b.socket.write(buildFrame(Kind.CLAIM, 0, '', '', 99));
    await waitFor(() => b.isGone, { what: 'it to be ended' });
    a.answer('still here');
    expect(await inside.body).to.equal('still here');
  });

  it('leaves nothing of an inbox behind, and opens none that is elsewhere', async () => {
    const thread = await connectThread();
    expect(existsSync(join(folder, thread.inbox.name))).to.equal(false);
    expect(existsSync(join(folder, `${thread.inbox.name}.notes`))).to.equal(false);
    const elsewhere = makeInbox();
    const other = new Thread(path, 1, 0, { name: `../${basename(folder)}/${elsewhere.name}` } as FakeInbox);
    threads.push(other);
    await waitFor(() => other.isGone, { what: 'it to be refused' });
    expect(existsSync(join(folder, elsewhere.name))).to.equal(true);
  });

  it('leaves the place to a server that comes after it', async () => {
    const options = { mount: '/py', path, token: 'feed' };
    const next = new LaneServer({
      address: options,
      admission: new Admission({ requests: 1, queue: 0, queueTimeout: 1 }),
      cedes: false,
      requests: 1,
      requestTimeout: 0,
      queueTimeout: 1,
      read: readShared,
      onLane: () => undefined,
      onOverdue: () => undefined,
    });
    // Within one process the name beside the path is the same; a worker's differs by its pid.
    await next.listen();
    lanes.close();
    threads.push(new Thread(path, 1, 0, makeInbox()));
    await waitFor(() => next.size === 1, { what: 'the thread to find it' });
    next.close();
  });

  it('refuses an environ that cannot be sent', async () => {
    await connectThread();
    expect(await codeOf(ask({ HTTP_X: 'a\0b' }).body)).to.equal('ERR_PYTHON_ENVIRON');
    expect(await codeOf(ask({ HTTP_X: '€' }).body)).to.equal('ERR_PYTHON_ENVIRON');
  });
});
