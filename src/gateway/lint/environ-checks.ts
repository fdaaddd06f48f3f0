// What the server owes the application: rules 4 to 18, 49 and 51 on environ.
// Reads only the keys it names and those without a dot, so that a lazy key such as viaduct.signal stays unmade.
import type { Environ } from '../contract.ts';
import { fail, quoted, shown } from './report.ts';
import type { Warn } from './report.ts';
import { isLatin1, missingMethod } from './text.ts';

type Dict = Record<string, unknown>;

// wsgiref/validate.py, check_environ
const REQUIRED_KEYS = [
  'REQUEST_METHOD',
  'SERVER_NAME',
  'SERVER_PORT',
  'wsgi.version',
  'wsgi.input',
  'wsgi.errors',
  'wsgi.multithread',
  'wsgi.multiprocess',
  'wsgi.run_once',
] as const;

// RFC 9110 section 9.3 and RFC 5789
const KNOWN_METHODS: readonly unknown[] = [
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'DELETE',
  'CONNECT',
  'OPTIONS',
  'TRACE',
  'PATCH',
];

/**
 * Checks what the application was called with.
 * @throws {LintError} rules 4 to 6, 8 to 12, 14 to 18, 49, 51
 */
export function checkEnviron(environ: unknown): asserts environ is Environ {
  checkShape(environ);
  checkKeys(environ);
  checkStrings(environ);
  checkServerKeys(environ);
  checkPaths(environ);
  checkSyntax(environ);
}

/** The rules on environ that do not stop a request: 7 and 13. */
export function warnAboutEnviron(environ: Environ, warn: Warn): void {
  if (!('QUERY_STRING' in environ)) {
    warn(7, 'QUERY_STRING must be in environ, it is missing; an empty one is the empty string');
  }
  if (!KNOWN_METHODS.includes(environ.REQUEST_METHOD)) {
    warn(13, `REQUEST_METHOD must be a known method, found ${quoted(environ.REQUEST_METHOD)}`);
  }
}

/** A plain object has no prototype, or one that is the end of its chain: Object.prototype, or the gateway's own. */
function isPlainObject(value: unknown): value is Dict {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return false;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function checkShape(environ: unknown): asserts environ is Dict {
  if (!isPlainObject(environ)) {
    fail(4, `environ must be a plain object, found ${shown(environ)}`);
  }
  // PEP 3333, "environ Variables": the application may change it in any way it likes
  if (!Object.isExtensible(environ)) {
    fail(4, 'environ must be free to change, found one that is frozen, sealed or not extensible');
  }
}

function checkKeys(environ: Dict): void {
  for (const key of REQUIRED_KEYS) {
    if (!(key in environ)) {
      fail(5, `environ must have ${key}, it is missing`);
    }
  }
  if (environ['SERVER_NAME'] === '') {
    fail(5, 'SERVER_NAME must not be empty, found string ""');
  }
  for (const key of ['HTTP_CONTENT_TYPE', 'HTTP_CONTENT_LENGTH']) {
    if (key in environ) {
      fail(6, `environ must not have ${key}, use ${key.slice('HTTP_'.length)}`);
    }
  }
}

function checkStrings(environ: Dict): void {
  for (const key of Object.keys(environ)) {
    if (key.includes('.')) {
      continue;
    }
    const value = environ[key];
    if (typeof value !== 'string') {
      fail(8, `environ ${key} must be a string, found ${shown(value)}`);
    }
    if (!isLatin1(value)) {
      fail(51, `environ ${key} must be latin-1 text, found a character above U+00FF`);
    }
  }
}

function checkServerKeys(environ: Dict): void {
  const version = environ['wsgi.version'];
  if (!Array.isArray(version)) {
    fail(9, `wsgi.version must be the Array [1, 0], found ${shown(version)}`);
  }
  if (version.length !== 2 || version[0] !== 1 || version[1] !== 0) {
    fail(9, `wsgi.version must be the Array [1, 0], found [${version.join(', ')}]`);
  }
  const scheme = environ['wsgi.url_scheme'];
  if (scheme !== 'http' && scheme !== 'https') {
    fail(10, `wsgi.url_scheme must be "http" or "https", found ${shown(scheme)}`);
  }
  const inputLacks = missingMethod(environ['wsgi.input'], [
    'read',
    'readline',
    'readlines',
    Symbol.asyncIterator,
  ]);
  if (inputLacks !== null) {
    fail(11, `wsgi.input must have the method ${String(inputLacks)}, it is missing`);
  }
  const errorsLack = missingMethod(environ['wsgi.errors'], ['flush', 'write', 'writelines']);
  if (errorsLack !== null) {
    fail(12, `wsgi.errors must have the method ${String(errorsLack)}, it is missing`);
  }
}

function checkPaths(environ: Dict): void {
  const scriptName = textOf(environ, 'SCRIPT_NAME');
  const pathInfo = textOf(environ, 'PATH_INFO');
  if (scriptName !== '' && !scriptName.startsWith('/')) {
    fail(14, `SCRIPT_NAME must be empty or start with "/", found ${quoted(scriptName)}`);
  }
  if (pathInfo !== '' && !pathInfo.startsWith('/')) {
    fail(15, `PATH_INFO must be empty or start with "/", found ${quoted(pathInfo)}`);
  }
  if (scriptName === '' && !('PATH_INFO' in environ)) {
    fail(17, 'PATH_INFO must be in environ when SCRIPT_NAME is empty, it is missing');
  }
  if (scriptName === '/') {
    fail(18, 'SCRIPT_NAME must not be "/", use "" with a PATH_INFO of "/"');
  }
}

function checkSyntax(environ: Dict): void {
  const length = textOf(environ, 'CONTENT_LENGTH');
  if (length !== '' && !/^\d+$/.test(length)) {
    fail(16, `CONTENT_LENGTH must be a whole number of at least 0, found ${quoted(length)}`);
  }
  const method = textOf(environ, 'REQUEST_METHOD');
  // RFC 9110 section 5.6.2, token
  if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(method)) {
    fail(49, `REQUEST_METHOD must be a token, found ${quoted(method)}`);
  }
  const port = textOf(environ, 'SERVER_PORT');
  if (!/^\d+$/.test(port)) {
    fail(49, `SERVER_PORT must be digits, found ${quoted(port)}`);
  }
  const protocol = textOf(environ, 'SERVER_PROTOCOL');
  if ('SERVER_PROTOCOL' in environ && !/^HTTP\/\d(?:\.\d)?$/.test(protocol)) {
    fail(49, `SERVER_PROTOCOL must be HTTP/N or HTTP/N.N, found ${quoted(protocol)}`);
  }
}

/** The value of a key without a dot; a missing one counts as empty. */
function textOf(environ: Dict, key: string): string {
  const value = environ[key];
  return typeof value === 'string' ? value : '';
}
