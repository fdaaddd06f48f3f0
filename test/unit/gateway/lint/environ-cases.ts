// What a server can do wrong: rules 1, 4 to 18, 49 and 51.
import type { Environ } from '../../../../src/gateway/contract.ts';
import {
  makeEnviron,
  MemoryErrors,
  MemoryInput,
  serve,
  bytes,
  untyped,
} from '../../../helpers/mini-gateway.ts';
import { hello } from './case.ts';
import type { LintCase } from './case.ts';

const REQUIRED = [
  'REQUEST_METHOD',
  'SERVER_NAME',
  'SERVER_PORT',
  'wsgi.version',
  'wsgi.input',
  'wsgi.errors',
  'wsgi.multithread',
  'wsgi.multiprocess',
  'wsgi.run_once',
];

class Custom {
  get(key: string): unknown {
    return Reflect.get(this, key);
  }
}

function withEnviron(
  rule: number,
  what: string,
  outcome: LintCase['outcome'],
  environ: () => unknown,
): LintCase {
  return { rule, what, outcome, run: (wrap) => serve(wrap(hello), untyped(environ())) };
}

/** A server that sends this key with this value, or leaves it out. */
function sends(rule: number, key: string, value: unknown, outcome: LintCase['outcome'] = 'throws'): LintCase {
  const what = value === undefined ? `${key} is missing` : `${key} is ${JSON.stringify(value)}`;
  return withEnviron(rule, what, outcome, () => makeEnviron({ [key]: value }));
}

/** A stream that lacks one method. */
function lacking(rule: number, key: string, stream: object, method: string | symbol): LintCase {
  const broken = (): Environ => {
    Object.defineProperty(stream, method, { value: undefined });
    return makeEnviron({ [key]: stream });
  };
  return withEnviron(rule, `${key} has no ${String(method)}`, 'throws', broken);
}

function calls(what: string, args: unknown[]): LintCase {
  const run: LintCase['run'] = (wrap) => Reflect.apply(wrap(hello), undefined, args);
  return { rule: 1, what, outcome: 'throws', run };
}

export const ENVIRON_CASES: LintCase[] = [
  calls('the application gets one argument', [makeEnviron()]),
  calls('the application gets three arguments', [makeEnviron(), () => async () => {}, null]),
  calls('the application gets no function as startResponse', [makeEnviron(), {}]),

  withEnviron(4, 'environ is null', 'throws', () => null),
  withEnviron(4, 'environ is an Array', 'throws', () => Object.assign([], makeEnviron())),
  withEnviron(4, 'environ is a Map', 'throws', () => new Map(Object.entries(makeEnviron()))),
  withEnviron(4, 'environ is of a class with methods', 'throws', () =>
    Object.assign(new Custom(), makeEnviron()),
  ),
  withEnviron(4, 'environ inherits its keys', 'throws', () => untyped(Object.create(makeEnviron()))),
  withEnviron(4, 'environ is frozen', 'throws', () => Object.freeze(makeEnviron())),

  ...REQUIRED.map((key) => sends(5, key, undefined)),
  sends(5, 'SERVER_NAME', ''),
  sends(6, 'HTTP_CONTENT_TYPE', 'text/plain'),
  sends(6, 'HTTP_CONTENT_LENGTH', '0'),
  sends(7, 'QUERY_STRING', undefined, 'warns'),
  sends(8, 'SERVER_PORT', 80),
  sends(8, 'REMOTE_USER', null),
  sends(9, 'wsgi.version', '1.0'),
  sends(9, 'wsgi.version', [1, 1]),
  sends(9, 'wsgi.version', [1, 0, 0]),
  sends(10, 'wsgi.url_scheme', 'ftp'),
  sends(10, 'wsgi.url_scheme', undefined),

  ...['read', 'readline', 'readlines', Symbol.asyncIterator].map((method) =>
    lacking(11, 'wsgi.input', new MemoryInput(bytes('')), method),
  ),
  ...['flush', 'write', 'writelines'].map((method) => lacking(12, 'wsgi.errors', new MemoryErrors(), method)),

  sends(13, 'REQUEST_METHOD', 'FETCH', 'warns'),
  sends(14, 'SCRIPT_NAME', 'app'),
  sends(15, 'PATH_INFO', 'path'),
  sends(16, 'CONTENT_LENGTH', '-1'),
  sends(16, 'CONTENT_LENGTH', '12 bytes'),
  withEnviron(17, 'SCRIPT_NAME is empty, PATH_INFO missing', 'throws', () =>
    makeEnviron({ SCRIPT_NAME: '', PATH_INFO: undefined }),
  ),
  withEnviron(17, 'both SCRIPT_NAME and PATH_INFO are missing', 'throws', () =>
    makeEnviron({ SCRIPT_NAME: undefined, PATH_INFO: undefined }),
  ),
  sends(18, 'SCRIPT_NAME', '/'),

  sends(49, 'REQUEST_METHOD', 'GET /'),
  sends(49, 'REQUEST_METHOD', ''),
  sends(49, 'SERVER_PORT', 'http'),
  sends(49, 'SERVER_PORT', ''),
  sends(49, 'SERVER_PROTOCOL', 'INCLUDED'),
  sends(49, 'SERVER_PROTOCOL', ''),
  sends(51, 'HTTP_X_NAME', 'Ł'),
];
