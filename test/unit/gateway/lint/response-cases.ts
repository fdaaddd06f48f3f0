// What an application can do wrong in startResponse and write(): rules 19 to 34, 46 to 48, 50 to 52 and 55.
import { runInNewContext } from 'node:vm';
import type { Application, Body, HeaderList, StartResponse } from '../../../../src/gateway/contract.ts';
import { bytes, makeEnviron, serve, untyped } from '../../../helpers/mini-gateway.ts';
import { answer, PLAIN } from './case.ts';
import type { LintCase } from './case.ts';

/** An application that calls startResponse with these arguments. */
function starts(
  rule: number,
  what: string,
  args: unknown[],
  outcome: LintCase['outcome'] = 'throws',
): LintCase {
  const app: Application = (_environ, startResponse) => {
    Reflect.apply(startResponse, undefined, args);
    return [];
  };
  return { rule, what, outcome, run: (wrap) => serve(wrap(app)) };
}

function status(rule: number, value: unknown, outcome: LintCase['outcome'] = 'throws'): LintCase {
  return starts(rule, `status is ${JSON.stringify(value)}`, [value, PLAIN], outcome);
}

/** An application that sets this header. */
function header(
  rule: number,
  name: string,
  value: string,
  outcome: LintCase['outcome'] = 'throws',
): LintCase {
  const what = `header ${JSON.stringify([name, value])}`;
  return starts(rule, what, ['200 OK', [...PLAIN, [name, value]]], outcome);
}

/** An application that does what it likes with startResponse. */
function does(rule: number, what: string, act: (startResponse: StartResponse) => Body): LintCase {
  const app: Application = (_environ, startResponse) => act(startResponse);
  return { rule, what, outcome: 'throws', run: (wrap) => serve(wrap(app)) };
}

function declares(length: string, more: HeaderList = []): HeaderList {
  return [...PLAIN, ['Content-Length', length], ...more];
}

function sends(rule: number, what: string, app: () => Application): LintCase {
  return { rule, what, outcome: 'throws', run: (wrap) => serve(wrap(app())) };
}

function* each(...texts: string[]): Generator<Uint8Array> {
  yield* texts.map(bytes);
}

function onHead(body: () => Body): LintCase['run'] {
  return (wrap) => serve(wrap(answer(body())), makeEnviron({ REQUEST_METHOD: 'HEAD' }));
}

export const RESPONSE_CASES: LintCase[] = [
  starts(19, 'startResponse gets one argument', ['200 OK']),
  starts(19, 'startResponse gets four arguments', ['200 OK', PLAIN, null, null]),
  status(20, 200),
  status(20, 'OK'),
  status(20, '20 OK'),
  status(20, '099 Low'),
  status(20, '2000 OK'),
  status(20, '200 OK\r\nX: 1'),
  status(20, ''),
  status(21, '200', 'warns'),
  status(21, '200 ', 'warns'),
  status(21, '200  OK', 'warns'),
  starts(22, 'headers is a plain object', ['200 OK', { 'Content-Type': 'text/plain' }]),
  starts(22, 'headers is a Map', ['200 OK', new Map(PLAIN)]),
  starts(23, 'a header is a string', ['200 OK', ['Content-Type: text/plain']]),
  starts(24, 'a header has one item', ['200 OK', [['Content-Type']]]),
  starts(24, 'a header has three items', ['200 OK', [['Set-Cookie', 'a=1', 'b=2']]]),
  starts(25, 'a header name is a number', ['200 OK', [[1, 'x']]]),
  starts(25, 'a header value is a number', ['200 OK', [['Content-Length', 5]]]),
  header(26, 'Status', '200 OK'),
  header(27, 'X-One\nX-Two', '1'),
  header(27, 'X-One:', '1'),
  header(28, '1X', '1'),
  header(28, 'X One', '1'),
  header(28, '', '1'),
  header(28, 'X-Ä', '1'),
  header(29, 'X-', '1'),
  header(29, 'X_', '1'),
  header(30, 'X-One', 'a\r\nX-Two: b'),
  header(30, 'X-One', 'a\0'),
  header(30, 'X-One', 'a\x7f'),
  starts(31, 'a 200 has no Content-Type', ['200 OK', []]),
  starts(32, 'a 204 has a Content-Type', ['204 No Content', PLAIN]),
  starts(32, 'a 304 has a Content-Type', ['304 Not Modified', PLAIN]),
  starts(33, 'excInfo is a string', ['500 Oops', PLAIN, 'oops']),
  starts(33, 'excInfo is an array of three', ['500 Oops', PLAIN, [Error, new Error('x'), null]]),

  does(34, 'write() gets a string', (startResponse) => {
    void startResponse('200 OK', PLAIN)(untyped('text'));
    return [];
  }),
  does(34, 'write() gets an Array', (startResponse) => {
    void startResponse('200 OK', PLAIN)(untyped([104, 105]));
    return [];
  }),

  sends(46, 'an Array is shorter than Content-Length', () => answer([bytes('abc')], declares('4'))),
  sends(46, 'an Array is longer than Content-Length', () => answer([bytes('abc')], declares('2'))),
  sends(46, 'a generator is shorter than Content-Length', () => answer(each('ab', 'c'), declares('4'))),
  sends(46, 'a generator is longer than Content-Length', () => answer(each('ab', 'c'), declares('2'))),
  sends(46, 'a body follows Content-Length 0', () => answer([bytes('a')], declares('0'))),
  sends(46, 'Content-Length is no number', () => answer([], declares('none'))),
  sends(46, 'Content-Length comes twice', () => answer([], declares('0', [['content-length', '0']]))),
  does(46, 'write() goes past Content-Length', (startResponse) => {
    void startResponse('200 OK', declares('2'))(bytes('abc'));
    return [];
  }),
  does(46, 'write() and body together are longer', (startResponse) => {
    void startResponse('200 OK', declares('3'))(bytes('ab'));
    return [bytes('cd')];
  }),

  sends(47, 'a 204 has a body', () => answer([bytes('a')], [], '204 No Content')),
  sends(47, 'a 304 has a body', () => answer(each('', 'a'), [], '304 Not Modified')),
  sends(47, 'a 103 has a body', () => answer([bytes('a')], [], '103 Early Hints')),
  { rule: 47, what: 'HEAD gets a body', outcome: 'warns', run: onHead(() => each('a', 'b')) },
  sends(48, 'a 204 has a Content-Length', () => answer([], [['Content-Length', '0']], '204 No Content')),
  sends(48, 'a 103 has a Content-Length', () => answer([], [['Content-Length', '0']], '103 Early Hints')),

  does(50, 'startResponse is called twice', (startResponse) => {
    startResponse('200 OK', PLAIN);
    startResponse('200 OK', PLAIN);
    return [];
  }),
  does(50, 'startResponse is called twice, the second time with null', (startResponse) => {
    startResponse('200 OK', PLAIN);
    startResponse('200 OK', PLAIN, null);
    return [];
  }),
  does(50, 'startResponse is called again after it threw', (startResponse) => {
    try {
      startResponse('OK', PLAIN);
    } catch {
      startResponse('500 Oops', PLAIN);
    }
    return [];
  }),

  status(51, '200 Łódź'),
  header(51, 'X-Ł', '1'),
  header(51, 'X-Name', 'Ł'),
  ...[
    'Connection',
    'keep-alive',
    'Proxy-Authenticate',
    'Proxy-Authorization',
    'TE',
    'Trailer',
    'Trailers',
    'Transfer-Encoding',
    'Upgrade',
  ].map((name) => header(52, name, 'x')),
  header(55, 'ETag', 'abc', 'warns'),
  header(55, 'ETag', 'w/"abc"', 'warns'),
  header(55, 'Location', '/login', 'warns'),
];

/** Answers that look unusual and break no rule. */
export const RIGHT_ANSWERS: { what: string; app: () => Application; environ?: Record<string, unknown> }[] = [
  {
    what: 'HEAD with a Content-Length and no body',
    app: () => answer([], declares('5')),
    environ: { REQUEST_METHOD: 'HEAD' },
  },
  {
    what: 'a 304 with a Content-Length',
    app: () => answer([], [['Content-Length', '5']], '304 Not Modified'),
  },
  { what: 'a 204 with empty items', app: () => answer([bytes('')], [], '204 No Content') },
  {
    what: 'a weak ETag and an absolute Location',
    app: () => answer([], [...PLAIN, ['ETag', 'W/"a"'], ['Location', 'https://example.com/']]),
  },
  {
    what: 'UTF-8 in a header as latin-1 text',
    app: () => answer([], [...PLAIN, ['X-Name', 'Å\x81ódź'.replace('ź', 'Åº')]]),
  },
  { what: 'a second startResponse with excInfo', app: () => recovers(new Error('late')) },
  {
    what: 'excInfo of another realm',
    app: () => recovers(untyped(runInNewContext('new Error("far")'))),
  },
  { what: 'excInfo after a startResponse that threw', app: () => recoversFromLint },
  { what: 'write() and a body that fill Content-Length', app: () => writes },
];

function recovers(error: Error): Application {
  return (_environ, startResponse) => {
    startResponse('200 OK', declares('100'));
    startResponse('500 Oops', PLAIN, error);
    return [bytes('oops')];
  };
}

const recoversFromLint: Application = (_environ, startResponse) => {
  try {
    startResponse('OK', PLAIN);
  } catch (error) {
    startResponse('500 Oops', PLAIN, untyped(error));
  }
  return [bytes('oops')];
};

const writes: Application = async (_environ, startResponse) => {
  const write = startResponse('200 OK', declares('4'));
  await write(bytes('ab'));
  return [bytes('cd')];
};
