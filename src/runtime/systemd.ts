// Tells systemd how the service is: sd_notify(3) over NOTIFY_SOCKET. Node has no Unix datagrams, so systemd's own program
// sends them. Knows nothing of what the service does, and never holds it up: at worst systemd is not told.
import { type ChildProcess, spawn } from 'node:child_process';

const PROGRAM = 'systemd-notify';

/**
 * Milliseconds for one message. systemd-notify waits up to 5 s until systemd has taken it: it has to live until then, as
 * systemd finds the service by the sender's pid (so no --no-block here, which would lose messages).
 */
const SEND_LIMIT = 10_000;

/** One message: assignments in order. */
type Message = readonly string[];

export class SystemdNotifier {
  readonly #socket: string | undefined;
  readonly #path: string | undefined;
  /** Milliseconds between two signs of life; 0: systemd does not watch. */
  readonly #interval: number;
  readonly #warn: (message: string) => void;
  readonly #waiting: Message[] = [];
  #sending: Promise<void> | null = null;
  #timer: NodeJS.Timeout | undefined;
  #hasWarned = false;

  /**
   * @param env NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID are taken out of it, since no child is to speak for us;
   *   without NOTIFY_SOCKET every method does nothing
   * @param warn told once, when systemd cannot be told
   */
  constructor(env: NodeJS.ProcessEnv, warn: (message: string) => void) {
    const { NOTIFY_SOCKET: socket, WATCHDOG_USEC: time, WATCHDOG_PID: owner, PATH: path } = env;
    for (const key of ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']) delete env[key];
    this.#socket = socket === '' ? undefined : socket;
    this.#path = path;
    this.#warn = warn;
    // sd_watchdog_enabled(3): without WATCHDOG_PID it is meant for whoever reads it; half the time is its advice.
    const isOurs = owner === undefined || owner === String(process.pid);
    const micros = isOurs && time !== undefined && /^\d{1,15}$/.test(time) ? Number(time) : 0;
    this.#interval = Math.floor(micros / 2000);
  }

  /** The service serves: after its start, and again after each reload. */
  ready(status: string): void {
    this.#send(['READY=1', statusLine(status), `MAINPID=${process.pid}`]);
  }

  /** A reload begins; ready() ends it, whatever came of it. */
  reloading(): void {
    // Type=notify-reload compares the time with CLOCK_MONOTONIC at its signal, which is Node's clock on Linux (uv_hrtime).
    this.#send(['RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`]);
  }

  stopping(): void {
    this.#send(['STOPPING=1']);
  }

  /** One line for `systemctl status`. */
  status(text: string): void {
    // Only the newest counts.
    if (this.#waiting.at(-1)?.[0]?.startsWith('STATUS=') === true) this.#waiting.pop();
    this.#send([statusLine(text)]);
  }

  /** From now on the event loop has to turn, or systemd kills and restarts the service; where it is to watch (WatchdogSec=). */
  startWatchdog(): void {
    if (this.#interval === 0 || this.#socket === undefined) return;
    clearInterval(this.#timer);
    this.#timer = setInterval(() => this.#ping(), this.#interval).unref();
    this.#ping();
  }

  /** Ends the watchdog. Resolves when systemd has been told what it was to be told, or cannot be. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#sending;
  }

  #ping(): void {
    if (!this.#waiting.some(([first]) => first === 'WATCHDOG=1')) this.#send(['WATCHDOG=1']);
  }

  #send(message: Message): void {
    if (this.#socket === undefined) return;
    this.#waiting.push(message);
    this.#sending ??= this.#sendWaiting(this.#socket);
  }

  /** One after the other: READY must not overtake RELOADING. */
  async #sendWaiting(socket: string): Promise<void> {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      const failure = await run(next, { NOTIFY_SOCKET: socket, PATH: this.#path });
      if (failure === null || this.#hasWarned) continue;
      this.#hasWarned = true;
      this.#warn(
        `Cannot tell systemd ${next.join(' ')}: ${PROGRAM} ${failure}; a unit with Type=exec and without WatchdogSec= works without it`,
      );
    }
    this.#sending = null;
  }
}

/** Why it failed, or null. */
function run(message: Message, env: NodeJS.ProcessEnv): Promise<string | null> {
  return new Promise((resolve) => {
    let child: ChildProcess;
    try {
      child = spawn(PROGRAM, message, {
        cwd: '/',
        env,
        stdio: 'ignore',
        timeout: SEND_LIMIT,
        killSignal: 'SIGKILL',
      });
    } catch (error) {
      resolve(`cannot be run (${String(error)})`);
      return;
    }
    child.once('error', (error) => resolve(`cannot be run (${error.message})`));
    child.once('exit', (code, signal) => resolve(code === 0 ? null : `ended with ${code ?? signal}`));
  });
}

/** A line end would begin another assignment; NUL no program can be given. */
const statusLine = (text: string): string => `STATUS=${text.replaceAll(/\p{Cc}+/gu, ' ')}`;
