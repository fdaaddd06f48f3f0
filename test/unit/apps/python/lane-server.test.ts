// The lanes of a mount, and the requests handed to them, with Python threads that are none on a real socket.
import { expect } from 'chai';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { pythonApplication } from '../../../../src/apps/python/application.ts';
import { type LaneChange, LaneServer, type Overdue } from '../../../../src/apps/python/lane-server.ts';
import { Admission } from '../../../../src/gateway/admission.ts';
import type { Application, Environ, HeaderList } from '../../../../src/gateway/contract.ts';
import { GatewayError } from '../../../../src/gateway/errors.ts';
import { readShared } from '../../../../src/transport/reading.ts';
import { buildFrame, Flag, Kind, readFrames, type WholeFrame } from '../../../helpers/lane-frames.ts';
import { makeTempDir, removeTempDir } from '../../../helpers/temp.ts';
import { waitFor } from '../../../helpers/wait.ts';

/** A thread as worker.py has it, played by the test. */
class Thread {
  readonly socket: Socket;
  readonly frames: WholeFrame[] = [];
  isGone = false;

  constructor(path: string, pid: number, thread: number) {
    this.socket = connect(path);
    const hello = buildFrame(Kind.HELLO, 0, `${pid}\x000\0${thread}\0feed`);
    hello.writeUInt16LE(1, 6);
    this.socket.write(hello);
    let data = Buffer.alloc(0);
    this.socket.on('data', (chunk) => {
      const { frames, size } = readFrames(Buffer.concat([data, chunk]));
      data = Buffer.concat([data, chunk]).subarray(size);
      this.frames.push(...frames);
    });
    this.socket.on('error', () => undefined);
    this.socket.on('close', () => (this.isGone = true));
  }

  request(count = 1): Promise<WholeFrame> {
    return waitFor(() => this.frames.filter(({ kind }) => kind === Kind.REQ)[count - 1], {
      what: `request ${count}`,
    });
  }

  answer(body: string, flags: number = Flag.FIN): void {
    this.socket.write(buildFrame(Kind.HEAD, flags, '200 OK', body));
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
  const unavailable: Application = (_, start) => {
    start('503 Service Unavailable', []);
    return [];
  };

  beforeEach(async () => {
    folder = await makeTempDir();
    path = join(folder, 'lane.sock');
    [changes, overdue, threads] = [[], [], []];
    admission = new Admission({ requests: 3, queue: 1, queueTimeout: 1000 });
    lanes = new LaneServer({
      address: { mount: '/py', path, token: 'feed' },
      admission,
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
    await removeTempDir(folder);
  });

  const connectThread = async (pid = 1, thread: number = threads.length): Promise<Thread> => {
    const before = lanes.size;
    const made = new Thread(path, pid, thread);
    threads.push(made);
    await waitFor(() => lanes.size === before + 1, { what: 'the lane to open' });
    return made;
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

  it('uses the thread that was busy last, and those that still close last of all', async () => {
    const [a, b] = [await connectThread(), await connectThread()];
    const first = ask();
    await b.request();
    b.answer('one', Flag.FIN | Flag.CLOSING);
    expect(await first.body).to.equal('one');
    const second = ask();
    await a.request();
    a.answer('two');
    expect(await second.body).to.equal('two');
    const third = ask();
    await a.request(2);
    a.answer('three');
    expect(await third.body).to.equal('three');
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
    await thread.request(2);
    thread.answer('x'.repeat(300_000));
    expect(await large.body).to.have.lengthOf(300_000);
    expect(large.headers).to.deep.equal([[['Content-Length', '300000']]]);
  });

  it('sends a request again, once, where its thread went and it may be', async () => {
    for (let count = 0; count < 3; count += 1) await connectThread();
    const again = ask();
    await threads[2]?.request();
    threads[2]?.socket.destroy();
    await threads[1]?.request();
    threads[1]?.answer('from another');
    expect(await again.body).to.equal('from another');
    const twice = ask();
    await threads[1]?.request(2);
    threads[1]?.socket.destroy();
    await threads[0]?.request();
    threads[0]?.socket.destroy();
    expect(await codeOf(twice.body)).to.equal('ERR_PYTHON_LOST');
  });

  it('does not send it again where it may not be', async () => {
    for (let count = 0; count < 2; count += 1) await connectThread();
    const post = ask({ REQUEST_METHOD: 'POST' });
    await threads[1]?.request();
    threads[1]?.socket.destroy();
    expect(await codeOf(post.body)).to.equal('ERR_PYTHON_LOST');
    const begun = ask();
    await threads[0]?.request();
    threads[0]?.answer('half', 0);
    await waitFor(() => begun.status.length === 1, { what: 'the head' });
    threads[0]?.socket.destroy();
    expect(await codeOf(begun.body)).to.equal('ERR_PYTHON_LOST');
  });

  it('waits for a thread, but not for ever', async () => {
    const waiting = ask();
    const thread = await connectThread();
    await thread.request();
    thread.answer('at last');
    expect(await waiting.body).to.equal('at last');
    const busy = ask();
    await thread.request(2);
    expect(await codeOf(ask().body)).to.equal('ERR_PYTHON_BUSY');
    thread.answer('done');
    await busy.body;
  });

  it('gives the thread up where the client leaves, and reports it where it does not come back', async () => {
    const thread = await connectThread(7, 3);
    const client = new AbortController();
    const left = ask({ REQUEST_URI: '/slow' }, client);
    await thread.request();
    client.abort(new GatewayError('ERR_GATEWAY_CLIENT_GONE', 'gone'));
    expect(await codeOf(left.body)).to.equal('ERR_GATEWAY_CLIENT_GONE');
    await waitFor(() => thread.isGone, { what: 'the thread to be told' });
    expect(overdue).to.deep.equal([]);
    await waitFor(() => overdue.length === 1, { what: 'the report' });
    expect(overdue).to.deep.equal([
      { mount: '/py', pid: 7, thread: 3, requestId: 'id', method: 'GET', uri: '/slow' },
    ]);
  });

  it('reports at once what took too long, and nothing that came back in time', async () => {
    const thread = await connectThread(7, 3);
    const client = new AbortController();
    const left = ask({}, client);
    await thread.request();
    client.abort(new GatewayError('ERR_GATEWAY_CLIENT_GONE', 'gone'));
    await codeOf(left.body);
    const back = await connectThread(7, 3);
    const late = new AbortController();
    const slow = ask({}, late);
    await back.request();
    late.abort(new GatewayError('ERR_GATEWAY_TIMEOUT', 'late'));
    expect(await codeOf(slow.body)).to.equal('ERR_GATEWAY_TIMEOUT');
    expect(overdue.map(({ thread: at }) => at)).to.deep.equal([3]);
    // What is due after the first one would have been has come, and that has not.
    const other = await connectThread(7, 4);
    const third = new AbortController();
    const last = ask({}, third);
    await other.request();
    third.abort(new GatewayError('ERR_GATEWAY_CLIENT_GONE', 'gone'));
    await codeOf(last.body);
    await waitFor(() => overdue.length > 1, { what: 'the next report' });
    expect(overdue.map(({ thread: at }) => at)).to.deep.equal([3, 4]);
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
    const [a, b] = [await connectThread(), await connectThread()];
    expect(admission.enter()).to.equal(true);
    const inside = ask();
    await b.request();
    lanes.release();
    await waitFor(() => a.isGone, { what: 'the idle one to go' });
    b.answer('done');
    expect(await inside.body).to.equal('done');
    admission.leave();
    await waitFor(() => b.isGone, { what: 'the last one to go', timeout: 3000 });
  });

  it('leaves the place to a server that comes after it', async () => {
    const options = { mount: '/py', path, token: 'feed' };
    const next = new LaneServer({
      address: options,
      admission: new Admission({ requests: 1, queue: 0, queueTimeout: 1 }),
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
    threads.push(new Thread(path, 1, 0));
    await waitFor(() => next.size === 1, { what: 'the thread to find it' });
    next.close();
  });

  it('refuses an environ that cannot be sent', async () => {
    await connectThread();
    expect(await codeOf(ask({ HTTP_X: 'a\0b' }).body)).to.equal('ERR_PYTHON_ENVIRON');
    expect(await codeOf(ask({ HTTP_X: '€' }).body)).to.equal('ERR_PYTHON_ENVIRON');
  });
});
