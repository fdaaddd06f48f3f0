// One request and its answer in each protocol, so that a test can be a table: builds with bytes.ts and reads with a
// parser of its own, without src/.
import {
  bytesOf,
  type Content,
  fcgiBegin,
  fcgiPairs,
  fcgiRecord,
  fcgiStream,
  FcgiType,
  type Pairs,
  scgiHeaders,
  scgiNetstring,
  uwsgiPacket,
  uwsgiVars,
} from './bytes.ts';

export type Protocol = 'fastcgi' | 'uwsgi' | 'scgi' | 'http';

export interface Ask {
  /** `/` unless told. */
  path?: string;
  method?: string;
  /** CONTENT_LENGTH; null: none is sent (a chunked body over HTTP). */
  length?: number | null;
  /** Request headers as CGI has them: HTTP_X_A. */
  params?: Pairs;
  /** FastCGI only; true unless told. */
  keepConn?: boolean;
  /** FastCGI only; 1 unless told. */
  id?: number;
}

export interface Answer {
  status: number;
  /** Lower-case names. */
  headers: Map<string, string>;
  /** As it came; a chunked HTTP body with its framing. */
  body: Buffer;
  /** The protocol itself says that nothing is missing. */
  whole: boolean;
}

export interface Dialect {
  readonly protocol: Protocol;
  /** Everything before the body. */
  head(ask?: Ask): Buffer;
  /** A piece of the body; `id` is FastCGI's. */
  body(content: Content, id?: number): Buffer;
  /** What says that the body has ended, where something does. */
  bodyEnd(id?: number): Buffer;
  /** The answer, once its head is there; `over`: the connection has ended. */
  answer(received: Buffer, over?: boolean): Answer | null;
}

/** A whole request. */
export function ask(dialect: Dialect, content: Content = '', options: Ask = {}): Buffer {
  const body = bytesOf(content);
  const asked = { length: body.length, ...options };
  return Buffer.concat([
    dialect.head(asked),
    body.length === 0 ? body : dialect.body(body, options.id),
    dialect.bodyEnd(options.id),
  ]);
}

export function paramsOf({ path = '/', method, length = 0, params = [] }: Ask): string[] {
  return [
    ...(length === null ? [] : ['CONTENT_LENGTH', String(length)]),
    'REQUEST_METHOD',
    method ?? (length === 0 ? 'GET' : 'POST'),
    'PATH_INFO',
    path,
    'SERVER_PROTOCOL',
    'HTTP/1.1',
    ...params,
  ];
}

export interface FcgiRecord {
  type: number;
  id: number;
  content: Buffer;
}

/** The whole records of `bytes`, up to the first that is none (POISON), and what follows them. */
export function readRecords(bytes: Buffer): { records: FcgiRecord[]; rest: Buffer } {
  const records: FcgiRecord[] = [];
  let at = 0;
  while (bytes.length - at >= 8 && bytes[at] === 1) {
    const end = at + 8 + bytes.readUInt16BE(at + 4) + bytes.readUInt8(at + 6);
    if (end > bytes.length) break;
    const content = bytes.subarray(at + 8, at + 8 + bytes.readUInt16BE(at + 4));
    records.push({ type: bytes.readUInt8(at + 1), id: bytes.readUInt16BE(at + 2), content });
    at = end;
  }
  return { records, rest: bytes.subarray(at) };
}

/** `END appStatus protocolStatus` of request `id`, null without one. */
export function readEnd(bytes: Buffer, id = 1): string | null {
  const end = readRecords(bytes).records.find(
    (record) => record.id === id && record.type === FcgiType.END_REQUEST,
  );
  return end === undefined ? null : `END ${end.content.readUInt32BE(0)} ${end.content.readUInt8(4)}`;
}

/** The answer to request `id`. */
export function readFcgi(bytes: Buffer, id = 1): Answer | null {
  const { records } = readRecords(bytes);
  const stdout = records.filter((record) => record.id === id && record.type === FcgiType.STDOUT);
  const answer = readText(Buffer.concat(stdout.map(({ content }) => content)));
  if (answer !== null) answer.whole = readEnd(bytes, id) !== null;
  return answer;
}

/** A head and what follows it; whole where Content-Length says so. */
function readText(bytes: Buffer, over = false): Answer | null {
  const headEnd = bytes.indexOf('\r\n\r\n');
  if (headEnd === -1) return null;
  const [first = '', ...lines] = bytes.toString('latin1', 0, headEnd).split('\r\n');
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(':');
    headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  const body = bytes.subarray(headEnd + 4);
  const length = headers.get('content-length');
  const whole = length === undefined ? over : body.length >= Number(length);
  return { status: Number(/^(?:Status:|HTTP\/1\.1) (\d{3}) ./.exec(first)?.[1] ?? 0), headers, body, whole };
}

const fastcgi: Dialect = {
  protocol: 'fastcgi',
  head: (asked = {}) =>
    Buffer.concat([
      fcgiBegin(asked.id ?? 1, { keepConn: asked.keepConn ?? true }),
      fcgiStream(FcgiType.PARAMS, asked.id ?? 1, fcgiPairs(paramsOf(asked))),
    ]),
  body: (content, id = 1) => {
    const stream = fcgiStream(FcgiType.STDIN, id, content);
    return stream.subarray(0, stream.length - 8);
  },
  bodyEnd: (id = 1) => fcgiRecord(FcgiType.STDIN, id),
  answer: (received) => readFcgi(received),
};

const uwsgi: Dialect = {
  protocol: 'uwsgi',
  head: (asked = {}) => uwsgiPacket(uwsgiVars(paramsOf(asked))),
  body: (content) => bytesOf(content),
  bodyEnd: () => Buffer.alloc(0),
  answer: readText,
};

const scgi: Dialect = {
  protocol: 'scgi',
  head: (asked = {}) => {
    const [, , ...rest] = paramsOf({ ...asked, length: asked.length ?? 0 });
    return scgiNetstring(scgiHeaders(['CONTENT_LENGTH', String(asked.length ?? 0), 'SCGI', '1', ...rest]));
  },
  body: (content) => bytesOf(content),
  bodyEnd: () => Buffer.alloc(0),
  answer: readText,
};

const http: Dialect = {
  protocol: 'http',
  head: ({ path = '/', method, length = 0, params = [] } = {}) => {
    const lines = [`${method ?? (length === 0 ? 'GET' : 'POST')} ${path} HTTP/1.1`, 'Host: a'];
    if (length === null) lines.push('Transfer-Encoding: chunked');
    else if (length > 0) lines.push(`Content-Length: ${length}`);
    for (let at = 0; at < params.length; at += 2)
      lines.push(`${(params[at] ?? '').replace('HTTP_', '').replaceAll('_', '-')}: ${params[at + 1]}`);
    return bytesOf(`${lines.join('\r\n')}\r\n\r\n`);
  },
  body: (content) => bytesOf(content),
  bodyEnd: () => Buffer.alloc(0),
  answer: (received, over) => {
    const answer = readText(received, over);
    if (answer?.headers.get('transfer-encoding') === 'chunked')
      answer.whole = answer.body.subarray(-5).toString('latin1') === '0\r\n\r\n';
    return answer;
  },
};

export const DIALECTS: Readonly<Record<Protocol, Dialect>> = { fastcgi, uwsgi, scgi, http };
/** What nginx speaks to an application server without HTTP. */
export const CGI_DIALECTS: readonly Dialect[] = [fastcgi, uwsgi, scgi];
export const ALL_DIALECTS: readonly Dialect[] = [fastcgi, uwsgi, scgi, http];
