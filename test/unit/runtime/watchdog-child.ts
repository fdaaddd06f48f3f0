// A process with a watchdog that does what it is told, for watchdog.test.ts: node watchdog-child.js '{"block": "loop", ...}'.
import { execFileSync, spawn } from 'node:child_process';
import { pbkdf2Sync } from 'node:crypto';
import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs';
import type { RunningRequest } from '../../../src/gateway/events.ts';
import { Ticker } from '../../../src/transport/timeouts.ts';
import { startWatchdog } from '../../../src/runtime/watchdog.ts';

export interface Task {
  /** Milliseconds. */
  stuck: number;
  block: keyof typeof BLOCKS;
  /** Milliseconds, where a block ends by itself. */
  time?: number;
  /** Another limit before it blocks. */
  allow?: number;
  watchParent?: boolean;
  logFile?: string;
  requests?: RunningRequest[] | 'fail';
  /** A named pipe, for the block of that name. */
  fifo?: string;
  /** Starts a child of its own first, and says its pid. */
  child?: boolean;
}

const task = JSON.parse(process.argv[2] ?? '') as Task;
const say = (text: string): void => void writeSync(1, `${text}\n`);

const BLOCKS = {
  loop: function spinForEver(): void {
    for (let turn = 0; ; turn += 1) if (turn < 0) return;
  },
  regexp: function backtrack(): void {
    /^(a+)+$/.test(`${'a'.repeat(60)}b`);
  },
  promises: function followPromises(): void {
    // oxlint-disable-next-line promise/no-callback-in-promise -- this is the endless chain
    const next = (): Promise<void> => Promise.resolve().then(next);
    void next();
  },
  steps: function consumeForEver(): void {
    async function* give(): AsyncGenerator<number> {
      for (;;) yield 1;
    }
    async function take(): Promise<void> {
      for await (const step of give()) void step;
    }
    void take();
  },
  atomics: function waitOnMain(): void {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  },
  fifo: function readFifo(): void {
    const fd = openSync(task.fifo ?? '', constants.O_RDWR);
    readSync(fd, Buffer.alloc(1));
    closeSync(fd);
  },
  native: function deriveKey(): void {
    pbkdf2Sync('a', 'b', 2 ** 31 - 1, 64, 'sha512');
  },
  // Until it holds no more: what its reader's buffer still takes, too.
  stderr: function fillStderr(): void {
    const until = performance.now() + 300;
    while (performance.now() < until) {
      try {
        writeSync(2, Buffer.alloc(4096));
      } catch {
        // EAGAIN: full for now
      }
    }
    BLOCKS.loop();
  },
  sleep: function sleepAWhile(): void {
    execFileSync('sleep', [String((task.time ?? 0) / 1000)]);
  },
  spin: function spinAWhile(): void {
    const until = performance.now() + (task.time ?? 0);
    while (performance.now() < until);
  },
  nothing: function stayIdle(): void {
    setTimeout(() => undefined, task.time);
  },
  exit: function leave(): void {
    process.exit(7);
  },
  stop: function stop(): void {
    const again = (): void => void startAgain();
    void watchdog.stop().then(again);
  },
};

function start(): ReturnType<typeof startWatchdog> {
  return startWatchdog({
    stuck: task.stuck,
    slot: 3,
    logFd: 2,
    logFile: task.logFile ?? null,
    parent: task.watchParent === true ? process.ppid : null,
    ticker: new Ticker(),
    inFlight: () => {
      if (task.requests === 'fail') throw new Error('no list');
      return task.requests ?? [];
    },
    failed: (error) => say(`failed ${String(error)}`),
  });
}

const watchdog = start();

async function startAgain(): Promise<void> {
  say('stopped');
  const second = start();
  BLOCKS.spin();
  await second.stop();
  say('stopped again');
}

if (task.child === true) {
  const child = spawn('sleep', ['60'], { stdio: 'ignore' });
  child.unref();
  say(`child ${child.pid ?? 0}`);
}
if (task.allow !== undefined) watchdog.allow(task.allow);
say(`pid ${process.pid}`);
// From a timer, as an application would: the event loop has turned before.
setTimeout(function application() {
  BLOCKS[task.block]();
  if (['spin', 'sleep'].includes(task.block)) setTimeout(() => say('survived'), 500);
}, 50);
