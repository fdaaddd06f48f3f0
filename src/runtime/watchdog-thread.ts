// The thread that watches the main thread of this process. Where its event loop has been silent for too long, it asks
// what goes on there, logs it, and kills the process with all that it started. Loads next to nothing: it is there always.
import { readFileSync } from 'node:fs';
import type { Session } from 'node:inspector';
import { workerData } from 'node:worker_threads';
import { writeLastWords } from './last-words.ts';
import { CELL, QUESTION, STUCK_CODE, type Testimony, type ThreadData, WITNESS } from './watchdog-state.ts';

/** Milliseconds between two looks; the main thread's clock beats oftener. */
const LOOK = 250;
/** Milliseconds of silence that end a process whose parent has gone. */
const ORPHAN_LIMIT = 500;
/** Milliseconds the main thread has to answer. */
const ANSWER_LIMIT = 1000;

/** A line of a stack that is not Node's own. */
const APP_CODE = /^at (?!.*node:internal)/m;

const data = workerData as ThreadData;
const cells = new Int32Array(data.memory);

await watch();

async function watch(): Promise<void> {
  let beats = -1;
  let silent = 0;
  while (sleep()) {
    const now = Atomics.load(cells, CELL.beats);
    // Looks are counted, not time: while the whole process is stopped, or the machine sleeps, nobody looks either.
    silent = now === beats ? silent + LOOK : 0;
    beats = now;
    const limit = Atomics.load(cells, CELL.limit);
    if (data.parent !== null && silent >= ORPHAN_LIMIT && process.ppid !== data.parent) die();
    if (limit > 0 && silent >= limit) {
      await question(beats, limit);
      silent = 0;
    }
  }
}

/** Until the next look; false when the watch is over. */
function sleep(): boolean {
  return Atomics.wait(cells, CELL.stop, 0, LOOK) === 'timed-out';
}

/** Ends the process, unless it turns out to live. */
async function question(beats: number, limit: number): Promise<void> {
  const testimony = await ask();
  // One that was just about to go on may answer before its timers come round.
  if (!sleep() || Atomics.load(cells, CELL.beats) !== beats) return;
  await writeLastWords(compose(testimony, limit), data.logFile, data.logFd);
  die();
}

/**
 * An inspector session's messages are taken wherever V8 takes an interrupt: in loops, in regular expressions, even in
 * Atomics.wait(). In native code (a blocking read, JSON.parse) there is no such place, and no answer: then null.
 */
async function ask(): Promise<Testimony | null> {
  let timer: NodeJS.Timeout | undefined;
  try {
    // Not imported: that could end up in somebody's module hooks, and Node can be built without it.
    const { Session } = process.getBuiltinModule('node:inspector');
    const session = new Session();
    session.connectToMainThread();
    const late = new Promise<null>((resolve) => (timer = setTimeout(resolve, ANSWER_LIMIT, null)));
    try {
      const first = await Promise.race([evaluate(session), late]);
      if (first === null || APP_CODE.test(first.stack ?? '')) return first;
      return (await Promise.race([pauseAndEvaluate(session), late])) ?? first;
    } finally {
      // Lets a paused process go on, and Node waits at its exit for a session that is connected.
      session.disconnect();
    }
  } catch {
    return null;
  } finally {
    clearTimeout(timer);
  }
}

function evaluate(session: Session): Promise<Testimony | null> {
  const expression = `globalThis[Symbol.for('${WITNESS}')]()\n//# sourceURL=${QUESTION}`;
  return new Promise((resolve) => {
    session.post('Runtime.evaluate', { expression, returnByValue: true }, (error, answer) => {
      const text: unknown = error === null ? answer.result.value : null;
      resolve(typeof text === 'string' ? (JSON.parse(text) as Testimony) : null);
    });
  });
}

/** For endless chains of promises: between two of them no function is under way, so the next one is waited for. */
function pauseAndEvaluate(session: Session): Promise<Testimony | null> {
  return new Promise((resolve) => {
    session.once('Debugger.paused', () => void evaluate(session).then(resolve));
    session.post('Debugger.enable');
    session.post('Debugger.pause');
  });
}

/** The shape of the logger's lines (pino): level, time, pid, fields, msg. */
function compose(testimony: Testimony | null, limit: number): string {
  const line = {
    level: 'error',
    time: new Date().toISOString(),
    pid: process.pid,
    worker: data.slot,
    code: STUCK_CODE,
    stack: testimony?.stack ?? null,
    in_flight: testimony?.inFlight,
    requests: testimony?.requests,
    msg: `Worker killed: its event loop was silent for timeouts.stuck, ${limit} ms${testimony === null ? `; ${whereNative()}` : ''}`,
  };
  return `${JSON.stringify(line)}\n`;
}

/** Why there is no stack: what the kernel says of the main thread (proc(5), /proc/PID/stat). */
function whereNative(): string {
  const why = 'no stack, it is in native code';
  try {
    const stat = readFileSync(`/proc/self/task/${process.pid}/stat`, 'latin1');
    // The name before it, in brackets, may hold anything.
    const state = stat.charAt(stat.lastIndexOf(')') + 2);
    return `${why} that ${state === 'R' ? 'computes' : 'waits in a system call'}`;
  } catch {
    return why;
  }
}

/** With its children, where the process leads a group: they would be left to nobody. */
function die(): never {
  try {
    process.kill(-process.pid, 'SIGKILL');
  } catch {
    // ESRCH: there is no such group
  }
  process.kill(process.pid, 'SIGKILL');
  // Not reached; a signal to ourselves is delivered before kill(2) returns.
  throw new Error('Cannot kill this process');
}
