// Whatever was thrown, as the log has it: a type, a message, a stack with the causes below it, bounded in size. What was
// thrown may be no error, lie about itself, or throw when it is looked at; an error may carry a whole request with secrets,
// so that of its own properties only short plain values go along. May not know who threw it.
import { inspect } from 'node:util';
import { mapStack } from './source-maps.ts';

export interface DescribedError {
  readonly type: string;
  readonly message: string;
  /** With those of its causes and of the errors it gathers; missing where what was thrown has none. */
  readonly stack?: string;
  readonly [property: string]: unknown;
}

/** Characters. */
const MAX_MESSAGE = 4096;
const MAX_STACK = 32 * 1024;
const MAX_VALUE = 500;
/** Causes below causes, and errors gathered in one. */
const MAX_DEPTH = 8;
const MAX_GATHERED = 10;
const MAX_PROPERTIES = 16;
/** Said by the others already. */
const KNOWN = new Set(['name', 'message', 'stack', 'type', 'cause', 'errors']);

const UNSHOWABLE = 'it cannot be shown';

/** Stands for undefined, which a logger leaves out before it is described. */
const UNDEFINED = Symbol('undefined');

/** What to hand to a logger as `err`. */
export const loggable = (thrown: unknown): unknown => (thrown === undefined ? UNDEFINED : thrown);

export function describeThrown(thrown: unknown): DescribedError {
  try {
    if (thrown === UNDEFINED) return notAnError(undefined);
    return isError(thrown) ? describe(thrown) : notAnError(thrown);
  } catch {
    return { type: typeof thrown, message: UNSHOWABLE };
  }
}

/** Both in full; null for what is no error, or cannot be looked at. */
export function messageAndStack(thrown: unknown): { message: string; stack: string } | null {
  try {
    if (!isError(thrown)) return null;
    return { message: textOf(thrown.message), stack: stackOf(thrown, new Set(), 0) };
  } catch {
    return null;
  }
}

/** For a sentence: "broken", or "threw the string 'broken', which is no Error". */
export function sayThrown(thrown: unknown): string {
  const { message } = describeThrown(thrown);
  return isError(thrown) ? message : `what was thrown is no Error but ${message}`;
}

// Also of another realm, as of node:vm.
const isError = (value: unknown): value is Error =>
  value instanceof Error || Object.prototype.toString.call(value) === '[object Error]';

function describe(error: Error): DescribedError {
  return {
    type: typeOf(error),
    message: cut(textOf(error.message), MAX_MESSAGE),
    stack: cut(stackOf(error, new Set(), 0), MAX_STACK),
    ...propertiesOf(error),
  };
}

function notAnError(thrown: unknown): DescribedError {
  const type =
    thrown === null ? 'null' : typeof thrown === 'object' ? (className(thrown) ?? 'object') : typeof thrown;
  const shown = inspect(thrown, { depth: 2, breakLength: Infinity, maxStringLength: MAX_VALUE });
  const message = thrown === null || thrown === undefined ? type : `${type} ${shown}`;
  return { type, message: cut(message, MAX_MESSAGE) };
}

const className = (value: object): string | undefined => {
  const { name } = (Object.getPrototypeOf(value) as object | null)?.constructor ?? {};
  return typeof name === 'string' && name !== '' && name !== 'Object' ? name : undefined;
};

const typeOf = (error: Error): string => {
  const own = className(error);
  return own === undefined || own === 'Error' ? textOf(error.name) : own;
};

/** What an error says of itself may be anything. */
const textOf = (value: unknown): string => (typeof value === 'string' ? value : inspect(value));

/** As Node prints it: the stack, then the causes and what is gathered. */
function stackOf(error: Error, seen: Set<unknown>, depth: number): string {
  seen.add(error);
  const { stack } = error;
  const head = `${typeOf(error)}: ${textOf(error.message)}`;
  const own = typeof stack === 'string' && stack !== '' ? mapStack(stack) : head;
  const inner: string[] = [];
  const add = (label: string, value: unknown): void => {
    if (value === undefined || seen.has(value)) return;
    if (depth >= MAX_DEPTH) inner.push(`${label}…`);
    else inner.push(label + innerText(value, seen, depth + 1));
  };
  add('Caused by: ', error.cause);
  const gathered: unknown = 'errors' in error ? error.errors : undefined;
  if (Array.isArray(gathered)) {
    for (const [at, each] of gathered.slice(0, MAX_GATHERED).entries())
      add(`Error ${at + 1} of ${gathered.length}: `, each);
  }
  return [own, ...inner].join('\n');
}

/** One that cannot be looked at hides nothing of the error it belongs to. */
function innerText(value: unknown, seen: Set<unknown>, depth: number): string {
  try {
    return isError(value) ? stackOf(value, seen, depth) : notAnError(value).message;
  } catch {
    return UNSHOWABLE;
  }
}

function propertiesOf(error: Error): Record<string, unknown> {
  const found = Object.entries(error).filter(([name, value]) => !KNOWN.has(name) && isPlain(value));
  return Object.fromEntries(found.slice(0, MAX_PROPERTIES));
}

const isPlain = (value: unknown): boolean =>
  typeof value === 'number' ||
  typeof value === 'boolean' ||
  (typeof value === 'string' && value.length <= MAX_VALUE);

const cut = (text: string, most: number): string => (text.length > most ? `${text.slice(0, most)}…` : text);
