// Stacks of compiled code, told in the lines of its source: read from the source maps when an error is shown, so that code
// that does not fail costs nothing. With `node --enable-source-maps` stacks come so by themselves, and stay as they are.
// May not know what an error is.
import { readFileSync, statSync } from 'node:fs';
import { type SourceMapPayload, SourceMap } from 'node:module';
import { dirname, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** A frame: what is before the place, the file, line and column, what is after. */
const FRAME = /^(\s+at .*?\(?)((?:file:\/\/)?\/[^\s()]+\.[cm]?js):(\d+):(\d+)(\)?)$/;
const MENTION = '//# sourceMappingURL=';
/** Bytes; what is larger is left alone: reading it would hold up the requests. */
const MAX_SIZE = 16 * 1024 * 1024;
const MAX_FILES = 500;

interface Known {
  /** What the sources of the map are relative to, with a slash at its end. */
  readonly base: string;
  readonly map: SourceMap | null;
}

const maps = new Map<string, Known>();

/** `stack` with the places of the sources where their maps are found. */
export function mapStack(stack: string): string {
  if (!stack.includes('js:')) return stack;
  return stack.split('\n').map(mapFrame).join('\n');
}

function mapFrame(line: string): string {
  const [, before, file, row, column, after] = FRAME.exec(line) ?? [];
  if (before === undefined || file === undefined) return line;
  try {
    const path = file.startsWith('file://') ? fileURLToPath(file) : file;
    const place = find(path, Number(row), Number(column));
    return place === null ? line : `${before}${place}${after}`;
  } catch {
    return line;
  }
}

/** file:line:column of the source; null: there is no map, or nothing in it. */
function find(path: string, row: number, column: number): string | null {
  const { map, base } = load(path);
  if (map === null) return null;
  // Lines and columns count from 0 in a map, from 1 in a stack.
  const entry = map.findEntry(row - 1, column - 1);
  if (!('originalSource' in entry) || typeof entry.originalSource !== 'string') return null;
  const source = new URL(entry.originalSource, base);
  const shown = source.protocol === 'file:' ? fileURLToPath(source) : entry.originalSource;
  return `${shown}:${entry.originalLine + 1}:${entry.originalColumn + 1}`;
}

/** Once a file: the code that runs is that of its first reading, whatever stands there by now. */
function load(path: string): Known {
  const known = maps.get(path);
  if (known !== undefined) return known;
  const read = readMap(path);
  if (maps.size >= MAX_FILES) maps.delete(maps.keys().next().value ?? '');
  maps.set(path, read);
  return read;
}

function readMap(path: string): Known {
  try {
    return parseMap(path);
  } catch {
    return NONE;
  }
}

const NONE: Known = { base: '', map: null };

/** @throws where the map is no JSON, or says nonsense */
function parseMap(path: string): Known {
  const code = readText(path) ?? '';
  const at = code.lastIndexOf(MENTION);
  if (at === -1) return NONE;
  const [mention = ''] = code.slice(at + MENTION.length).split(/\s/, 1);
  const inline = /^data:application\/json[^,]*?(;base64)?,(.*)$/.exec(mention);
  const file = resolve(dirname(path), decodeURIComponent(mention));
  const text =
    inline === null
      ? readText(file)
      : Buffer.from(inline[2] ?? '', inline[1] === undefined ? 'utf8' : 'base64').toString('utf8');
  if (text === null) return NONE;
  const payload = JSON.parse(text) as SourceMapPayload;
  const folder = pathToFileURL(`${inline === null ? dirname(file) : dirname(path)}/`);
  const root = payload.sourceRoot === undefined || payload.sourceRoot === '' ? '.' : payload.sourceRoot;
  return { base: new URL(root.replace(/\/?$/, '/'), folder).href, map: new SourceMap(payload) };
}

/** null: it is no file, or too large, or not to be read. */
function readText(path: string): string | null {
  try {
    const stat = statSync(path);
    return stat.isFile() && stat.size <= MAX_SIZE ? readFileSync(path, 'utf8') : null;
  } catch {
    return null;
  }
}
