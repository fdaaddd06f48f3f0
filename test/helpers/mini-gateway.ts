// The smallest server that can call a gateway application: an environ in memory, no socket, no protocol.
// It trusts the application blindly, so that what a test sees was found by the code under test.
import type {
  Application,
  Body,
  Environ,
  ErrorStream,
  HeaderList,
  InputStream,
  StartResponse,
} from '../../src/gateway/contract.ts';

/** Lets a test hand over a value of the wrong type: never fits everywhere. */
export function untyped(value: unknown): never {
  return value as never;
}

export function bytes(text: string): Uint8Array {
  return Buffer.from(text, 'latin1');
}

/** wsgi.input over bytes in memory. */
export class MemoryInput implements InputStream {
  #rest: Uint8Array;

  constructor(content: Uint8Array) {
    this.#rest = content;
  }

  async read(size = -1): Promise<Uint8Array> {
    return this.#take(size < 0 ? this.#rest.length : size);
  }

  async readline(size = -1): Promise<Uint8Array> {
    const end = this.#rest.indexOf(0x0a) + 1;
    const line = end === 0 ? this.#rest.length : end;
    return this.#take(size < 0 ? line : Math.min(line, size));
  }

  async readlines(hint = Infinity): Promise<Uint8Array[]> {
    const lines: Uint8Array[] = [];
    let total = 0;
    while (this.#rest.length > 0 && total < hint) {
      const line = await this.readline();
      lines.push(line);
      total += line.length;
    }
    return lines;
  }

  async *[Symbol.asyncIterator](): AsyncIterableIterator<Uint8Array> {
    while (this.#rest.length > 0) {
      yield await this.readline();
    }
  }

  #take(count: number): Uint8Array {
    const taken = this.#rest.subarray(0, count);
    this.#rest = this.#rest.subarray(taken.length);
    return taken;
  }
}

/** wsgi.errors that keeps what it was told. */
export class MemoryErrors implements ErrorStream {
  text = '';

  write(text: string): void {
    this.text += text;
  }

  writelines(lines: Iterable<string>): void {
    for (const line of lines) {
      this.write(line);
    }
  }

  flush(): void {}
}

/** A complete environ for GET /app/path; `changes` replace keys, and remove those they give as undefined. */
export function makeEnviron(changes: Record<string, unknown> = {}, body = ''): Environ {
  const environ: Environ = {
    REQUEST_METHOD: 'GET',
    SCRIPT_NAME: '/app',
    PATH_INFO: '/path',
    QUERY_STRING: '',
    SERVER_NAME: 'example.com',
    SERVER_PORT: '80',
    SERVER_PROTOCOL: 'HTTP/1.1',
    HTTP_HOST: 'example.com',
    'wsgi.version': [1, 0],
    'wsgi.url_scheme': 'http',
    'wsgi.input': new MemoryInput(bytes(body)),
    'wsgi.errors': new MemoryErrors(),
    'wsgi.multithread': false,
    'wsgi.multiprocess': false,
    'wsgi.run_once': false,
    'wsgi.input_terminated': true,
    'wsgi.file_wrapper': () => [],
    'viaduct.signal': new AbortController().signal,
    'viaduct.mount': '/app',
    'viaduct.request_id': 'r1',
  };
  for (const [key, value] of Object.entries(changes)) {
    if (value === undefined) {
      delete environ[key];
    } else {
      environ[key] = value;
    }
  }
  return environ;
}

export interface Served {
  status: string;
  headers: HeaderList;
  /** What write() was given, then the items of the body. */
  chunks: Uint8Array[];
  text: string;
  kind: 'array' | 'async' | 'sync';
}

/** Calls the application, takes the whole body and closes it, however it ends. */
export async function serve(app: Application, environ: Environ = makeEnviron()): Promise<Served> {
  const served: Served = { status: '', headers: [], chunks: [], text: '', kind: 'sync' };
  const startResponse: StartResponse = (status, headers) => {
    served.status = status;
    served.headers = headers;
    return async (chunk) => {
      served.chunks.push(chunk);
    };
  };
  const returned = app(environ, startResponse);
  const body = 'then' in returned ? await returned : returned;
  served.kind = kindOf(body);
  try {
    for await (const chunk of body) {
      served.chunks.push(chunk);
    }
  } finally {
    await body.close?.();
  }
  served.text = Buffer.concat(served.chunks).toString('latin1');
  return served;
}

function kindOf(body: Body): Served['kind'] {
  if (Array.isArray(body)) {
    return 'array';
  }
  return Symbol.asyncIterator in body ? 'async' : 'sync';
}
