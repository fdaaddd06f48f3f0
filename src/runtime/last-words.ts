// One log line written by a thread whose process is about to be killed: no stream, no event loop of anybody else, and
// never longer than a moment. May not know what the line says.
import { closeSync, constants, fstatSync, openSync, write, writeSync } from 'node:fs';

/** Milliseconds for the whole line. */
const DEADLINE = 1000;
const RETRY_MS = 10;
const FILE_MODE = 0o640;

/** Writes `line`, its line feed included, to `file`, or to `fd` where there is none or it cannot be opened. */
export async function writeLastWords(line: string, file: string | null, fd: number): Promise<void> {
  const bytes = Buffer.from(line);
  const own = file === null ? undefined : open(file, constants.O_CREAT);
  // Opened anew, a pipe or a terminal can be written without waiting, and nobody else's end changes for it.
  const patient = own ?? open(`/proc/self/fd/${fd}`, 0);
  if (patient !== undefined) {
    writeNow(patient, bytes);
    closeSync(patient);
  } else if (isFile(fd)) {
    writeNow(fd, bytes);
  } else {
    // A socket, or a pipe made by another user: the write may hang, so another thread has to make it.
    await writeElsewhere(fd, bytes);
  }
}

function open(path: string, more: number): number | undefined {
  const { O_WRONLY, O_APPEND, O_NONBLOCK, O_NOCTTY } = constants;
  try {
    return openSync(path, O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | more, FILE_MODE);
  } catch {
    return undefined;
  }
}

function isFile(fd: number): boolean {
  try {
    return fstatSync(fd).isFile();
  } catch {
    return false;
  }
}

function writeNow(fd: number, bytes: Buffer): void {
  const sleeper = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  const deadline = performance.now() + DEADLINE;
  for (let done = 0; done < bytes.length;) {
    try {
      done += writeSync(fd, bytes, done);
    } catch (error) {
      // A reader that is behind may catch up; a full disk or a reader that has gone will not.
      const isBusy = error instanceof Error && 'code' in error && error.code === 'EAGAIN';
      if (!isBusy || performance.now() > deadline) return;
      Atomics.wait(sleeper, 0, 0, RETRY_MS);
    }
  }
}

function writeElsewhere(fd: number, bytes: Buffer): Promise<void> {
  return new Promise((resolve) => {
    const deadline = setTimeout(resolve, DEADLINE);
    const from = (start: number): void => {
      write(fd, bytes, start, (error, count) => {
        const isBusy = error?.code === 'EAGAIN';
        const done = start + (error === null ? count : 0);
        if (isBusy) setTimeout(from, RETRY_MS, start);
        else if (error === null && done < bytes.length) from(done);
        else {
          clearTimeout(deadline);
          resolve();
        }
      });
    };
    from(0);
  });
}
