// The channel between the master and one Python process: one JSON object a line, over a socket pair. Knows what may be
// said, and nothing of what follows from it.
import type { Duplex } from 'node:stream';

/** To worker.py, which has the same list. */
export type ToPython =
  | {
      readonly kind: 'config';
      readonly app: string;
      readonly path: readonly string[];
      readonly chdir: string;
      /** 0..processes-1 */
      readonly process: number;
      readonly threads: number;
      readonly lanes: Lanes;
      readonly token: string;
      readonly multiprocess: boolean;
      /** The same in every request. */
      readonly environ: Readonly<Record<string, string>>;
      readonly limits: { readonly response_headers_size: number };
    }
  | { readonly kind: 'lanes'; readonly lanes: Lanes }
  | { readonly kind: 'stacks'; readonly thread?: number }
  | { readonly kind: 'drain' };

/** Where each thread connects; null: nowhere. */
export type Lanes = readonly (string | null)[];

export type FromPython =
  | { readonly kind: 'ready' }
  | {
      readonly kind: 'load_error';
      readonly type: string;
      readonly message: string;
      readonly traceback: string;
    }
  | { readonly kind: 'stats'; readonly requests: number; readonly busy: number }
  | { readonly kind: 'stacks'; readonly threads: readonly ThreadStack[] };

export interface ThreadStack {
  /** null: not one of those that serve requests. */
  readonly thread: number | null;
  readonly busy: boolean;
  readonly stack: string;
}

/** Characters of a line: far above any traceback, and below what would hurt the master. */
const MAX_LINE = 4 * 1024 * 1024;

export class PythonControl {
  readonly #socket: Duplex;
  readonly #onMessage: (message: FromPython) => void;
  readonly #onNoise: (line: string) => void;
  #rest = '';

  /** @param onNoise told what is no message: an application that writes to descriptor 3 */
  constructor(
    socket: Duplex,
    onMessage: (message: FromPython) => void,
    onNoise: (line: string) => void = () => undefined,
  ) {
    this.#socket = socket;
    this.#onMessage = onMessage;
    this.#onNoise = onNoise;
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => this.#push(text));
    // Its process is ending: the exit says it all.
    socket.on('error', () => undefined);
  }

  send(message: ToPython): void {
    if (this.#socket.writable) this.#socket.write(`${JSON.stringify(message)}\n`);
  }

  #push(text: string): void {
    const lines = `${this.#rest}${text}`.split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#take(line);
    if (this.#rest.length <= MAX_LINE) return;
    this.#onNoise(this.#rest);
    this.#rest = '';
  }

  #take(line: string): void {
    const message = readMessage(line);
    if (message === null) this.#onNoise(line);
    else this.#onMessage(message);
  }
}

/** null: it is none. */
export function readMessage(line: string): FromPython | null {
  let found: unknown;
  try {
    found = JSON.parse(line);
  } catch {
    return null;
  }
  if (typeof found !== 'object' || found === null) return null;
  const text = (key: string): string => String(Reflect.get(found, key) ?? '');
  const count = (key: string): number => {
    const value: unknown = Reflect.get(found, key);
    return typeof value === 'number' && value >= 0 ? value : 0;
  };
  switch (text('kind')) {
    case 'ready':
      return { kind: 'ready' };
    case 'load_error':
      return {
        kind: 'load_error',
        type: text('type'),
        message: text('message'),
        traceback: text('traceback'),
      };
    case 'stats':
      return { kind: 'stats', requests: count('requests'), busy: count('busy') };
    case 'stacks':
      return { kind: 'stacks', threads: readStacks(Reflect.get(found, 'threads')) };
    default:
      return null;
  }
}

function readStacks(list: unknown): ThreadStack[] {
  if (!Array.isArray(list)) return [];
  return list.flatMap((item: unknown): ThreadStack[] => {
    if (typeof item !== 'object' || item === null) return [];
    const thread: unknown = Reflect.get(item, 'thread');
    return [
      {
        thread: typeof thread === 'number' ? thread : null,
        busy: Reflect.get(item, 'busy') === true,
        stack: String(Reflect.get(item, 'stack') ?? ''),
      },
    ];
  });
}
