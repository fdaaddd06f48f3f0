// The status again and again in the same place, until it is interrupted. Does not know what is shown.
import { setTimeout as sleep } from 'node:timers/promises';
import { EXIT, type ExitCode } from '../exit-codes.ts';

/** What there is to show, or why there is nothing. */
export type Frame = { readonly text: string } | { readonly problem: string; readonly exitCode: ExitCode };

export interface WatchOptions {
  readonly next: () => Promise<Frame>;
  /** Milliseconds between two frames. */
  readonly interval: number;
  /** Lines of the screen; null: it is none, and frames follow one another. */
  readonly lines: (() => number) | null;
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  /** Aborted when it is to end. */
  readonly signal: AbortSignal;
}

const HIDE_CURSOR = '\u001b[?25l';
const SHOW_CURSOR = '\u001b[?25h';
const CLEAR_SCREEN = '\u001b[2J';
const HOME = '\u001b[H';
const CLEAR_LINE = '\u001b[K';
const CLEAR_REST = '\u001b[J';

/** 0, or the exit code of what was wrong when it ended. Who is not there at the beginning is not waited for. */
export async function watch(options: WatchOptions): Promise<ExitCode> {
  const { next, interval, lines, stdout, stderr, signal } = options;
  let shown: string | null = null;
  let problem = '';
  let exitCode: ExitCode = EXIT.ok;
  try {
    while (!signal.aborted) {
      const frame = await next();
      const isNews = 'text' in frame || frame.problem !== problem;
      if ('text' in frame) {
        if (shown === null && lines !== null) stdout(HIDE_CURSOR + CLEAR_SCREEN);
        shown = frame.text;
        problem = '';
        exitCode = EXIT.ok;
      } else {
        problem = frame.problem;
        exitCode = frame.exitCode;
        if (shown === null) {
          stderr(problem);
          return exitCode;
        }
      }
      if (lines !== null) stdout(onScreen(problem === '' ? shown : `${problem}\n${shown}`, lines()));
      else if (problem === '') stdout(shown);
      else if (isNews) stderr(problem);
      await sleep(interval, undefined, { signal }).catch(() => undefined);
    }
    return exitCode;
  } finally {
    if (lines !== null && shown !== null) stdout(SHOW_CURSOR);
  }
}

/** Over what was there before, so that nothing flickers; what has no room is left out. */
function onScreen(text: string, lines: number): string {
  const kept = text.split('\n').slice(0, Math.max(1, lines - 1));
  return HOME + kept.map((line) => `${line}${CLEAR_LINE}\n`).join('') + CLEAR_REST;
}
