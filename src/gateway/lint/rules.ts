// The catalogue of viaduct:lint: every rule by number, how hard it is, and its one line of text.
// Rules 1 to 44 are those of CPython's wsgiref/validate.py in JavaScript form; 45 to 55 are what Rack::Lint,
// Jack's JSGI lint and werkzeug's LintMiddleware check beyond them.

/** assert: a breach throws LintError. warn: a breach is written to wsgi.errors and the request goes on. */
export type LintSeverity = 'assert' | 'warn';

export interface LintRule {
  readonly number: number;
  readonly severity: LintSeverity;
  readonly text: string;
}

const TEXTS: readonly (readonly [severity: LintSeverity, text: string])[] = [
  ['assert', 'the application is called with exactly two arguments, environ and the startResponse function'],
  ['assert', 'the result is an iterable or async iterable, not null, undefined or false'],
  ['assert', 'the result is not itself a string or a byte array'],
  ['assert', 'environ is a plain object that is free to change'],
  ['assert', 'environ has every key a server must provide, and SERVER_NAME is not empty'],
  ['assert', 'environ has no HTTP_CONTENT_TYPE and no HTTP_CONTENT_LENGTH'],
  ['warn', 'environ has QUERY_STRING'],
  ['assert', 'every environ key without a dot is a string'],
  ['assert', 'wsgi.version is the array [1, 0]'],
  ['assert', 'wsgi.url_scheme is http or https'],
  ['assert', 'wsgi.input has read, readline, readlines and Symbol.asyncIterator'],
  ['assert', 'wsgi.errors has flush, write and writelines'],
  ['warn', 'REQUEST_METHOD is one of the methods of RFC 9110 or PATCH'],
  ['assert', 'SCRIPT_NAME is empty or starts with "/"'],
  ['assert', 'PATH_INFO is empty or starts with "/"'],
  ['assert', 'CONTENT_LENGTH, where not empty, is a whole number of at least 0'],
  ['assert', 'PATH_INFO is there when SCRIPT_NAME is empty'],
  ['assert', 'SCRIPT_NAME is not "/"; the root is the empty string'],
  ['assert', 'startResponse is called with two or three arguments'],
  ['assert', 'status is a string without control characters that begins with a number from 100 to 999'],
  ['warn', 'status has a single space and a reason after its number'],
  ['assert', 'headers is an Array'],
  ['assert', 'each header is an Array'],
  ['assert', 'each header has two items'],
  ['assert', 'header name and value are strings'],
  ['assert', 'no header is called "Status"'],
  ['assert', 'a header name has no line feed and no ":"'],
  ['assert', 'a header name begins with a letter and goes on with letters, digits, "-" and "_"'],
  ['assert', 'a header name does not end in "-" or "_"'],
  ['assert', 'a header value has no control character'],
  ['assert', 'Content-Type is there, unless the status is 1xx, 204 or 304'],
  ['assert', 'Content-Type is not there on 204 and 304'],
  ['assert', 'excInfo is an Error, null or undefined'],
  ['assert', 'write() takes a Uint8Array'],
  ['assert', 'wsgi.input.read() takes one argument; without its size it is a warning only'],
  ['assert', 'wsgi.input.readline() and readlines() take at most one argument'],
  ['assert', 'wsgi.input gives Uint8Arrays, readlines() an Array of them'],
  ['assert', 'wsgi.input.close() is not called'],
  ['assert', 'wsgi.errors.write() takes one string, and so does writelines() for each line'],
  ['assert', 'wsgi.errors.close() is not called'],
  ['assert', 'a body is not advanced after it was closed'],
  ['assert', 'each item of a body is a Uint8Array'],
  ['assert', 'startResponse has been called by the time the first item, or the end of an empty body, is out'],
  ['warn', 'a body is closed before it is forgotten (seen when the garbage collector takes it)'],
  [
    'warn',
    'a body is consumed once: the result is iterated once, wsgi.input is not read again after its end',
  ],
  ['assert', 'Content-Length is one whole number and equals the bytes sent'],
  ['assert', 'no body goes with 1xx, 204 and 304; with HEAD it is a warning only'],
  ['assert', 'no Content-Length goes with 1xx and 204'],
  ['assert', 'REQUEST_METHOD is a token, SERVER_PORT is digits, SERVER_PROTOCOL is HTTP/N or HTTP/N.N'],
  ['assert', 'startResponse is called a second time only with excInfo, even where the first call failed'],
  ['assert', 'environ strings, status and headers have no character above U+00FF'],
  ['assert', 'no hop-by-hop header is set'],
  ['warn', 'a middleware yields at least one item for each item it takes (seen by two lints around it)'],
  ['assert', 'a body is closed only once'],
  ['warn', 'ETag is quoted and Location is absolute'],
];

/** All rules in the order of their numbers, 1 to 55. */
export const LINT_RULES: readonly LintRule[] = TEXTS.map(([severity, text], index) => ({
  number: index + 1,
  severity,
  text,
}));
