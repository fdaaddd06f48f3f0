// A log line for people at a terminal, made from pino's JSON line. Own: it is shorter than the settings pino-pretty
// would need, and shows control characters instead of passing them on. May not know who logs what.

const RESET = '\u001b[0m';
const DIM = '\u001b[2m';
const COLORS: Readonly<Record<string, string>> = {
  trace: DIM,
  debug: DIM,
  info: '\u001b[32m',
  warn: '\u001b[33m',
  error: '\u001b[31m',
  fatal: '\u001b[31;1m',
};

// Control characters of a value would move the cursor, or colour and retitle the terminal of whoever reads
// eslint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/g;
const visible = (text: string): string =>
  text.replace(CONTROL, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`);
const oneLine = (text: string): string => visible(text).replaceAll('\n', '\\n');

/**
 * `12:34:56.789 WARN  message key=value …`, the stack of an `err` on lines below. A line that is no JSON object stays as it is.
 * @param line from pino, with its line feed
 */
export function prettyLine(line: string): string {
  const record = parse(line);
  if (!record) return line;
  const { time, level, msg, err, pid: _pid, ...rest } = record;
  const word = String(level);
  const clock = typeof time === 'string' ? time.slice(11, 23) : '';
  const head = `${DIM}${clock}${RESET} ${COLORS[word] ?? ''}${word.toUpperCase().padEnd(5)}${RESET}`;
  const fields = Object.entries(rest).map(([key, value]) => ` ${DIM}${oneLine(key)}=${RESET}${shown(value)}`);
  return `${head} ${typeof msg === 'string' ? oneLine(msg) : ''}${fields.join('')}\n${stack(err)}`;
}

function parse(line: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? { ...value } : null;
  } catch {
    return null;
  }
}

function shown(value: unknown): string {
  return oneLine(typeof value === 'string' && /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value));
}

function stack(err: unknown): string {
  if (typeof err !== 'object' || err === null) return '';
  const text = 'stack' in err && typeof err.stack === 'string' ? err.stack : JSON.stringify(err);
  return `${visible(text).replace(/^/gm, '    ')}\n`;
}
