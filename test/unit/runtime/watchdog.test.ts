// Each case is a process of its own that hangs in one way or another, and what its watchdog makes of it.
import { expect } from 'chai';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  closeSync,
  constants,
  existsSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RunningRequest } from '../../../src/gateway/events.ts';
import { makeTempDir, removeTempDir } from '../../helpers/temp.ts';
import { waitFor } from '../../helpers/wait.ts';
import type { Task } from './watchdog-child.ts';

const CHILD = fileURLToPath(new URL('watchdog-child.js', import.meta.url));
const STUCK = 600;

interface Options {
  nodeArgs?: string[];
  env?: Record<string, string>;
  /** Leads a process group. */
  detached?: boolean;
  /** Descriptor for stderr; a socket that the test reads unless told. */
  stderr?: number | 'unread';
}

interface Line {
  level: string;
  time: string;
  code: string;
  pid: number;
  worker: number;
  stack: string | null;
  in_flight?: number;
  requests?: Record<string, unknown>[];
  msg: string;
}

class Subject {
  readonly process: ChildProcess;
  readonly ended: Promise<NodeJS.Signals | number | null>;
  out = '';
  err = '';

  constructor(task: Task, { nodeArgs = [], env = {}, detached = false, stderr }: Options) {
    this.process = spawn(process.execPath, [...nodeArgs, CHILD, JSON.stringify(task)], {
      stdio: ['ignore', 'pipe', typeof stderr === 'number' ? stderr : 'pipe'],
      env: { ...process.env, ...env },
      detached,
    });
    this.process.stdout?.on('data', (chunk: Buffer) => (this.out += chunk.toString()));
    if (stderr !== 'unread')
      this.process.stderr?.on('data', (chunk: Buffer) => (this.err += chunk.toString()));
    const over = stderr === 'unread' ? 'exit' : 'close';
    this.ended = new Promise((resolve) => {
      this.process.once(over, (code: number | null, signal: NodeJS.Signals | null) =>
        resolve(signal ?? code),
      );
    });
  }

  /** The one line of its log. */
  get line(): Line {
    expect(this.err).to.match(/^\{.*\}\n$/);
    return JSON.parse(this.err) as Line;
  }

  /** The number it has said after `word`. */
  said(word: string): Promise<number> {
    return waitFor(() => Number(new RegExp(`^${word} (\\d+)$`, 'm').exec(this.out)?.[1] ?? 0) || false, {
      what: `the child to say its ${word}`,
    });
  }
}

/** False for a process that is gone, or a zombie that its parent has not fetched (proc(5)). */
function lives(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}

const passed = (milliseconds: number): Promise<boolean> => {
  const until = performance.now() + milliseconds;
  return waitFor(() => performance.now() > until, { what: 'time to pass' });
};

describe('runtime/watchdog', () => {
  let folder = '';
  const subjects: Subject[] = [];
  const start = (task: Task, options: Options = {}): Subject => {
    const subject = new Subject(task, options);
    subjects.push(subject);
    return subject;
  };
  const run = async (task: Task, options: Options = {}): Promise<Subject & { end: unknown }> => {
    const subject = start(task, options);
    return Object.assign(subject, { end: await subject.ended });
  };

  beforeEach(async () => {
    folder = await makeTempDir();
  });
  afterEach(async () => {
    for (const { process: child } of subjects.splice(0)) child.kill('SIGKILL');
    await removeTempDir(folder);
  });

  describe('logs what blocks, then kills', () => {
    const blocks: [block: Task['block'], innermost: RegExp][] = [
      ['loop', /^at .*spinForEver .*watchdog-child\.js:\d+:\d+\)\n/],
      ['regexp', /^at RegExp\.test .*\nat .*backtrack /],
      ['promises', /^at next .*watchdog-child\.js/],
      ['steps', /^at (give|take) .*watchdog-child\.js/],
      ['atomics', /^at Atomics\.wait .*\nat .*waitOnMain /],
    ];
    for (const [block, innermost] of blocks) {
      it(block, async () => {
        const before = Date.now();
        const { end, line, process: child } = await run({ stuck: STUCK, block });
        expect(end).to.equal('SIGKILL');
        expect(line.stack).to.match(innermost);
        if (block !== 'promises' && block !== 'steps')
          expect(line.stack).to.match(/\nat .*application .*watchdog-child\.js/);
        expect(line).to.include({ level: 'error', code: 'ERR_WORKER_STUCK', pid: child.pid, worker: 3 });
        expect(line.msg).to.equal('Worker killed: its event loop was silent for timeouts.stuck, 600 ms');
        expect(new Date(line.time).toISOString()).to.equal(line.time);
        expect(Date.parse(line.time) - before).to.be.within(STUCK, 10_000);
      });
    }
  });

  it('kills what is in native code as well, without a stack', async () => {
    const fifo = join(folder, 'fifo');
    execFileSync('mkfifo', [fifo]);
    const subject = await run({ stuck: STUCK, block: 'fifo', fifo });
    expect(subject.end).to.equal('SIGKILL');
    expect(subject.line.stack).to.equal(null);
    expect(subject.line.msg).to.match(/; no stack, it is in native code that waits in a system call$/);
    const busy = await run({ stuck: STUCK, block: 'native' });
    expect(busy.end).to.equal('SIGKILL');
    expect(busy.line.msg).to.match(/; no stack, it is in native code that computes$/);
  });

  it('names the lines of the source with --enable-source-maps', async () => {
    const { line } = await run({ stuck: STUCK, block: 'loop' }, { nodeArgs: ['--enable-source-maps'] });
    expect(line.stack).to.match(/^at .*spinForEver .*watchdog-child\.ts:\d+:\d+\)\n/);
  });

  it('tells the requests in flight, the youngest first, twenty of them, and cuts long URIs', async () => {
    const requests = Array.from({ length: 25 }, (_, at): RunningRequest => ({
      requestId: `r${at}`,
      mount: 'api',
      method: 'GET',
      uri: at === 7 ? `/${'x'.repeat(2000)}` : `/${at}`,
      phase: 'running',
      age: 1000 * ((at * 7) % 25) + 0.4,
      queued: 12.3,
      bytesIn: 1,
      bytesOut: 2,
    }));
    const { line } = await run({ stuck: STUCK, block: 'loop', requests });
    expect(line.in_flight).to.equal(25);
    expect(line.requests?.map(({ age }) => age)).to.deep.equal(Array.from({ length: 20 }, (_, at) => at));
    expect(line.requests?.[0]).to.deep.equal({
      request_id: 'r0',
      mount: 'api',
      method: 'GET',
      uri: '/0',
      phase: 'running',
      age: 0,
      queue: 0.012,
      bytes_in: 1,
      bytes_out: 2,
    });
    // oldest but for five: 7 * 7 % 25 = 24 is not among them, so the long one is not shown
    expect(line.requests?.some(({ request_id: id }) => id === 'r7')).to.equal(false);
    const [, long] = requests.map((request) => ({ ...request, uri: `/${'x'.repeat(2000)}` }));
    const again = await run({ stuck: STUCK, block: 'loop', requests: long === undefined ? [] : [long] });
    expect(again.line.requests?.[0]?.['uri']).to.equal(`/${'x'.repeat(999)}`);
  });

  it('keeps the stack where the requests cannot be told', async () => {
    const { line } = await run({ stuck: STUCK, block: 'loop', requests: 'fail' });
    expect(line.stack).to.include('spinForEver');
    expect(line.requests).to.deep.equal([]);
  });

  describe('leaves alone', () => {
    it('what blocks for less', async () => {
      const subject = await run({ stuck: 1500, block: 'spin', time: 700 });
      expect([subject.end, subject.err]).to.deep.equal([0, '']);
      expect(subject.out).to.include('survived');
    });

    it('what goes on while it is asked', async () => {
      const subject = await run({ stuck: STUCK, block: 'sleep', time: 1400 });
      expect([subject.end, subject.err]).to.deep.equal([0, '']);
      expect(subject.out).to.include('survived');
    });

    it('what may block for longer just now, or for ever', async () => {
      for (const allow of [5000, 0]) {
        const subject = await run({ stuck: STUCK, allow, block: 'spin', time: 1500 });
        expect([subject.end, subject.err]).to.deep.equal([0, '']);
      }
    });

    it('a process that was stopped, and goes on', async () => {
      const subject = start({ stuck: STUCK, block: 'nothing', time: 2500 });
      const pid = await subject.said('pid');
      process.kill(pid, 'SIGSTOP');
      await passed(1500);
      process.kill(pid, 'SIGCONT');
      expect(await subject.ended).to.equal(0);
      expect(subject.err).to.equal('');
    });

    it('a process that ends: it keeps none alive, and no exit code from anybody', async () => {
      const begun = performance.now();
      expect((await run({ stuck: 60_000, block: 'nothing', time: 1 })).end).to.equal(0);
      expect((await run({ stuck: 60_000, block: 'exit' })).end).to.equal(7);
      expect(performance.now() - begun).to.be.below(5000);
    });

    it('a process that has stopped it; another one can be started', async () => {
      const subject = await run({ stuck: 5000, block: 'stop', time: 300 });
      expect(subject.out).to.match(/\nstopped\nstopped again\n$/);
      expect([subject.end, subject.err]).to.deep.equal([0, '']);
    });
  });

  describe('the process group', () => {
    it('goes along where the process leads it', async () => {
      const subject = await run({ stuck: STUCK, block: 'loop', child: true }, { detached: true });
      const pid = await subject.said('child');
      expect(subject.end).to.equal('SIGKILL');
      await waitFor(() => !lives(pid), { what: 'the child of the child to be gone' });
    });

    it('is left alone where another leads it', async () => {
      const subject = await run({ stuck: STUCK, block: 'loop', child: true });
      const pid = await subject.said('child');
      expect(subject.end).to.equal('SIGKILL');
      expect(lives(pid)).to.equal(true);
      process.kill(pid, 'SIGKILL');
    });
  });

  describe('without its parent', () => {
    const orphans: number[] = [];
    afterEach(() => {
      for (const pid of orphans.splice(0)) if (lives(pid)) process.kill(pid, 'SIGKILL');
    });

    /** A shell between us and the child, to be killed. */
    async function orphan(task: Task): Promise<number> {
      const command = `"$0" "$1" "$2" & wait`;
      const shell = spawn('sh', ['-c', command, process.execPath, CHILD, JSON.stringify(task)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let out = '';
      shell.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
      const pid = await waitFor(() => Number(/^pid (\d+)$/m.exec(out)?.[1] ?? 0) || false, {
        what: 'the child to start',
      });
      orphans.push(pid);
      // Blocked by now: it says its pid 50 ms before.
      await passed(300);
      shell.kill('SIGKILL');
      return pid;
    }

    it('a stuck process is gone within a second, whatever its limit', async () => {
      for (const block of ['loop', 'native'] as const) {
        const pid = await orphan({ stuck: 0, block, watchParent: true });
        const since = performance.now();
        await waitFor(() => !lives(pid), { what: 'the orphan to be gone' });
        expect(performance.now() - since).to.be.below(1000);
      }
    });

    it('one whose event loop turns is left to itself, as is one that has no parent to watch', async () => {
      for (const task of [
        { stuck: STUCK, block: 'nothing', time: 2500, watchParent: true },
        { stuck: 5000, block: 'spin', time: 1800 },
      ] as const) {
        const pid = await orphan(task);
        await passed(1200);
        expect(lives(pid)).to.equal(true);
        await waitFor(() => !lives(pid), { what: 'it to end by itself' });
      }
    });
  });

  describe('its log line', () => {
    /** A pipe that is full, and its reading end. */
    const fullPipe = (): { reader: number; writer: number; held: number } => {
      const path = join(folder, 'pipe');
      execFileSync('mkfifo', [path]);
      const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
      // blocking, as the stderr that a shell gives
      const writer = openSync(path, constants.O_WRONLY);
      const filler = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
      let held = 0;
      try {
        for (;;) held += writeSync(filler, Buffer.alloc(4096));
      } catch {
        closeSync(filler);
      }
      return { reader, writer, held };
    };

    it('does not wait for ever for a pipe that nobody reads', async () => {
      const { reader, writer } = fullPipe();
      const begun = performance.now();
      const { end } = await run({ stuck: STUCK, block: 'loop' }, { stderr: writer });
      expect(end).to.equal('SIGKILL');
      expect(performance.now() - begun).to.be.below(5000);
      closeSync(reader);
      closeSync(writer);
    });

    it('is whole where the reader catches up', async () => {
      const { reader, writer, held } = fullPipe();
      const subject = start({ stuck: STUCK, block: 'loop' }, { stderr: writer });
      closeSync(writer);
      await subject.said('pid');
      // The first attempts come after some 1200 ms and go on for a second.
      await passed(1700);
      const buffer = Buffer.alloc(held);
      for (let left = held; left > 0;) left -= readSync(reader, buffer, 0, left, null);
      expect(await subject.ended).to.equal('SIGKILL');
      const read = readSync(reader, buffer, 0, buffer.length, null);
      expect(JSON.parse(buffer.toString('utf8', 0, read))).to.include({ code: 'ERR_WORKER_STUCK' });
      closeSync(reader);
    });

    it('does not wait for ever for a socket that nobody reads', async () => {
      const begun = performance.now();
      const { end } = await run({ stuck: STUCK, block: 'stderr' }, { stderr: 'unread' });
      expect(end).to.equal('SIGKILL');
      expect(performance.now() - begun).to.be.below(5000);
    });

    it('goes to the log file that is there now', async () => {
      const logFile = join(folder, 'log');
      writeFileSync(logFile, 'old\n');
      const subject = start({ stuck: STUCK, block: 'loop', logFile });
      await subject.said('pid');
      renameSync(logFile, `${logFile}.1`);
      expect(await subject.ended).to.equal('SIGKILL');
      expect(JSON.parse(readFileSync(logFile, 'utf8'))).to.include({ code: 'ERR_WORKER_STUCK' });
      expect(readFileSync(`${logFile}.1`, 'utf8')).to.equal('old\n');
      expect(subject.err).to.equal('');
    });

    it('goes to the descriptor where the log file cannot be opened', async () => {
      const logFile = join(folder, 'nowhere/log');
      expect((await run({ stuck: STUCK, block: 'loop', logFile })).line.code).to.equal('ERR_WORKER_STUCK');
      expect(existsSync(logFile)).to.equal(false);
    });
  });

  it('loads nothing that NODE_OPTIONS asks for a second time', async () => {
    const file = join(folder, 'preload.cjs');
    writeFileSync(file, "require('node:fs').writeSync(1, 'preloaded\\n');");
    const env = { NODE_OPTIONS: `--require=${file}` };
    const { out } = await run({ stuck: 60_000, block: 'nothing', time: 300 }, { env });
    expect(out.match(/preloaded/g)).to.have.lengthOf(1);
  });
});
