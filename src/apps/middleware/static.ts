// viaduct:static: files of a folder in front of an application. What a request comes to stands in static-answer.ts; this
// file knows the environ, opens the file, and gives it to wsgi.file_wrapper.
import { Buffer } from 'node:buffer';
import { STATUS_CODES } from 'node:http';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { StaticOptions } from '../../config/middleware-options.ts';
import type { Application, Body, Environ, HeaderList, StartResponse } from '../../gateway/contract.ts';
import { environKey } from '../../gateway/environ.ts';
import { errorPage } from '../../gateway/error-page.ts';
import { isBelow } from '../../gateway/path.ts';
import { FilePart } from './file-part.ts';
import { type Answer, answerFor, type Conditions } from './static-answer.ts';

type FileAnswer = Extract<Answer, { kind: 'file' }>;

/** A file that is replaced between the look at it and its opening is looked at again, this often in all. */
const MAX_LOOKS = 3;
const BLOCK_SIZE = 128 * 1024;

/** The rights of the worker do not reach so far, or links lead in a circle: of that the log is told. */
const FORBIDDEN: readonly unknown[] = ['EACCES', 'EPERM', 'ELOOP'];
const GONE: readonly unknown[] = ['ENOENT', 'ENOTDIR', 'ENAMETOOLONG'];

export function staticFiles(app: Application, options: StaticOptions): Application {
  const prefix = options.prefix === '/' ? '' : Buffer.from(options.prefix).toString('latin1');
  const missing: Application = options.fallthrough ? app : (environ, start) => refuse(environ, start, 404);
  return (environ, startResponse) => {
    const { PATH_INFO: path, REQUEST_METHOD: method } = environ;
    if (!isBelow(path, prefix)) return app(environ, startResponse);
    if (method === 'GET' || method === 'HEAD')
      return new Request(environ, startResponse, missing, options).answer(path.slice(prefix.length));
    return options.fallthrough
      ? app(environ, startResponse)
      : refuse(environ, startResponse, 405, [['Allow', 'GET, HEAD']]);
  };
}

class Request {
  readonly #environ: Environ;
  readonly #start: StartResponse;
  readonly #missing: Application;
  readonly #options: StaticOptions;

  constructor(environ: Environ, start: StartResponse, missing: Application, options: StaticOptions) {
    this.#environ = environ;
    this.#start = start;
    this.#missing = missing;
    this.#options = options;
  }

  async answer(path: string): Promise<Body> {
    const encoded = encodePath(path);
    const conditions = conditionsOf(this.#environ);
    for (let looks = 1; ; looks += 1) {
      const answer = await answerFor(encoded, conditions, this.#options);
      if (answer.kind === 'folder') return this.#folder(answer.path);
      if (answer.kind === 'failed') return this.#failed(answer.error);
      if (answer.kind === 'refused') return this.#refused(answer.status, answer.headers);
      const body = await this.#file(answer, looks === MAX_LOOKS);
      if (body !== null) return body;
    }
  }

  /** null: it is not the file any more that was looked at. */
  async #file(answer: FileAnswer, isLast: boolean): Promise<Body | null> {
    if (this.#environ.REQUEST_METHOD === 'HEAD' || answer.status === 304 || answer.length === 0) {
      this.#start(statusLine(answer.status), answer.headers);
      return [];
    }
    let handle: FileHandle | null = null;
    try {
      handle = await open(answer.path, 'r');
      if (!isLast && !(await isSame(handle, answer))) {
        await handle.close();
        return null;
      }
      this.#start(statusLine(answer.status), answer.headers);
      return this.#environ['wsgi.file_wrapper'](
        new FilePart(handle, answer.start, answer.length),
        BLOCK_SIZE,
      );
    } catch (error) {
      await handle?.close();
      if (handle === null && !isLast && GONE.includes(codeOf(error))) return null;
      if (handle === null) return this.#failed(error);
      throw error;
    }
  }

  /** To the name with its slash, so that links in the index lead where they should. */
  async #folder(path: string): Promise<Body> {
    const { PATH_INFO, QUERY_STRING } = this.#environ;
    const { index } = this.#options;
    if (index === false || PATH_INFO.endsWith('/') || !(await isFile(join(path, index))))
      return this.#absent();
    const query = QUERY_STRING === '' ? '' : `?${QUERY_STRING}`;
    return refuse(this.#environ, this.#start, 301, [['Location', `${urlOf(this.#environ)}/${query}`]]);
  }

  #refused(status: number, headers: HeaderList): Body | PromiseLike<Body> {
    // A path that is no UTF-8 names no file that one could ask for; an application may know it.
    if (status === 404 || status === 400) return this.#absent();
    return refuse(this.#environ, this.#start, status, headers);
  }

  #failed(error: unknown): Body {
    if (!FORBIDDEN.includes(codeOf(error))) throw error;
    this.#environ['wsgi.errors'].write(`viaduct:static: ${String(error)}\n`);
    return refuse(this.#environ, this.#start, 403);
  }

  #absent(): Body | PromiseLike<Body> {
    return this.#missing(this.#environ, this.#start);
  }
}

function refuse(
  environ: Environ,
  startResponse: StartResponse,
  status: number,
  headers: HeaderList = [],
): Uint8Array[] {
  const page = errorPage(status, environ['viaduct.request_id']);
  startResponse(page.status, [...page.headers, ...headers]);
  return [page.body];
}

const statusLine = (status: number): string => `${status} ${STATUS_CODES[status] ?? 'Unknown'}`;

async function isSame(handle: FileHandle, { stat: seen }: FileAnswer): Promise<boolean> {
  const now = await handle.stat();
  return now.ino === seen.ino && now.size === seen.size && now.mtimeMs === seen.mtimeMs;
}

const isFile = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isFile(),
    () => false,
  );

const codeOf = (error: unknown): unknown =>
  error instanceof Error && 'code' in error ? error.code : undefined;

/** Every byte but the plain ones as %XX: what stands in a path once decoded must not be decoded again. */
const encodePath = (path: string): string =>
  path.replaceAll(
    /[^A-Za-z0-9._~/-]/g,
    (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );

const CONDITIONS = ['if-match', 'if-none-match', 'if-modified-since', 'if-unmodified-since', 'cache-control'];
/** Only GET has ranges (RFC 9110, section 14.2). */
const RANGES = [...CONDITIONS, 'if-range', 'range'];

function conditionsOf(environ: Environ): Conditions {
  const names = environ.REQUEST_METHOD === 'HEAD' ? CONDITIONS : RANGES;
  const found = names.map((name) => [name, environ[environKey(name)]] as const);
  return Object.fromEntries(found.filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
}

const HOST = /^(?:[\w.-]+|\[[0-9A-Fa-f:.]+\])(?::\d+)?$/;

/** The address of the request without its query (PEP 3333, "URL Reconstruction"). */
function urlOf(environ: Environ): string {
  const { SERVER_NAME, SERVER_PORT, SCRIPT_NAME, PATH_INFO, 'wsgi.url_scheme': scheme } = environ;
  const given = environ['HTTP_HOST'];
  const usual = SERVER_PORT === (scheme === 'https' ? '443' : '80');
  const own = usual ? SERVER_NAME : `${SERVER_NAME}:${SERVER_PORT}`;
  const host = typeof given === 'string' && HOST.test(given) ? given : own;
  return `${scheme}://${host}${encodePath(SCRIPT_NAME + PATH_INFO)}`;
}
