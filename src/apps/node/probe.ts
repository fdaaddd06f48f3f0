// Tries application.ts on this version of Node, once a process: one request whose answer has to be that of a real server.
// What it replaces of node:http is not documented, so that a later version may do without it.
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Application, Environ, HeaderList, InputStream } from '../../gateway/contract.ts';
import { Input } from '../../gateway/input.ts';
import { nodeApplication } from './application.ts';
import { NEED_DRAIN, OUT_HEADERS } from './internals.ts';
import { PLAIN_KINDS } from './kinds.ts';
import type { NodeApp } from './node-app.ts';
import { servedApplication } from './served.ts';

/** Milliseconds; it takes five. */
const LIMIT = 2000;

type Technique = (app: NodeApp) => Application;

let chosen: Promise<Technique> | null = null;

/** How apps of node:http are run here. */
export function technique(): Promise<Technique> {
  return (chosen ??= choose(nodeApplication));
}

/** @param fast what is tried */
export async function choose(fast: Technique): Promise<Technique> {
  const why = await whatDiffers(fast);
  if (why === null) return fast;
  process.emitWarning(
    `Node ${process.version} is not known well enough to run apps of node:http directly (${why}); each request goes through a server in memory, which costs several times as much`,
    { code: 'VIADUCT_NODE_FALLBACK' },
  );
  return servedApplication;
}

async function whatDiffers(fast: Technique): Promise<string | null> {
  if (OUT_HEADERS === undefined || NEED_DRAIN === undefined) return 'fields of ServerResponse are missing';
  const late = sleep(LIMIT, `no answer within ${LIMIT} ms`, { ref: false });
  try {
    const [got, wanted] = await Promise.all(
      [fast, servedApplication].map((one) => Promise.race([tryOut(one), late])),
    );
    return got === wanted ? null : `the answer is ${String(got)}, wanted ${String(wanted)}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Headers of each kind, a body that is read, one that is written under back-pressure, and the events at the end. */
async function handler(req: IncomingMessage, res: ServerResponse, seen: string[]): Promise<void> {
  for (const event of ['finish', 'close']) res.on(event, () => seen.push(event));
  let body = '';
  for await (const chunk of req) body += String(chunk);
  res.setHeader('X-Stored', 'a');
  res.setHeader('Set-Cookie', ['a=1', 'b=2']);
  res.writeHead(201, { 'X-Given': 'b' });
  if (!res.write(Buffer.alloc(res.writableHighWaterMark + 1, 'x'))) await once(res, 'drain');
  res.end(`${req.method} ${req.url} ${String(req.headers['x-probe'])} ${body}`);
}

async function tryOut(how: Technique): Promise<string> {
  const seen: string[] = [];
  const app = how({ handle: (req, res) => handler(req, res, seen), server: null, kinds: PLAIN_KINDS });
  const pieces: Uint8Array[] = [];
  let head: unknown = null;
  const body = await app(fakeEnviron(), (status: string, headers: HeaderList) => {
    // A server adds the date, which is nginx's business here.
    head = [status, headers.filter(([name]) => name !== 'Date')];
    return async (chunk) => void pieces.push(chunk);
  });
  for await (const chunk of body) pieces.push(chunk);
  for (let left = LIMIT; left > 0 && !seen.includes('close'); left -= 1) await sleep(1);
  const text = Buffer.concat(pieces).toString();
  return JSON.stringify([head, text.length, text.replaceAll('x', ''), seen]);
}

function fakeEnviron(): Environ {
  return {
    REQUEST_METHOD: 'POST',
    SCRIPT_NAME: '',
    PATH_INFO: '/probe',
    QUERY_STRING: 'a=%20b',
    REQUEST_URI: '/probe?a=%20b',
    SERVER_NAME: 'localhost',
    SERVER_PORT: '80',
    SERVER_PROTOCOL: 'HTTP/1.1',
    CONTENT_LENGTH: '4',
    HTTP_X_PROBE: 'c',
    'wsgi.version': [1, 0],
    'wsgi.url_scheme': 'http',
    'wsgi.input': fakeInput(),
    'wsgi.errors': { write: () => undefined, writelines: () => undefined, flush: () => undefined },
    'wsgi.multithread': false,
    'wsgi.multiprocess': false,
    'wsgi.run_once': false,
    'wsgi.input_terminated': true,
    'wsgi.file_wrapper': () => [],
    'viaduct.signal': new AbortController().signal,
    'viaduct.mount': '',
    'viaduct.request_id': '',
  };
}

function fakeInput(): InputStream {
  const pieces: (Uint8Array | null)[] = [Buffer.from('bo'), Buffer.from('dy')];
  return new Input({
    onComplete: null,
    declared: -1,
    received: 4,
    complete: true,
    read: () => pieces.shift() ?? null,
    take: () => Promise.resolve(new Uint8Array(0)),
  });
}
