// Spans of requests, collected by OpenTelemetry's own SDK.
import { context, propagation, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import { expect } from 'chai';
import { pino } from 'pino';
import type { Application } from '../../../../src/gateway/contract.ts';
import { ProviderWatch } from '../../../../src/runtime/tracing/watch-provider.ts';
import {
  answering,
  type RequestOptions,
  type Stage,
  stageFor,
  texts,
} from '../../../helpers/fake-gateway.ts';
import { waitFor } from '../../../helpers/wait.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const CALLER = '00f067aa0ba902b7';
const PARENT = ['HTTP_TRACEPARENT', `00-${TRACE}-${CALLER}-01`, 'HTTP_TRACESTATE', 'vendor=1'];
const silent = pino({ level: 'silent' });

describe('runtime/tracing', () => {
  const exporter = new InMemorySpanExporter();

  before(() => {
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    propagation.setGlobalPropagator(new W3CTraceContextPropagator());
    trace.setGlobalTracerProvider(
      new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }),
    );
  });
  after(() => {
    trace.disable();
    context.disable();
    propagation.disable();
  });
  afterEach(() => exporter.reset());

  const traced = async (stage: Stage): Promise<Stage> => {
    await new ProviderWatch(stage.gateway, silent).look();
    return stage;
  };
  const spanOf = async (app: Application, request: RequestOptions = {}): Promise<ReadableSpan> => {
    const stage = await traced(stageFor(app, { path: '/shop', name: 'shop' }));
    stage.handle({ path: '/shop/a', ...request });
    await stage.settled();
    const [span] = exporter.getFinishedSpans().filter(({ kind }) => kind === SpanKind.SERVER);
    if (span === undefined) throw new Error('Cannot find the span: there is none');
    return span;
  };

  it('are named and described by the conventions', async () => {
    const span = await spanOf(answering(texts('x')), {
      path: '/shop/a',
      params: [
        'REQUEST_URI',
        '/shop/%61?q=1&sig=secret',
        'HTTP_HOST',
        'Example.com:8443',
        'HTTPS',
        'on',
        'HTTP_USER_AGENT',
        'curl/8',
        'SERVER_PROTOCOL',
        'HTTP/2.0',
        'HTTP_X_REQUEST_ID',
        'r1',
      ],
    });
    expect(span.name).to.equal('GET /shop');
    expect(span.attributes).to.deep.equal({
      'http.request.method': 'GET',
      'url.scheme': 'https',
      'url.path': '/shop/%61',
      'url.query': 'q=1&sig=REDACTED',
      'server.address': 'example.com',
      'server.port': 8443,
      'client.address': '127.0.0.1',
      'user_agent.original': 'curl/8',
      'network.protocol.version': '2',
      'viaduct.mount': 'shop',
      'viaduct.request_id': 'r1',
      'http.response.status_code': 200,
    });
    expect(span.status.code).to.equal(SpanStatusCode.UNSET);
    expect(span.parentSpanContext).to.equal(undefined);
  });

  it('go on with the trace of the caller, and are the parent of what the app makes', async () => {
    const span = await spanOf(
      async (_environ, startResponse) => {
        await Promise.resolve();
        trace.getTracer('app').startSpan('early').end();
        startResponse('200 OK', []);
        return (async function* chunks() {
          trace.getTracer('app').startSpan('late').end();
          yield Buffer.from('x');
        })();
      },
      { params: PARENT },
    );
    const { traceId, spanId, traceState } = span.spanContext();
    expect([traceId, traceState?.serialize()]).to.deep.equal([TRACE, 'vendor=1']);
    expect(span.parentSpanContext).to.include({ spanId: CALLER, isRemote: true });
    const inner = exporter.getFinishedSpans().filter(({ kind }) => kind === SpanKind.INTERNAL);
    expect(inner.map(({ name, parentSpanContext }) => [name, parentSpanContext?.spanId])).to.deep.equal([
      ['early', spanId],
      ['late', spanId],
    ]);
  });

  it('tell a failure with its exception', async () => {
    const span = await spanOf(() => {
      throw new TypeError('no such cheese');
    });
    expect(span.attributes).to.include({ 'http.response.status_code': 500, 'error.type': 'TypeError' });
    expect(span.status.code).to.equal(SpanStatusCode.ERROR);
    expect(span.events[0]?.attributes).to.include({ 'exception.message': 'no such cheese' });
  });

  it('tell a status of the server that is an error, and none of the client', async () => {
    const failed = await spanOf(answering(texts('x'), [], '503 Service Unavailable'));
    expect([failed.attributes['error.type'], failed.status.code]).to.deep.equal([
      '503',
      SpanStatusCode.ERROR,
    ]);
    exporter.reset();
    const missing = await spanOf(answering(texts('x'), [], '404 Not Found'));
    expect([missing.attributes['error.type'], missing.status.code]).to.deep.equal([
      undefined,
      SpanStatusCode.UNSET,
    ]);
  });

  it('end when the response does, and tell that it broke off', async () => {
    const stage = await traced(
      stageFor((environ, startResponse) => {
        startResponse('200 OK', []);
        return (async function* endless() {
          yield Buffer.from('x');
          await new Promise((resolve) => environ['viaduct.signal'].addEventListener('abort', resolve));
        })();
      }),
    );
    const exchange = stage.handle();
    await waitFor(() => exchange.sent === 'x', { what: 'the first chunk' });
    expect(exporter.getFinishedSpans()).to.deep.equal([]);
    exchange.leave();
    await stage.settled();
    const [span] = exporter.getFinishedSpans();
    expect(span?.attributes).to.include({ 'error.type': 'client_gone', 'viaduct.aborted': 'sending' });
    expect(span?.status.code).to.equal(SpanStatusCode.ERROR);
  });

  it('take no method that a client makes up as a name, and know requests of no mount', async () => {
    const odd = await spanOf(answering(texts('x')), { method: 'BREW' });
    expect([
      odd.name,
      odd.attributes['http.request.method'],
      odd.attributes['http.request.method_original'],
    ]).to.deep.equal(['HTTP /shop', '_OTHER', 'BREW']);
    exporter.reset();
    const lost = await spanOf(answering(texts('x')), { path: '/elsewhere' });
    expect([lost.name, lost.attributes['http.response.status_code']]).to.deep.equal(['GET', 404]);
  });

  it('give the log their ids', async () => {
    const stage = await traced(stageFor(answering(texts('x'))));
    stage.handle({ params: PARENT });
    await stage.settled();
    const [span] = exporter.getFinishedSpans();
    expect(stage.events.requests[0]?.trace).to.include({
      traceId: TRACE,
      spanId: span?.spanContext().spanId,
    });
  });

  it('cost no request where those who collect them fail', async () => {
    const lines: string[] = [];
    const fail = (): never => {
      throw new Error('the collector broke');
    };
    for (const broken of ['onStart', 'onEnd'] as const) {
      trace.disable();
      const processor = new SimpleSpanProcessor(exporter);
      processor[broken] = fail;
      trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [processor] }));
      const stage = stageFor(answering(texts('x')));
      const logger = pino({}, { write: (line: string) => void lines.push(line) });
      await new ProviderWatch(stage.gateway, logger).look();
      const answers = [stage.handle(), stage.handle()];
      await stage.settled();
      expect(answers.map(({ status }) => status)).to.deep.equal(['200 OK', '200 OK']);
    }
    expect(
      lines.filter((line) => line.includes('Cannot trace requests: the collector broke')),
    ).to.have.lengthOf(2);
    trace.disable();
    trace.setGlobalTracerProvider(
      new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }),
    );
  });

  it('are made from the next look on, until the provider is taken away', async () => {
    const stage = stageFor(answering(texts('x')));
    const watch = new ProviderWatch(stage.gateway, silent);
    watch.tick();
    await waitFor(() => stage.gateway.tracing !== null, { what: 'the provider to be seen' });
    trace.disable();
    watch.tick();
    expect(stage.gateway.tracing).to.equal(null);
    trace.setGlobalTracerProvider(
      new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }),
    );
  });
});

describe('runtime/tracing without an SDK', () => {
  it('makes no span, and gives the log the ids of the caller', async () => {
    const stage = stageFor(answering(texts('x')));
    const watch = new ProviderWatch(stage.gateway, silent);
    await watch.look();
    watch.tick();
    expect(stage.gateway.tracing).to.equal(null);
    stage.handle({ params: PARENT });
    stage.handle();
    await stage.settled();
    const [first, second] = stage.events.requests;
    expect([first?.trace, second?.trace]).to.deep.equal([{ traceId: TRACE, spanId: CALLER }, null]);
  });

  it('says so where the API of the app is too old for it', async () => {
    const shared = globalThis as { [key: symbol]: unknown };
    const key = Symbol.for('opentelemetry.js.api.1');
    const before = shared[key];
    const lines: string[] = [];
    shared[key] = { version: '1.0.0', trace: {} };
    try {
      const stage = stageFor(answering(texts('x')));
      await new ProviderWatch(
        stage.gateway,
        pino({}, { write: (line: string) => void lines.push(line) }),
      ).look();
      expect(stage.gateway.tracing).to.equal(null);
    } finally {
      shared[key] = before;
    }
    expect(lines.join('')).to.contain(
      'Requests are not traced: the app has @opentelemetry/api 1.0.0, which is older',
    );
  });
});
