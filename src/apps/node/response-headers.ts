// The status line and headers of a response, from what OutgoingMessage has stored to what startResponse() takes.
// Hot code: it runs for every response.
// oxlint-disable no-underscore-dangle -- the names are node:http's, see internals.ts
import { type ServerResponse, STATUS_CODES, validateHeaderName, validateHeaderValue } from 'node:http';
import type { HeaderList } from '../../gateway/contract.ts';
import { HOP_BY_HOP } from '../../gateway/headers.ts';
import { OUT_HEADERS, type ResponseInternals } from './internals.ts';

const Kind = { Plain: 0, Length: 1, Dropped: 2, Framing: 3, Cookie: 4 } as const;
type Kind = (typeof Kind)[keyof typeof Kind];

/** Names are remembered up to this many: an app sends the same ones with every response. */
const MAX_KNOWN = 256;
const known = new Map<string, Kind>();

/** @throws {TypeError} node:http's, for what is no name; `validates`: it was not looked at by setHeader() */
function kindOf(name: string, validates: boolean): Kind {
  const found = known.get(name);
  if (found !== undefined) return found;
  if (validates) validateHeaderName(name);
  const kind = classify(name.toLowerCase());
  if (known.size < MAX_KNOWN) known.set(name, kind);
  return kind;
}

function classify(lowerName: string): Kind {
  if (lowerName === 'content-length') return Kind.Length;
  // With one of these node:http sends the body in chunks, and so without a length.
  if (lowerName === 'transfer-encoding' || lowerName === 'trailer') return Kind.Framing;
  if (lowerName === 'cookie') return Kind.Cookie;
  // The connection is nginx's, and Status would be taken for the status line.
  return HOP_BY_HOP.has(lowerName) || lowerName === 'status' ? Kind.Dropped : Kind.Plain;
}

/** The headers as they are collected. */
export class HeaderCollector {
  readonly list: HeaderList = [];
  readonly #validates: boolean;
  isFramed = false;
  hasLength = false;
  length = 0;

  constructor(validates: boolean) {
    this.#validates = validates;
  }

  add(name: string, value: unknown): void {
    const kind = kindOf(name, this.#validates);
    if (!Array.isArray(value)) this.#addOne(kind, name, value);
    else if (kind === Kind.Cookie) this.#addOne(kind, name, value.join('; '));
    else for (const one of value as unknown[]) this.#addOne(kind, name, one);
  }

  #addOne(kind: Kind, name: string, value: unknown): void {
    if (this.#validates) validateHeaderValue(name, value as string);
    if (kind === Kind.Dropped) return;
    if (kind === Kind.Framing) {
      this.isFramed = true;
      return;
    }
    const text = typeof value === 'string' ? value : String(value);
    if (kind === Kind.Length) {
      this.hasLength = true;
      this.length = Number(text);
    }
    // RFC 9110 (section 5.5) takes a tab for a space; the gateway's rules have none.
    this.list.push([name, text.includes('\t') ? text.replaceAll('\t', ' ') : text]);
  }
}

/**
 * `headers` is any of the forms of writeHead(), or what setHeader() stored; as OutgoingMessage has it, only the former are
 * validated here. A length is added where node:http adds one.
 */
export function collectHeaders(res: ServerResponse & ResponseInternals, headers: unknown): HeaderCollector {
  const isStored =
    OUT_HEADERS !== undefined && headers === (res as unknown as Record<symbol, unknown>)[OUT_HEADERS];
  const collector = new HeaderCollector(!isStored);
  if (headers !== null && headers !== undefined) {
    if (isStored) addStored(collector, headers as Record<string, [string, unknown]>);
    else if (Array.isArray(headers)) addList(collector, headers);
    else
      for (const name of Object.keys(headers))
        collector.add(name, (headers as Record<string, unknown>)[name]);
  }
  if (collector.hasLength) res._contentLength = collector.length;
  else if (
    !collector.isFramed &&
    res._hasBody &&
    !res._removedContLen &&
    typeof res._contentLength === 'number'
  ) {
    collector.list.push(['Content-Length', String(res._contentLength)]);
    collector.hasLength = true;
  }
  return collector;
}

function addStored(collector: HeaderCollector, stored: Readonly<Record<string, [string, unknown]>>): void {
  for (const key in stored) {
    const entry = stored[key];
    if (entry !== undefined) collector.add(entry[0], entry[1]);
  }
}

/** [[name, value], ...] or [name, value, name, value ...]. */
function addList(collector: HeaderCollector, headers: readonly unknown[]): void {
  if (Array.isArray(headers[0])) {
    for (const [name, value] of headers as [string, unknown][]) collector.add(name, value);
    return;
  }
  for (let at = 0; at < headers.length; at += 2) collector.add(headers[at] as string, headers[at + 1]);
}

const USUAL = new Map(
  Object.entries(STATUS_CODES).map(([code, reason]) => [Number(code), `${code} ${reason}`]),
);

/** "200 OK". A reason that startResponse() would refuse gives way to the usual one. */
export function statusOf(code: number, reason: unknown): string {
  const usual = USUAL.get(code) ?? `${code} Unknown`;
  if (reason === STATUS_CODES[code]) return usual;
  // Not trim(): it takes a byte of what is UTF-8 for a space.
  const text = String(reason)
    .replace(/^[ \t]+|[ \t]+$/g, '')
    .replaceAll('\t', ' ');
  return text === '' ? usual : `${code} ${text}`;
}
