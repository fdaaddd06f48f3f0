// Stands in for viaduct around worker.py: starts it, speaks its control channel, and is the other end of its lanes.
// Shares no code with src/apps/python but the path of the program.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { PROGRAM } from '../../src/apps/python/program.ts';
import { InboxEnd } from './inbox-end.ts';
import { buildFrame, Flag, FRAME_HEADER, Kind, readFrames, type WholeFrame } from './lane-frames.ts';
import { projectRoot } from './project.ts';
import { makeTempDir, removeTempDir } from './temp.ts';
import { waitFor } from './wait.ts';

/** Debian's own interpreter: its packages (Django, Flask ...) are for no other. PYTHON names another one. */
export const PYTHON: string = process.env['PYTHON'] ?? '/usr/bin/python3';
export const PYTHON_APPS: string = join(projectRoot, 'test/fixtures/python');

export type Message = Readonly<Record<string, unknown>>;

export interface PythonOptions {
  app: string;
  threads?: number;
  path?: readonly string[];
  chdir?: string | null;
  multiprocess?: boolean;
  environ?: Message;
  limits?: Message;
  executable?: string;
  /** For the environment, beside what the tests have; `null` takes a variable away. */
  env?: Readonly<Record<string, string | null>>;
}

/** What came back for one request. */
export interface LaneAnswer {
  /** Frames up to the one that ended the request. */
  readonly frames: readonly WholeFrame[];
  /** "200 OK"; empty without HEAD. */
  readonly status: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Buffer;
  /** Of the ERR frame that ended it: class, message, traceback. */
  readonly error: readonly string[] | null;
  /** What wsgi.errors was given. */
  readonly log: string;
}

const running = new Set<ChildProcess>();

// A hook that never ran must not leave a process behind.
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** One end of a lane, from the thread's HELLO on. */
export class LaneEnd {
  readonly frames: WholeFrame[] = [];
  hello: WholeFrame | null = null;
  ended = false;
  errorCode: string | null = null;
  /** Tickets it has claimed. */
  readonly claims: number[] = [];
  readonly socket: Socket;
  readonly #folder: string;
  readonly #lanes: readonly LaneEnd[];
  /** The ticket of the last request that was begun here. */
  #begun = -1;
  #pending: Buffer[] = [];
  #size = 0;
  /** So many bytes must be there before it is worth a look. */
  #wanted = FRAME_HEADER;

  /**
   * @param folder where inboxes are
   * @param lanes all that have the same inbox
   */
  constructor(socket: Socket, folder: string, lanes: readonly LaneEnd[]) {
    this.socket = socket;
    this.#folder = folder;
    this.#lanes = lanes;
    socket.on('data', (chunk: Buffer) => this.#push(chunk));
    socket.on('end', () => (this.ended = true));
    socket.on('close', () => (this.ended = true));
    socket.on('error', (error: NodeJS.ErrnoException) => (this.errorCode = error.code ?? error.message));
  }

  get thread(): number {
    return Number(this.hello?.head[2]);
  }

  send(kind: number, flags: number, head: string, bytes: Uint8Array | string = ''): void {
    const frame = buildFrame(kind, flags, head, bytes);
    // A body may be sent before its thread has called for the request.
    if (!this.inbox.append(this.#begun, frame)) this.socket.write(frame);
  }

  get inbox(): InboxEnd {
    return InboxEnd.at(join(this.#folder, this.hello?.head[4] ?? ''));
  }

  /** Puts a request into the inbox of its process, with its body or `null` for one that follows; gives the ticket. */
  begin(environ: Readonly<Record<string, string>>, body: Uint8Array | string | null = ''): number {
    const params = requestEnviron(environ, body);
    const head = [...Object.keys(params), ...Object.values(params)].join('\0');
    this.#begun = this.inbox.request(head, body);
    return this.#begun;
  }

  /** As begin() without a body, but the names are noted beside the inbox under that number. */
  beginNoted(number: number, environ: Readonly<Record<string, string>>): number {
    this.#begun = this.inbox.values(number, requestEnviron(environ, ''));
    return this.#begun;
  }

  /** Waits for the end of the response that comes next. */
  async answer(timeout = 5000): Promise<LaneAnswer> {
    const length = await waitFor(() => this.#answerLength(), {
      what: 'the end of a response',
      timeout,
      interval: 1,
    });
    return asAnswer(this.frames.splice(0, length));
  }

  async ask(
    environ: Readonly<Record<string, string>>,
    body: Uint8Array | string | null = '',
  ): Promise<LaneAnswer> {
    const ticket = this.begin(environ, body);
    const lane = await waitFor(
      () => this.#lanes.find(({ claims, ended }) => claims.includes(ticket) || (ended && this.ended)),
      { what: 'a thread to take it', interval: 1 },
    );
    return lane.answer();
  }

  /** The first frame of that kind that is there or comes; it is taken out. */
  async frame(kind: number): Promise<WholeFrame> {
    const at = await waitFor(
      () => {
        const found = this.frames.findIndex((frame) => frame.kind === kind);
        return found === -1 ? null : found;
      },
      { what: `a frame of type ${kind}`, interval: 1 },
    );
    return this.frames.splice(at, 1)[0] as WholeFrame;
  }

  #answerLength(): number | null {
    const at = this.frames.findIndex(
      ({ kind, flags }) =>
        (kind === Kind.ERR && (flags & Flag.CLOSE) === 0) ||
        ((kind === Kind.HEAD || kind === Kind.DATA) && (flags & Flag.FIN) !== 0),
    );
    if (at === -1 && this.ended)
      throw new Error(`the lane ended (${this.errorCode ?? 'no error'}) after ${this.frames.length} frames`);
    return at === -1 ? null : at + 1;
  }

  #greet(hello: WholeFrame): void {
    this.hello = hello;
    this.socket.write(buildFrame(Kind.WELCOME, 0, ''));
  }

  #claim({ aux, flags }: WholeFrame): void {
    this.claims.push(aux);
    if ((flags & Flag.WAITS) !== 0) this.socket.write(this.inbox.called(aux));
  }

  #push(chunk: Buffer): void {
    this.#pending.push(chunk);
    this.#size += chunk.length;
    if (this.#size < this.#wanted) return;
    const data = Buffer.concat(this.#pending);
    const { frames, size, wanted } = readFrames(data);
    this.#pending = [data.subarray(size)];
    this.#size = data.length - size;
    this.#wanted = wanted;
    for (const frame of frames) {
      if (this.hello === null) this.#greet(frame);
      else if (frame.kind === Kind.CLAIM) this.#claim(frame);
      else this.frames.push(frame);
    }
  }
}

/** What PEP 3333 wants to be there, as a GET of "/". */
function requestEnviron(
  environ: Readonly<Record<string, string>>,
  body: Uint8Array | string | null,
): Record<string, string> {
  const length = body === null ? 0 : Buffer.byteLength(body);
  return {
    REQUEST_METHOD: 'GET',
    SCRIPT_NAME: '',
    PATH_INFO: '/',
    QUERY_STRING: '',
    SERVER_NAME: 'localhost',
    SERVER_PORT: '80',
    SERVER_PROTOCOL: 'HTTP/1.1',
    HTTP_HOST: 'localhost',
    REMOTE_ADDR: '127.0.0.1',
    'wsgi.url_scheme': 'http',
    ...(length > 0 ? { CONTENT_LENGTH: String(length) } : {}),
    ...environ,
  };
}

function asAnswer(frames: readonly WholeFrame[]): LaneAnswer {
  const head = frames.find(({ kind }) => kind === Kind.HEAD)?.head ?? [];
  const headers: [string, string][] = [];
  for (let at = 1; at < head.length; at += 2) headers.push([head[at] ?? '', head[at + 1] ?? '']);
  const bytesOf = (...kinds: number[]): Buffer =>
    Buffer.concat(frames.filter(({ kind }) => kinds.includes(kind)).map(({ bytes }) => bytes));
  const error = frames.at(-1)?.kind === Kind.ERR ? String(frames.at(-1)?.bytes).split('\0') : null;
  return {
    frames,
    status: head[0] ?? '',
    headers,
    body: bytesOf(Kind.HEAD, Kind.DATA),
    error,
    log: String(bytesOf(Kind.LOG)),
  };
}

/** One Python process and what viaduct would hold of it. */
export class PythonPeer {
  readonly lanes: LaneEnd[] = [];
  readonly messages: Message[] = [];
  stdout = '';
  stderr = '';
  readonly dir: string;
  readonly child: ChildProcess;
  readonly #server: Server;
  #text = '';

  private constructor(dir: string, child: ChildProcess, server: Server) {
    this.dir = dir;
    this.child = child;
    this.#server = server;
    running.add(child);
    child.once('exit', () => running.delete(child));
    child.stdout?.on('data', (chunk: Buffer) => (this.stdout += String(chunk)));
    child.stderr?.on('data', (chunk: Buffer) => (this.stderr += String(chunk)));
    this.control.on('data', (chunk: Buffer) => this.#hear(String(chunk)));
    this.control.on('error', () => undefined);
    server.on('connection', (socket: Socket) => this.lanes.push(new LaneEnd(socket, dir, this.lanes)));
  }

  /** Starts the program and configures it; see ready(). Its control channel is descriptor 3, its group its own. */
  static async start(options: PythonOptions): Promise<PythonPeer> {
    const dir = await makeTempDir();
    const server = createServer({ allowHalfOpen: true });
    server.listen(join(dir, 'lanes.sock'));
    await once(server, 'listening');
    const env: NodeJS.ProcessEnv = { ...process.env, PYTHONDONTWRITEBYTECODE: '1' };
    for (const [name, value] of Object.entries(options.env ?? {})) {
      if (value === null) delete env[name];
      else env[name] = value;
    }
    const child = spawn(options.executable ?? PYTHON, ['-u', PROGRAM], {
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
      env,
      detached: true,
    });
    const peer = new PythonPeer(dir, child, server);
    const threads = options.threads ?? 1;
    peer.tell({
      kind: 'config',
      app: options.app,
      path: options.path ?? [PYTHON_APPS],
      chdir: options.chdir === undefined ? dir : options.chdir,
      process: 5,
      threads,
      lanes: Array.from({ length: threads }, () => peer.socketPath),
      token: 'feed',
      multiprocess: options.multiprocess ?? false,
      environ: options.environ ?? {},
      limits: options.limits ?? {},
    });
    return peer;
  }

  /** Starts it and waits until all lanes have said HELLO. */
  static async ready(options: PythonOptions): Promise<PythonPeer> {
    const peer = await PythonPeer.start(options);
    await peer.message('ready');
    await waitFor(() => peer.live.length === (options.threads ?? 1), { what: 'the lanes' });
    return peer;
  }

  get control(): Socket {
    return this.child.stdio[3] as Socket;
  }

  get socketPath(): string {
    return join(this.dir, 'lanes.sock');
  }

  /** Lanes that have said HELLO and not ended. */
  get live(): LaneEnd[] {
    return this.lanes.filter(({ hello, ended }) => hello !== null && !ended);
  }

  /** The first of them. */
  get lane(): LaneEnd {
    const lane = this.live[0];
    if (lane === undefined) throw new Error(`Cannot use a lane: none is open; stderr: ${this.stderr}`);
    return lane;
  }

  /** Begins a request that its thread has to call for, with a body that follows: the lane of that thread, and the other ones. */
  async streamed(environ: Readonly<Record<string, string>>): Promise<[busy: LaneEnd, ...others: LaneEnd[]]> {
    const ticket = this.lane.begin(environ, null);
    const busy = await waitFor(() => this.live.find(({ claims }) => claims.includes(ticket)), {
      what: 'a thread to take it',
      interval: 1,
    });
    return [busy, ...this.live.filter((lane) => lane !== busy)];
  }

  tell(message: Message): void {
    this.control.write(`${JSON.stringify(message)}\n`);
  }

  /** The next message of that kind; it is taken out. */
  async message(kind: string, timeout = 10_000): Promise<Message> {
    const found = await waitFor(
      () => {
        const unexpected = this.messages.find((message) => message['kind'] === 'load_error');
        if (unexpected !== undefined && kind === 'ready') throw new Error(String(unexpected['traceback']));
        return this.messages.find((message) => message['kind'] === kind);
      },
      { what: `the message "${kind}"`, timeout },
    );
    this.messages.splice(this.messages.indexOf(found), 1);
    return found;
  }

  /** A lane whose thread has opened a new one instead. */
  async reconnected(): Promise<LaneEnd> {
    const known = new Set(this.live);
    return waitFor(() => this.live.find((lane) => !known.has(lane)), { what: 'a new lane', interval: 1 });
  }

  /** Waits until the process is gone: its exit status, or the signal that killed it. */
  async exit(timeout = 5000): Promise<number | NodeJS.Signals | null> {
    const { child } = this;
    await waitFor(() => child.exitCode !== null || child.signalCode !== null, { what: 'its exit', timeout });
    return child.exitCode ?? child.signalCode;
  }

  async stop(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.exit();
    this.control.destroy();
    for (const { socket } of this.lanes) socket.destroy();
    this.#server.close();
    InboxEnd.closeAll(this.dir);
    await removeTempDir(this.dir);
  }

  #hear(text: string): void {
    const lines = (this.#text + text).split('\n');
    this.#text = lines.pop() ?? '';
    for (const line of lines) this.messages.push(JSON.parse(line) as Message);
  }
}
