// What a request for a file comes to: the `send` package looks at path, headers and file, and nothing is sent. It is asked
// as for HEAD, so that it ends once it has made the head; the caller opens the file. Knows no environ.
import type { Stats } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import send from 'send';
import type { StaticOptions } from '../../config/middleware-options.ts';
import type { HeaderList } from '../../gateway/contract.ts';

export type Answer =
  /** 200, 206 or 304; the body is `length` bytes from `start`. */
  | {
      readonly kind: 'file';
      readonly path: string;
      readonly stat: Stats;
      readonly status: number;
      readonly headers: HeaderList;
      readonly start: number;
      readonly length: number;
    }
  /** A folder asked for without its slash. Absolute. */
  | { readonly kind: 'folder'; readonly path: string }
  /** 400, 403, 404, 412 or 416. */
  | { readonly kind: 'refused'; readonly status: number; readonly headers: HeaderList }
  /** The file system would not say; `path` in the error. */
  | { readonly kind: 'failed'; readonly error: Error };

/** Request headers in lower case, those that conditions and ranges are made of. */
export type Conditions = Readonly<Record<string, string>>;

/** @param path percent-encoded */
export function answerFor(path: string, conditions: Conditions, options: StaticOptions): Promise<Answer> {
  return new Promise((resolve) => {
    const asked = { method: 'HEAD', headers: conditions };
    let found: { path: string; stat: Stats } | null = null;
    const head = new Head(() =>
      resolve(found === null ? NOT_FOUND : fileAnswer(head, found.path, found.stat)),
    );
    // Of a request and a response it uses no more than these have.
    send(asked as unknown as Readable, path, sendOptions(options))
      .on('file', (file: string, stat: Stats) => {
        found = { path: file, stat };
      })
      .on('directory', (_response: unknown, folder: string) => resolve({ kind: 'folder', path: folder }))
      .on('error', (error: SendError) => resolve(errorAnswer(error)))
      .pipe(head as unknown as Writable);
  });
}

interface SendError extends Error {
  readonly status: number;
  /** Of the file system. */
  readonly code?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const NOT_FOUND: Answer = { kind: 'refused', status: 404, headers: [] };

function sendOptions({
  root,
  index,
  max_age,
  immutable,
  dotfiles,
  extensions,
}: StaticOptions): send.SendOptions {
  return { root, index, maxAge: max_age, immutable, dotfiles, extensions };
}

function fileAnswer(head: Head, path: string, stat: Stats): Answer {
  // A pipe would wait for somebody who writes, a device may never end.
  if (!stat.isFile()) return NOT_FOUND;
  const [, first = '0'] = /^bytes (\d+)-/.exec(head.getHeader('Content-Range') ?? '') ?? [];
  const length = Number(head.getHeader('Content-Length') ?? 0);
  return {
    kind: 'file',
    path,
    stat,
    status: head.statusCode,
    headers: head.list(),
    start: Number(first),
    length,
  };
}

function errorAnswer(error: SendError): Answer {
  if (error.status >= 500) return { kind: 'failed', error };
  return { kind: 'refused', status: error.status, headers: Object.entries(error.headers ?? {}) };
}

/** As much of a response as `send` needs to make one without a body. */
class Head {
  statusCode = 200;
  readonly headersSent = false;
  readonly end: () => void;
  readonly #fields = new Map<string, HeaderList[number]>();

  constructor(end: () => void) {
    this.end = end;
  }

  setHeader(name: string, value: string | number): void {
    this.#fields.set(name.toLowerCase(), [name, String(value)]);
  }

  getHeader(name: string): string | undefined {
    return this.#fields.get(name.toLowerCase())?.[1];
  }

  removeHeader(name: string): void {
    this.#fields.delete(name.toLowerCase());
  }

  list(): HeaderList {
    return [...this.#fields.values()];
  }
}
