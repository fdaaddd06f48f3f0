// The lines of code that a stack or a traceback leads to. Reads source files only, and knows no page.
import { readFileSync, statSync } from 'node:fs';
import { basename, dirname, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface Excerpt {
  readonly file: string;
  readonly line: number;
  /** Around it, the first of them number `first`. */
  readonly code: readonly string[];
  readonly first: number;
}

const AROUND = 5;
const MAX_EXCERPTS = 3;
const MAX_SIZE = 4 * 1024 * 1024;
const MAX_WIDTH = 300;

/** In a frame of JavaScript, in the place of a syntax error, at the end of a message. */
const SCRIPT = /(?:file:\/\/)?\/[^\s():"']+\.[cm]?[jt]sx?:\d+/g;
const PYTHON = /^ +File "(\/[^"]+\.(?:py|wsgi))", line (\d+)/gm;
/** Code of others: not where to look first. */
const FOREIGN = /\/(?:node_modules|site-packages|dist-packages|python3(?:\.\d+)?)\//;
/** Nor in viaduct's own, compiled or as its source maps have it. */
const CODE = join(import.meta.dirname, '../..');
const OWN = basename(dirname(CODE)) === 'dist' ? [CODE, join(CODE, '../../src')] : [CODE];

const isForeign = (file: string): boolean =>
  FOREIGN.test(file) || OWN.some((folder) => file.startsWith(folder + sep));

/** @param text a stack or a traceback; the frames of the app's own code that are nearest to the error, nearest first */
export function excerptsOf(text: string): Excerpt[] {
  const found = new Map<string, Excerpt>();
  for (const [file, line] of placesIn(text)) {
    if (isForeign(file) || found.has(`${file}:${line}`)) continue;
    const excerpt = read(file, line);
    if (excerpt !== null) found.set(`${file}:${line}`, excerpt);
    if (found.size === MAX_EXCERPTS) break;
  }
  return [...found.values()];
}

function placesIn(text: string): [file: string, line: number][] {
  // Python has the innermost frame last.
  const python = [...text.matchAll(PYTHON)].map(([, file = '', line]): [string, number] => [
    file,
    Number(line),
  ]);
  const script = [...text.matchAll(SCRIPT)].map(([place]): [string, number] => {
    const at = place.lastIndexOf(':');
    const file = place.slice(0, at);
    return [file.startsWith('file:') ? fileURLToPath(file) : file, Number(place.slice(at + 1))];
  });
  return [...python.toReversed(), ...script];
}

function read(file: string, line: number): Excerpt | null {
  try {
    const stat = statSync(file);
    if (!stat.isFile() || stat.size > MAX_SIZE) return null;
    const lines = readFileSync(file, 'utf8').split('\n');
    if (line < 1 || line > lines.length) return null;
    const start = Math.max(0, line - 1 - AROUND);
    const code = lines.slice(start, line + AROUND).map((each) => each.slice(0, MAX_WIDTH));
    return { file, line, code, first: start + 1 };
  } catch {
    return null;
  }
}
