// From the bytes of a request to a filled environ, for each protocol; fastcgi-stream, which fills none, on the same bytes.
// Build, then: node dist/bench/micro/decode.js [NAME]; with the name of one of them only its nanoseconds are printed.
import { EventEmitter } from 'node:events';
import fastcgiStream from 'fastcgi-stream';
import { bench, do_not_optimize, summary } from 'mitata';
import { Cancellation } from '../../src/gateway/cancellation.ts';
import { completeEnviron, makeEnviron } from '../../src/gateway/environ.ts';
import type { ErrorStream, InputStream } from '../../src/gateway/contract.ts';
import { FastcgiDecoder } from '../../src/protocol/fastcgi/decoder.ts';
import type { FastcgiSink } from '../../src/protocol/fastcgi/events.ts';
import { DEFAULT_LIMITS } from '../../src/protocol/limits.ts';
import { ScgiDecoder } from '../../src/protocol/scgi/decoder.ts';
import type { StreamDecoder, StreamSink } from '../../src/protocol/stream-events.ts';
import { UwsgiDecoder } from '../../src/protocol/uwsgi/decoder.ts';
import { runNamed } from './run-named.ts';
import { FASTCGI_REQUEST, SCGI_REQUEST, UWSGI_REQUEST } from './stock-request.ts';

const input = {} as InputStream;
const errors = {} as ErrorStream;
const controller = new Cancellation();

function fill(params: readonly string[]): void {
  const environ = makeEnviron(params, input, errors, controller);
  completeEnviron(environ);
  do_not_optimize(environ);
}

const never = (): never => {
  throw new Error('Cannot measure: the decoder refused the request');
};

/** Hands the params on; nothing else happens in these requests, and what should not fails the benchmark. */
function fastcgiSink(onParams: (params: string[]) => void): FastcgiSink {
  return {
    onBegin() {},
    onParams: (_id, params) => onParams(params),
    onStdin() {},
    onStdinEnd() {},
    onAbort: never,
    onGetValues: never,
    onUnknownType: never,
    onRefuse: never,
    onReject: never,
    onNotice: never,
    onError: never,
  };
}

function streamSink(onParams: (params: string[]) => void): StreamSink {
  return {
    onRequest: (params) => onParams(params),
    onBody() {},
    onBodyEnd() {},
    onReply: never,
    onNotice: never,
    onError: never,
  };
}

function decodeFastcgi(onParams: (params: string[]) => void): () => void {
  const decoder = new FastcgiDecoder(fastcgiSink(onParams), DEFAULT_LIMITS);
  return () => {
    decoder.push(FASTCGI_REQUEST);
    decoder.release(1);
  };
}

/** These carry one request a connection: a decoder each. */
function decodeStream(make: (sink: StreamSink) => StreamDecoder, bytes: Buffer): () => void {
  const sink = streamSink(fill);
  return () => make(sink).push(bytes);
}

const ignore = (params: string[]): void => {
  do_not_optimize(params);
};
const params: string[] = [];
decodeFastcgi((list) => params.push(...list))();

// A header that comes twice has to be joined, so there is no constructor for such a list.
const general = [...params, ...params.slice(-2)];

const pipe = Object.assign(new EventEmitter(), { write: () => true });
const stream = new fastcgiStream.FastCGIStream(pipe);
stream.on('record', (_id, record) => {
  do_not_optimize(record);
});

summary(() => {
  bench('FastCGI: bytes to environ', decodeFastcgi(fill));
  bench('FastCGI: bytes to params', decodeFastcgi(ignore));
  bench('environ from params', () => fill(params));
  bench('environ from params, the general way', () => fill(general));
  bench('fastcgi-stream: bytes to records', () => {
    pipe.emit('data', FASTCGI_REQUEST);
  });
});
bench(
  'uwsgi: bytes to environ',
  decodeStream((sink) => new UwsgiDecoder(sink, DEFAULT_LIMITS), UWSGI_REQUEST),
);
bench(
  'SCGI: bytes to environ',
  decodeStream((sink) => new ScgiDecoder(sink, DEFAULT_LIMITS), SCGI_REQUEST),
);

await runNamed();
