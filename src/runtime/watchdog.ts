// The main thread's side of the watchdog: shows that its event loop turns, and has an answer ready to what it is doing.
// The thread that watches, and ends a process that hangs, is watchdog-thread.ts.
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { RunningRequest } from '../gateway/events.ts';
import type { Ticker, Timed } from '../transport/timeouts.ts';
import { runningFields } from './request-log.ts';
import { CELL, QUESTION, type Testimony, type ThreadData, WITNESS } from './watchdog-state.ts';

export interface WatchdogOptions {
  /** Milliseconds of silence after which the process is killed; 0 = never. */
  readonly stuck: number;
  /** The worker's place, for the log line. */
  readonly slot: number;
  /** Where the line goes when there is no `logFile`, or it cannot be opened. */
  readonly logFd: number;
  /** Opened when there is something to say, so that its rotation is no concern. */
  readonly logFile: string | null;
  /** With it the process is killed too when this parent has gone while the event loop is silent; null: it may go. */
  readonly parent: number | null;
  /** The clock that shows that the event loop turns. It has to run until stop(). */
  readonly ticker: Ticker;
  /** Requests in flight, in any order. Called while the event loop stands still. */
  inFlight(): readonly RunningRequest[];
  /** The thread has failed: nobody watches any more. */
  failed(error: unknown): void;
}

export interface Watchdog {
  /** Another limit from now on, in milliseconds: longer while apps are loaded, say; 0 = never. */
  allow(stuck: number): void;
  /** Ends the watch; resolves when the thread is gone. */
  stop(): Promise<void>;
}

/** Requests in the log line. */
const MAX_REQUESTS = 20;
/** Characters of a URI in it. */
const MAX_URI = 1000;
const MAX_FRAMES = 50;

/** The thread holds next to nothing; more would be a fault of its own. Megabytes. */
const RESOURCES = { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 1, stackSizeMb: 1 };

/** Starts to watch this process; one watchdog a process. It keeps nothing alive. */
export function startWatchdog(options: WatchdogOptions): Watchdog {
  const { ticker } = options;
  const memory = new SharedArrayBuffer(Object.keys(CELL).length * Int32Array.BYTES_PER_ELEMENT);
  const cells = new Int32Array(memory);
  Atomics.store(cells, CELL.limit, options.stuck);
  const thread = startThread(options, memory);
  const gone = new Promise<void>((resolve) => thread.once('exit', () => resolve()));
  thread.on('error', (error) => options.failed(error));
  thread.unref();
  const key = Symbol.for(WITNESS);
  Reflect.set(globalThis, key, () => JSON.stringify(testify(options)));
  const heart: Timed = { tick: () => void Atomics.add(cells, CELL.beats, 1) };
  ticker.add(heart);
  // What is watched may hang before the clock is needed for anything else.
  ticker.start();
  return {
    allow: (stuck) => void Atomics.store(cells, CELL.limit, stuck),
    stop: () => {
      ticker.delete(heart);
      Reflect.deleteProperty(globalThis, key);
      Atomics.store(cells, CELL.stop, 1);
      Atomics.notify(cells, CELL.stop);
      thread.ref();
      return gone;
    },
  };
}

function startThread({ slot, logFd, logFile, parent }: WatchdogOptions, memory: SharedArrayBuffer): Worker {
  const data: ThreadData = { memory, slot, logFd, logFile, parent };
  // .js when compiled, .ts where Node runs the source
  const file = `./watchdog-thread${extname(fileURLToPath(import.meta.url))}`;
  // No arguments and no environment: NODE_OPTIONS and --import would load somebody's instrumentation a second time.
  return new Worker(new URL(file, import.meta.url), {
    workerData: data,
    execArgv: [],
    env: {},
    resourceLimits: RESOURCES,
  });
}

/** Runs wherever the main thread stands just then, in the middle of an application say. */
function testify(options: WatchdogOptions): Testimony {
  let requests: readonly RunningRequest[] = [];
  try {
    requests = options.inFlight();
  } catch {
    // An application can make anything of its environ; the stack is worth more.
  }
  // Nothing was accepted since: what blocks is more likely to have begun last than to be an old stream.
  const shown = requests.toSorted((a, b) => a.age - b.age).slice(0, MAX_REQUESTS);
  return {
    stack: stackHere(),
    inFlight: requests.length,
    requests: shown.map((request) => runningFields({ ...request, uri: request.uri.slice(0, MAX_URI) })),
  };
}

/** As Node prints it, so with source maps where --enable-source-maps is on. */
function stackHere(): string | null {
  const limit = Error.stackTraceLimit;
  try {
    Error.stackTraceLimit = MAX_FRAMES;
    const { stack } = new Error('where');
    if (typeof stack !== 'string') return null;
    const lines = stack.split('\n');
    // Ours end with the question's.
    const asked = lines.findIndex((line) => line.includes(QUESTION));
    return lines
      .slice(asked + 1)
      .map((line) => line.trim())
      .join('\n');
  } catch {
    // An application may have put its own Error.prepareStackTrace there.
    return null;
  } finally {
    Error.stackTraceLimit = limit;
  }
}
