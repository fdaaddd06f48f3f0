// Turns what a decoder reports into lines of text that two runs, or a corpus file, can be compared by.
import type { ProtocolError } from '../../src/protocol/errors.ts';
import type { FastcgiSink } from '../../src/protocol/fastcgi/events.ts';
import type { StreamSink } from '../../src/protocol/stream-events.ts';

/** A line per event; params follow theirs, indented. Adjacent chunks of one body are one line. */
export class EventLog {
  readonly #lines: string[] = [];
  #open: { label: string; chunks: Buffer[] } | null = null;

  add(line: string): void {
    this.#closeChunks();
    this.#lines.push(line);
  }

  /** The bytes are copied: a decoder may hand out views into memory that is reused. */
  addChunk(label: string, chunk: Buffer): void {
    if (this.#open?.label !== label) {
      this.#closeChunks();
      this.#open = { label, chunks: [] };
    }
    this.#open.chunks.push(Buffer.from(chunk));
  }

  get lines(): string[] {
    this.#closeChunks();
    return [...this.#lines];
  }

  #closeChunks(): void {
    if (this.#open === null) return;
    this.#lines.push(`${this.#open.label} ${quote(Buffer.concat(this.#open.chunks).toString('latin1'))}`);
    this.#open = null;
  }
}

/** Latin-1 text in quotes; more than 40 times one character is "x"*N. */
export function quote(text: string): string {
  const first = text.charAt(0);
  if (text.length > 40 && text === first.repeat(text.length)) return `${quote(first)}*${text.length}`;
  return `"${text.replace(/[^ -~]|["\\]/g, escapeCharacter)}"`;
}

function escapeCharacter(character: string): string {
  if (character === '"' || character === '\\') return `\\${character}`;
  return `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
}

function withParams(line: string, params: readonly string[]): string {
  let text = line;
  for (let i = 0; i < params.length; i += 2) {
    const name = params[i] ?? '';
    text += `\n  ${/^\w+$/.test(name) ? name : quote(name)} = ${quote(params[i + 1] ?? '(no value)')}`;
  }
  return text;
}

export function streamRecorder(log: EventLog): StreamSink {
  return {
    onRequest: (params, contentLength) => log.add(withParams(`request ${contentLength}`, params)),
    onBody: (chunk) => log.addChunk('body', chunk),
    onBodyEnd: () => log.add('body-end'),
    onReply: (bytes) => log.add(`reply ${Buffer.from(bytes).toString('hex')}`),
    onNotice: (error) => log.add(`notice ${codeOf(error)}`),
    onError: (error) => log.add(`error ${codeOf(error)}`),
  };
}

/**
 * `release` is the transport's word that END_REQUEST was sent: at once for what is refused, rejected or aborted, and at
 * the end of stdin for the rest, as though the app answered then. With `hold` nothing is answered for the whole connection.
 */
export function fastcgiRecorder(
  log: EventLog,
  release: (id: number) => void,
  options: { hold: boolean },
): FastcgiSink {
  const answered = (id: number, line: string): void => {
    log.add(line);
    if (!options.hold) release(id);
  };
  return {
    onBegin: (id, keepConn) => log.add(`begin ${id} ${keepConn ? 'keep' : 'close'}`),
    onParams: (id, params) => log.add(withParams(`params ${id}`, params)),
    onStdin: (id, chunk) => log.addChunk(`stdin ${id}`, chunk),
    onStdinEnd: (id) => answered(id, `stdin-end ${id}`),
    onAbort: (id) => answered(id, `abort ${id}`),
    onGetValues: (names) => log.add(['get-values', ...names.map(quote)].join(' ')),
    onUnknownType: (type) => log.add(`unknown-type ${type}`),
    onRefuse: (id, status, keepConn) => answered(id, `refuse ${id} ${status} ${keepConn ? 'keep' : 'close'}`),
    onReject: (id, error) => answered(id, `reject ${id} ${codeOf(error)}`),
    onNotice: (error) => log.add(`notice ${codeOf(error)}`),
    onError: (error) => log.add(`error ${codeOf(error)}`),
  };
}

/** The code; the message is checked for the house style on the way. */
function codeOf(error: ProtocolError): string {
  if (!/^[A-Z]/.test(error.message) || error.message.endsWith('.')) {
    throw new Error(`${error.code} has a message that is no sentence without a period: ${error.message}`);
  }
  return error.code;
}
