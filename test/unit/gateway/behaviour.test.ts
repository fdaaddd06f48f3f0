// What a client and the log get for each way an application can go wrong, or right in a way that servers differ about.
/* oxlint-disable unicorn/consistent-function-scoping -- an application stands beside what is expected of it */
import { expect } from 'chai';
import type { Application, Body, HeaderList } from '../../../src/gateway/contract.ts';
import {
  answering,
  PLAIN,
  type RequestOptions,
  run,
  texts,
  WatchedBody,
  WatchedSyncBody,
} from '../../helpers/fake-gateway.ts';
import { bytes, untyped } from '../../helpers/mini-gateway.ts';

const PAGE = (id = 'r'): string => `500 Internal Server Error\n\nRequest id: ${id}\n`;
const ERROR: readonly string[] = ['head 500 Internal Server Error', `end ${PAGE().trimEnd()}`];
const sized = (length: number): HeaderList => [['Content-Length', String(length)]];

interface Row {
  readonly case: string;
  readonly app: Application;
  readonly request?: RequestOptions;
  readonly wire: readonly string[];
  /** Codes or messages of the logged errors; none unless told. */
  readonly errors?: readonly string[];
  readonly warnings?: number;
  readonly headers?: HeaderList;
}

const boom = (): never => {
  throw new Error('boom');
};
const started =
  (rest: () => unknown): Application =>
  (_environ, start) => {
    start('200 OK', PLAIN.slice());
    return untyped(rest());
  };
const both = (...steps: (string | (() => unknown))[]): Body[] => [
  new WatchedBody(...steps),
  new WatchedSyncBody(...steps),
];

const ROWS: readonly Row[] = [
  { case: 'raises before startResponse', app: boom, wire: ERROR, errors: ['boom'] },
  { case: 'raises after startResponse, before any body', app: started(boom), wire: ERROR, errors: ['boom'] },
  ...both(boom).map((body) => ({
    case: 'the generator raises at its first next()',
    app: answering(body),
    wire: ERROR,
    errors: ['boom'],
  })),
  ...both('', boom).map((body) => ({
    case: 'yields nothing once, then raises',
    app: answering(body),
    wire: ERROR,
    errors: ['boom'],
  })),
  ...both('abc', boom).map((body) => ({
    case: 'yields abc, then raises',
    app: answering(body),
    wire: ['head 200 OK', 'write abc', 'abort app_error'],
    errors: ['boom'],
  })),
  ...both('abc').map((body) => ({
    case: 'body shorter than Content-Length',
    app: answering(body, sized(6)),
    wire: ['head 200 OK', 'write abc', 'abort app_error'],
    errors: ['ERR_GATEWAY_BODY_SHORT'],
  })),
  ...both('abc', 'def').map((body) => ({
    case: 'body longer than Content-Length, by iteration',
    app: answering(body, sized(4)),
    wire: ['head 200 OK', 'write abc', 'write d', 'end'],
    warnings: 1,
  })),
  {
    case: 'body longer than Content-Length, by write()',
    app: async (_environ, start) => {
      await start('200 OK', sized(4))(bytes('abcdef'));
      return [];
    },
    wire: ['head 200 OK', 'write abcd', 'end'],
    errors: ['ERR_GATEWAY_CONTENT_LENGTH'],
  },
  ...both(() => 'str').map((body) => ({
    case: 'yields a string first',
    app: answering(body),
    wire: ERROR,
    errors: ['ERR_GATEWAY_CHUNK'],
  })),
  ...both('abc', () => 'str').map((body) => ({
    case: 'yields a string later',
    app: answering(body),
    wire: ['head 200 OK', 'write abc', 'abort app_error'],
    errors: ['ERR_GATEWAY_CHUNK'],
  })),
  {
    case: 'an Array with a string in it',
    app: started(() => [bytes('a'), 'str']),
    wire: ERROR,
    errors: ['ERR_GATEWAY_CHUNK'],
  },
  ...[bytes('abc'), Buffer.from('abc'), 'abc', new ArrayBuffer(3), new DataView(new ArrayBuffer(3))].map(
    (value) => ({
      case: `the application returns ${value.constructor.name}`,
      app: started(() => value),
      wire: ERROR,
      errors: ['ERR_GATEWAY_RESULT'],
    }),
  ),
  ...[texts('abc'), [], ...both('abc'), ...both()].map((body) => ({
    case: 'startResponse is never called',
    app: () => body,
    wire: ERROR,
    errors: ['ERR_GATEWAY_NOT_STARTED'],
  })),
  {
    case: 'startResponse is called twice without excInfo',
    app: (environ, start) => {
      start('200 OK', []);
      return answering([])(environ, start);
    },
    wire: ERROR,
    errors: ['ERR_GATEWAY_STARTED_TWICE'],
  },
  {
    case: 'excInfo before the headers went out',
    app: (_environ, start) => {
      start('200 OK', [['Set-Cookie', 'a=b']]);
      start('503 Busy', [['X', 'y']], new Error('caught'));
      return texts('sorry');
    },
    wire: ['head 503 Busy', 'end sorry'],
    headers: [['X', 'y'], ...sized(5)],
  },
  {
    case: 'excInfo after the headers went out',
    app: async function* (_environ, start) {
      start('200 OK', []);
      yield bytes('abc');
      start('500 Oops', [], new Error('original'));
    },
    wire: ['head 200 OK', 'write abc', 'abort app_error'],
    errors: ['original'],
  },
  ...[null, undefined, 1, true, {}, () => [], Symbol('x')].map((value) => ({
    case: `the application returns ${value === null ? 'null' : typeof value}`,
    app: started(() => value),
    wire: ERROR,
    errors: ['ERR_GATEWAY_RESULT'],
  })),
  {
    case: 'one chunk, no Content-Length',
    app: answering(texts('abc'), []),
    wire: ['head 200 OK', 'end abc'],
    headers: sized(3),
  },
  {
    case: 'no chunk, no Content-Length',
    app: answering([], []),
    wire: ['head 200 OK', 'end'],
    headers: sized(0),
  },
  {
    case: 'no chunk, no Content-Length, to HEAD',
    app: answering([], []),
    request: { method: 'HEAD' },
    wire: ['head 200 OK', 'end'],
    headers: [],
  },
  ...['204 No Content', '304 Not Modified'].map((status) => ({
    case: `no chunk, no Content-Length, ${status}`,
    app: answering([], [], status),
    wire: [`head ${status}`, 'end'],
    headers: [],
  })),
  {
    case: 'a hop-by-hop header',
    app: answering([], [['Connection', 'close']]),
    wire: ERROR,
    errors: ['ERR_GATEWAY_HOP_BY_HOP'],
  },
  {
    case: 'CR LF in a header value',
    app: answering([], [['X', 'a\r\nY: b']]),
    wire: ERROR,
    errors: ['ERR_GATEWAY_HEADERS'],
  },
  {
    case: 'a control character in a header value',
    app: answering([], [['X', 'a\x01']]),
    wire: ERROR,
    errors: ['ERR_GATEWAY_HEADERS'],
  },
  {
    case: 'CR LF in the status',
    app: answering([], [], '200 OK\r\nY: b'),
    wire: ERROR,
    errors: ['ERR_GATEWAY_STATUS'],
  },
  { case: "status '200'", app: answering([], [], '200'), wire: ERROR, errors: ['ERR_GATEWAY_STATUS'] },
  ...[texts('abc'), ...both('abc')].map((body) => ({
    case: 'a body to HEAD',
    app: answering(body, sized(3)),
    request: { method: 'HEAD' },
    wire: ['head 200 OK', 'end'],
    headers: sized(3),
  })),
  ...[texts('abc'), ...both('abc')].map((body) => ({
    case: '204 with a body',
    app: answering(body, [], '204 No Content'),
    wire: ['head 204 No Content', 'end'],
    headers: [],
    warnings: 1,
  })),
  ...[texts('abc'), ...both('abc')].map((body) => ({
    case: 'close() raises',
    app: answering(Object.assign(body, { close: boom })),
    wire: Array.isArray(body) ? ['head 200 OK', 'end abc'] : ['head 200 OK', 'write abc', 'end'],
    errors: ['boom'],
  })),
  {
    case: 'close() rejects',
    app: answering(Object.assign(texts('abc'), { close: async () => boom() })),
    wire: ['head 200 OK', 'end abc'],
    errors: ['boom'],
  },
  {
    case: 'something that is no Error is thrown to end the process (as SystemExit is in Python)',
    app: () => {
      throw Object.freeze({ exit: 1 });
    },
    wire: ERROR,
    errors: ['[object Object]'],
  },
  {
    case: 'readline(3) and readlines(1)',
    app: async (environ, start) => {
      const input = environ['wsgi.input'];
      return answering([await input.readline(3), ...(await input.readlines(1))])(environ, start);
    },
    request: { body: 'abcd\nef\n' },
    wire: ['head 200 OK', 'end abc|d\n'.trimEnd()],
  },
];

describe('behaviour of the gateway where servers differ', () => {
  const count = new Map<string, number>();
  for (const row of ROWS) {
    const number = (count.get(row.case) ?? 0) + 1;
    count.set(row.case, number);
    it(number === 1 ? row.case : `${row.case} (${number})`, async () => {
      const params = ['HTTP_X_REQUEST_ID', 'r'];
      const { exchange, events } = await run(row.app, { ...row.request, params });
      expect(exchange.wire).to.deep.equal(row.wire);
      expect(events.codes).to.deep.equal(row.errors ?? []);
      expect(events.warnings).to.have.lengthOf(row.warnings ?? 0);
      if (row.headers !== undefined) {
        const headers = exchange.headers.filter(([name]) => name !== 'X-Accel-Buffering');
        expect(headers).to.deep.equal(row.headers);
      }
    });
  }

  it('says what was returned and what was wanted', async () => {
    const { events } = await run(started(() => bytes('abc')));
    expect((events.errors[0] as Error).message).to.equal(
      'Cannot send body: the application returned Buffer, wanted an iterable of Uint8Array such as [bytes]',
    );
  });
});
