// Handlers that use req and res in every way there is, each with the request that goes with it. What a handler sees that
// no client could, it notes.
import { createHash } from 'node:crypto';
import { createReadStream, readFileSync } from 'node:fs';
import { IncomingMessage, ServerResponse } from 'node:http';
import { PassThrough, pipeline, Readable } from 'node:stream';
import { pipeline as pipelineDone } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { fileURLToPath } from 'node:url';
import send from 'send';
import type { CallOptions } from '../../../helpers/http-client.ts';

export type Note = (text: unknown) => void;

export interface Case {
  handler(req: IncomingMessage, res: ServerResponse, note: Note): unknown;
  request?: CallOptions;
  /** The handler's notes come in no fixed order to the answer: they are awaited. */
  notes?: number;
}

const file = fileURLToPath(import.meta.url);
const big = Buffer.alloc(300_000, 'viaduct ');
const json = (res: ServerResponse, value: unknown): void => {
  res.setHeader('Content-Type', 'application/json');
  res.end(JSON.stringify(value));
};
const post = (body: CallOptions['body'], type = 'text/plain'): CallOptions => ({
  method: 'POST',
  headers: [['Content-Type', type]],
  ...(body !== undefined && { body }),
});
async function* pieces(): AsyncGenerator<Buffer> {
  for (const text of ['one ', 'two ', 'three']) {
    await new Promise(setImmediate);
    yield Buffer.from(text);
  }
}
async function bodyOf(req: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of req) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
const attempt = (action: () => unknown): string => {
  try {
    return String(action());
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
};

export const CASES: Readonly<Record<string, Case>> = {
  'a hello in one end()': { handler: (_req, res) => res.end('hello') },
  'a hello after a tick': { handler: (_req, res) => setImmediate(() => res.end('hello')) },
  'a hello of an async handler': {
    handler: async (_req, res) => {
      await Promise.resolve();
      res.end('hello');
    },
  },
  'an empty end()': { handler: (_req, res) => res.end() },
  'a status alone': {
    handler: (_req, res) => {
      res.statusCode = 404;
      res.end();
    },
  },
  json: { handler: (_req, res) => json(res, { name: 'Zoë', list: [1, 2] }) },
  'the request line and headers': {
    handler: (req, res) => {
      const { method, url, httpVersion, headers, headersDistinct, trailers, rawTrailers } = req;
      const names = req.rawHeaders.filter((_, at) => at % 2 === 0).map((name) => name.toLowerCase());
      const distinct = { ...headersDistinct };
      json(res, {
        method,
        url,
        httpVersion,
        headers: sorted(headers),
        distinct: sorted(distinct),
        trailers,
        rawTrailers,
        names: names.toSorted(),
      });
    },
    request: {
      path: '/a%2Fb/%E2%82%AC//x/../y;p=1?q=%20&q=2',
      headers: [
        ['X-One', '1'],
        ['X-Two', ''],
        ['Accept', 'text/html, */*'],
        ['Cookie', 'a=1; b=2'],
        ['Accept-Language', 'de'],
      ],
    },
  },
  'instances and types': {
    handler: (req, res) =>
      json(res, [
        req instanceof IncomingMessage,
        res instanceof ServerResponse,
        req instanceof Readable,
        res.req === req,
        res.socket === req.socket,
        req.socket.destroyed,
        req.socket.readable,
        req.socket.writable,
        req.aborted,
        req.destroyed,
        res.headersSent,
        res.writableEnded,
        res.writableFinished,
        res.finished,
        res.statusCode,
        typeof res.statusMessage,
        res.getHeaderNames(),
        res.writableLength,
        res.writableHighWaterMark === req.socket.writableHighWaterMark,
        res.writableObjectMode,
        res.sendDate,
      ]),
  },
  'the state of a response on its way': {
    handler: (_req, res, note) => {
      const state = (): unknown[] => [
        res.headersSent,
        res.writableEnded,
        res.writableFinished,
        res.finished,
        res.destroyed,
        res.closed,
      ];
      note(state());
      res.on('prefinish', () => note('prefinish'));
      res.on('finish', () => note(['finish', ...state()]));
      res.on('close', () => note(['close', ...state(), res.socket === null]));
      res.write('a');
      note(state());
      res.end('b', () => note('callback'));
      note(state());
    },
    notes: 7,
  },
  'listeners that come right after end()': {
    handler: (_req, res, note) => {
      res.end('x');
      res.on('finish', () => note('finish'));
      res.on('close', () => note('close'));
    },
    notes: 2,
  },
  'a post': {
    handler: async (req, res) => res.end(`got ${(await bodyOf(req)).toString()}`),
    request: post('name=Zo%C3%AB'),
  },
  'a post without a body': {
    handler: async (req, res) => res.end(`got ${(await bodyOf(req)).length}`),
    request: post(''),
  },
  'a post of unknown length': {
    handler: async (req, res) => {
      const { 'transfer-encoding': encoding, 'content-length': length } = req.headers;
      json(res, [encoding, length, (await bodyOf(req)).toString()]);
    },
    request: {
      method: 'POST',
      get body() {
        return pieces();
      },
    },
  },
  'a large post, by events': {
    handler: (req, res, note) => {
      const hash = createHash('sha256');
      req.on('data', (chunk: Buffer) => hash.update(chunk));
      req.on('end', () => {
        note([req.complete, req.readableEnded]);
        res.end(hash.digest('hex'));
      });
      req.on('close', () => note('close'));
    },
    request: post(big),
    notes: 2,
  },
  'a large post, by read()': {
    handler: (req, res) => {
      let size = 0;
      req.on('readable', () => {
        for (let chunk = req.read() as Buffer | null; chunk !== null; chunk = req.read() as Buffer | null)
          size += chunk.length;
      });
      req.on('end', () => res.end(String(size)));
    },
    request: post(big),
  },
  'a body read as text after setEncoding()': {
    handler: (req, res) => {
      let text = '';
      req.setEncoding('utf8');
      req.on('data', (chunk: string) => (text += chunk));
      req.on('end', () => res.end(text));
    },
    request: post('grüße'),
  },
  'a body read late': {
    handler: (req, res) => setTimeout(() => req.pipe(res), 20),
    request: post('later'),
  },
  'a body through a pipeline': {
    handler: (req, res) => pipelineDone(req, new PassThrough(), res),
    request: post(Buffer.alloc(40_000, 'x')),
  },
  'a body nobody reads': {
    handler: (req, res, note) => {
      req.on('end', () => note('end'));
      res.end('no thanks');
    },
    request: post('unread'),
    notes: 1,
  },
  'a GET that is read': {
    handler: (req, res) => {
      req.on('data', () => res.write('?'));
      req.on('end', () => res.end(`end ${String(req.complete)}`));
    },
  },
  'a GET that is only watched': {
    handler: (req, res, note) => {
      req.on('close', () => note('close'));
      res.end('x');
    },
    notes: 1,
  },
  'writeHead() with an object': {
    handler: (_req, res) =>
      res.writeHead(201, { 'X-A': 'a', 'Set-Cookie': ['c=1', 'd=2'], 'X-Number': 7 }).end('ok'),
  },
  'writeHead() with a reason': {
    handler: (_req, res) => res.writeHead(404, 'Nothing Here', { 'X-A': 'a' }).end('ok'),
  },
  'writeHead() with a flat list': {
    handler: (_req, res) => res.writeHead(200, ['X-A', '1', 'X-B', '2', 'X-A', '3']).end('ok'),
  },
  'writeHead() with pairs': {
    handler: (_req, res) =>
      res
        .writeHead(200, [
          ['X-A', '1'],
          ['X-B', '2'],
        ] as never)
        .end('ok'),
  },
  'writeHead() after setHeader()': {
    handler: (_req, res) => {
      res.setHeader('X-A', 'old');
      res.setHeader('X-B', 'kept');
      res.writeHead(200, { 'x-a': 'new', 'X-C': 'c' });
      res.end('ok');
    },
  },
  'writeHead() with a list after setHeader()': {
    handler: (_req, res) => {
      res.setHeader('X-A', 'old');
      res.writeHead(200, ['X-A', '1', 'X-A', '2']);
      res.end('ok');
    },
  },
  'writeHead() with a length': {
    handler: (_req, res) => res.writeHead(200, { 'Content-Length': 2 }).end('ok'),
  },
  'writeHead() twice': {
    handler: (_req, res) => {
      res.writeHead(200);
      res.end(attempt(() => res.writeHead(201)));
    },
  },
  'writeHead() of statuses without a body': {
    handler: (_req, res) => res.writeHead(204, { 'X-A': 'a' }).end(),
  },
  'a 204 with a body that is dropped': {
    handler: (_req, res) => {
      res.statusCode = 204;
      res.end('dropped');
    },
  },
  'a 304': {
    handler: (_req, res) => {
      res.writeHead(304, { ETag: '"x"' });
      res.end();
    },
  },
  'headers one by one': {
    handler: (_req, res) => {
      res.setHeader('X-A', ['1', '2']);
      res.appendHeader('X-A', '3');
      res.appendHeader('X-B', 'b');
      res.setHeader('X-Gone', 'x');
      res.removeHeader('x-gone');
      res.setHeader('Set-Cookie', ['a=1; Path=/', 'b=2']);
      res.appendHeader('Set-Cookie', 'c=3');
      res.setHeader(
        'x-names',
        `${res.getHeaderNames().join()} ${String(res.hasHeader('X-A'))} ${String(res.getHeader('x-b'))}`,
      );
      res.end(JSON.stringify(res.getHeaders()));
    },
  },
  'setHeaders() of a Headers and of a Map': {
    handler: (_req, res) => {
      const headers = new Headers({ 'x-a': 'a' });
      headers.append('set-cookie', 'a=1');
      headers.append('set-cookie', 'b=2');
      res.setHeaders(headers);
      res.setHeaders(new Map([['x-b', 'b']]));
      res.end('ok');
    },
  },
  'headers that cannot be': {
    handler: (_req, res) => {
      const codes = [
        attempt(() => res.setHeader('a b', '1')),
        attempt(() => res.setHeader('X-A', 'a\nb')),
        attempt(() => res.setHeader('X-A', 'snow ☃')),
        attempt(() => res.setHeader('X-A', undefined as never)),
        attempt(() => res.writeHead(99)),
        attempt(() => res.writeHead(200, 'a\nb')),
        attempt(() => res.writeHead(200, { 'X-A': 'a\r\nb' })),
      ];
      res.statusMessage = 'Fine';
      json(res, codes);
    },
  },
  'headers after they were sent': {
    handler: (_req, res) => {
      res.write('a ');
      res.end(
        [
          attempt(() => res.setHeader('X', '1')),
          attempt(() => res.removeHeader('X')),
          attempt(() => res.appendHeader('X', '1')),
        ].join(),
      );
    },
  },
  'headers of the connection, which are dropped': {
    handler: (_req, res) => {
      res.setHeader('Connection', 'close');
      res.setHeader('Keep-Alive', 'timeout=5');
      res.setHeader('Transfer-Encoding', 'chunked');
      res.write('a');
      res.end('b');
    },
  },
  'a length that was taken back': {
    handler: (_req, res) => {
      res.removeHeader('Content-Length');
      res.end('no length');
    },
  },
  'a reason of its own': {
    handler: (_req, res) => {
      res.statusCode = 418;
      res.statusMessage = 'Short And Stout';
      res.end();
    },
  },
  'a reason whose last byte looks like a space': {
    handler: (_req, res) => {
      res.statusMessage = 'Voil\u00c3\u00a0';
      res.end();
    },
  },
  'a reason that is a number': {
    handler: (_req, res) => {
      Object.assign(res, { statusMessage: 42 });
      res.end();
    },
  },
  'a status without a known reason': {
    handler: (_req, res) => {
      res.statusCode = 299;
      res.end('x');
    },
  },
  'flushHeaders()': {
    handler: (_req, res) => {
      res.setHeader('X-A', 'a');
      res.flushHeaders();
      setTimeout(() => res.end(`sent ${String(res.headersSent)}`), 10);
    },
  },
  'interim responses': {
    handler: (_req, res, note) => {
      res.writeContinue(() => note('continue'));
      res.writeProcessing();
      res.writeEarlyHints({ link: '</style.css>; rel=preload' }, () => {
        note('hints');
        res.end('final');
      });
    },
    notes: 2,
  },
  trailers: {
    handler: (_req, res) => {
      res.setHeader('Trailer', 'X-Checksum');
      res.write('body');
      res.addTrailers({ 'X-Checksum': 'abc' });
      res.end();
    },
  },
  'writes in several ticks': {
    handler: async (_req, res) => {
      for (const text of ['a', 'b', 'c']) {
        res.write(text);
        await new Promise(setImmediate);
      }
      res.end('d');
    },
  },
  'writes in one tick': {
    handler: (_req, res) => {
      for (const text of ['a', 'b', 'c']) res.write(text);
      res.end('d');
    },
  },
  'every kind of chunk': {
    handler: (_req, res) => {
      res.write('zoë ');
      res.write('7ac3', 'hex');
      res.write('é', 'latin1');
      res.write(Buffer.from('buffer '));
      res.write(new Uint8Array([65, 66]));
      res.write('');
      res.end('w6k=', 'base64');
    },
  },
  'chunks that cannot be': {
    handler: (_req, res) => res.end([attempt(() => res.write(7)), attempt(() => res.write(null))].join()),
  },
  'callbacks of write() and end()': {
    handler: (_req, res, note) => {
      res.write('a', () => note('written a'));
      res.write(Buffer.from('b'), () => {
        note('written b');
        res.end('c', 'utf8', () => note('ended'));
      });
    },
    notes: 3,
  },
  'end() with a callback alone': { handler: (_req, res, note) => res.end(() => note('ended')), notes: 1 },
  'write() after end()': {
    handler: (_req, res, note) => {
      res.on('error', (error: NodeJS.ErrnoException) => note(error.code));
      res.end('done');
      res.write('late', (error) => note((error as NodeJS.ErrnoException | null)?.code));
    },
    notes: 2,
  },
  'end() twice': {
    handler: (_req, res, note) => {
      res.end('one');
      res.end((error?: NodeJS.ErrnoException) => note(error?.code ?? 'no error'));
    },
    notes: 1,
  },
  'a large end()': { handler: (_req, res) => res.end(big) },
  'a large body in pieces, with drain': {
    handler: (_req, res, note) => {
      let left = 40;
      const more = (): void => {
        while (left > 0) {
          left -= 1;
          if (!res.write(Buffer.alloc(50_000, 'd'))) {
            res.once('drain', more);
            return;
          }
        }
        note(res.writableNeedDrain);
        res.end();
      };
      more();
    },
    notes: 1,
  },
  writableNeedDrain: {
    handler: (_req, res, note) => {
      note(res.writableNeedDrain);
      note(res.write(Buffer.alloc(200_000)));
      note(res.writableNeedDrain);
      res.once('drain', () => {
        note(res.writableNeedDrain);
        res.end();
      });
    },
    notes: 4,
  },
  'a file stream': { handler: (_req, res) => createReadStream(file).pipe(res) },
  'a generator through a pipeline': { handler: (_req, res) => pipelineDone(Readable.from(pieces()), res) },
  gzip: {
    handler: (_req, res, note) => {
      res.setHeader('Content-Encoding', 'gzip');
      pipeline(Readable.from([big]), createGzip(), res, (error) => note(error?.message ?? 'whole'));
    },
    notes: 1,
  },
  'a Blob': {
    handler: async (_req, res) =>
      pipelineDone(Readable.fromWeb(new Blob(['from ', 'a blob']).stream() as never), res),
  },
  'a web Response': {
    handler: async (_req, res) => {
      const response = new Response('from fetch', { headers: { 'x-a': 'a' } });
      res.setHeaders(response.headers);
      res.end(Buffer.from(await response.arrayBuffer()));
    },
  },
  'a file by send': { handler: (req, res) => send(req, file).pipe(res) },
  'a range by send': {
    handler: (req, res) => send(req, file).pipe(res),
    request: { headers: [['Range', 'bytes=10-29']] },
  },
  'a range that cannot be': {
    handler: (req, res) => send(req, file).pipe(res),
    request: { headers: [['Range', 'bytes=9999999-']] },
  },
  'a HEAD by send': { handler: (req, res) => send(req, file).pipe(res), request: { method: 'HEAD' } },
  'a 304 by send': {
    handler: (req, res) => send(req, file, { lastModified: false }).pipe(res),
    request: { headers: [['If-None-Match', '*']] },
  },
  'HEAD with a body that is dropped': {
    handler: (_req, res) => res.end('dropped'),
    request: { method: 'HEAD' },
  },
  'HEAD with a length': {
    handler: (_req, res) => {
      res.setHeader('Content-Length', '12');
      res.write('dropped');
      res.end();
    },
    request: { method: 'HEAD' },
  },
  'cork() and uncork()': {
    handler: (_req, res) => {
      res.cork();
      res.write('a');
      res.write('b');
      setImmediate(() => {
        res.uncork();
        res.end('c');
      });
    },
  },
  strictContentLength: {
    handler: (_req, res) => {
      res.strictContentLength = true;
      res.writeHead(200, { 'Content-Length': 5 });
      const code = attempt(() => res.write('too long'));
      res.end(code.slice(-5).padStart(5));
    },
  },
  'setTimeout() that nobody hears': {
    handler: (req, res) => {
      req.setTimeout(10_000);
      res.setTimeout(10_000, () => undefined);
      req.socket.setTimeout(0);
      res.end('ok');
    },
  },
  'setTimeout() that is heard': {
    handler: (_req, res, note) => {
      res.setTimeout(10, () => {
        note('timeout');
        res.end('late');
      });
    },
    notes: 1,
  },
  'methods of the socket': {
    handler: ({ socket }, res) => {
      const chained = [
        socket.setNoDelay(),
        socket.setKeepAlive(true),
        socket.ref(),
        socket.unref(),
        socket.pause(),
        socket.resume(),
      ];
      json(
        res,
        chained.map((one) => one === socket),
      );
    },
  },
  'the body of a file it can be compared with': { handler: (_req, res) => res.end(readFileSync(file)) },
};

const sorted = (of: object): [string, unknown][] =>
  Object.entries(of).toSorted(([a], [b]) => (a < b ? -1 : 1));
