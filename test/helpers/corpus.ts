// Reads the golden cases of test/corpus/*.md: a heading, some words, a block of bytes, a block of the events they give.
// The notation is told in test/corpus/README.md.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DEFAULT_LIMITS } from '../../src/protocol/limits.ts';
import type { ProtocolLimits } from '../../src/protocol/limits.ts';

export interface CorpusCase {
  /** The heading. */
  name: string;
  bytes: Buffer;
  events: string[];
  limits: ProtocolLimits;
  /** FastCGI: no request is answered, so every id stays active. */
  hold: boolean;
}

export function readCorpus(file: string): CorpusCase[] {
  const text = readFileSync(join(repositoryRoot(), 'test', 'corpus', file), 'utf8');
  const sections = text.split(/^## /m).slice(1);
  return sections.map((section) => parseCase(section, file));
}

/** The same from the source and from dist/. */
function repositoryRoot(): string {
  let folder = import.meta.dirname;
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return folder;
}

function parseCase(section: string, file: string): CorpusCase {
  const name = section.slice(0, section.indexOf('\n')).trim();
  const blocks = new Map<string, string>();
  for (const [, kind = '', content = ''] of section.matchAll(/^```(\w+)\n([^]*?)^```$/gm)) {
    if (!['bytes', 'events', 'limits', 'hold'].includes(kind) || blocks.has(kind)) {
      throw new Error(`Cannot read ${file}, case "${name}": block "${kind}" is unknown or there twice`);
    }
    blocks.set(kind, content);
  }
  const bytes = blocks.get('bytes');
  const events = blocks.get('events');
  if (bytes === undefined || events === undefined) {
    throw new Error(`Cannot read ${file}, case "${name}": want a bytes block and an events block`);
  }
  return {
    name,
    bytes: parseBytes(bytes),
    events: parseEvents(events),
    limits: { ...DEFAULT_LIMITS, ...parseLimits(blocks.get('limits') ?? '') },
    hold: blocks.has('hold'),
  };
}

const BYTES = /\s+|#.*|(?:([0-9a-f]{2})(?![0-9a-f])|"((?:[^"\\]|\\.)*)")(?:\*(\d+))?/gy;

/** Hex pairs and "text", each with an optional *N; # begins a comment. */
export function parseBytes(source: string): Buffer {
  const parts: Buffer[] = [];
  BYTES.lastIndex = 0;
  while (BYTES.lastIndex < source.length) {
    const at = BYTES.lastIndex;
    const match = BYTES.exec(source);
    if (match === null) throw new Error(`Cannot read bytes: ${JSON.stringify(source.slice(at, at + 30))}`);
    const [, hex, quoted, times] = match;
    const unit =
      hex === undefined ? Buffer.from(unescapeText(quoted ?? ''), 'latin1') : Buffer.from(hex, 'hex');
    for (let i = Number(times ?? 1); i > 0; i--) parts.push(unit);
  }
  return Buffer.concat(parts);
}

const NAMED_ESCAPES: Readonly<Record<string, string>> = { '\\r': '\r', '\\n': '\n', '\\0': '\0' };

function unescapeText(text: string): string {
  return text.replace(/\\x([0-9a-f]{2})|\\./g, (escape, hex: string | undefined) =>
    hex === undefined
      ? (NAMED_ESCAPES[escape] ?? escape.slice(1))
      : String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

/** One event a line; indented lines (params) belong to the event above. */
function parseEvents(source: string): string[] {
  const events: string[] = [];
  for (const line of source.split('\n')) {
    if (line.startsWith('  ')) events.push(`${events.pop() ?? ''}\n${line}`);
    else if (line !== '') events.push(line);
  }
  return events;
}

function parseLimits(source: string): Partial<ProtocolLimits> {
  const limits: Record<string, number> = {};
  for (const [, key = '', value] of source.matchAll(/(\w+) = (\d+)/g)) {
    if (!(key in DEFAULT_LIMITS)) throw new Error(`Cannot read limits: "${key}" is no limit`);
    limits[key] = Number(value);
  }
  return limits;
}
