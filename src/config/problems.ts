// What is wrong with a configuration file, and where. Knows nothing of YAML or zod.

/** Where a key stands in the file: names and list indices from the top. */
export type KeyPath = readonly (string | number)[];

/** One mistake. `line` and `column` count from 1; `path` is empty when the whole file is meant. */
export interface Problem {
  file: string;
  line: number;
  column: number;
  path: string;
  message: string;
  hint?: string;
}

/** A mistake whose place in the file is still a key path. */
export interface Issue {
  path: KeyPath;
  message: string;
  hint?: string | undefined;
  /** Point at the key itself, not at its value. */
  atKey?: boolean;
}

/** READ: no such file, or not readable. SYNTAX: not YAML. INVALID: YAML, but not a configuration. */
export type ConfigErrorCode = 'ERR_CONFIG_READ' | 'ERR_CONFIG_SYNTAX' | 'ERR_CONFIG_INVALID';

/** A configuration that cannot be used. `message` has one line a problem, in the order of the file. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly code: ConfigErrorCode;
  readonly problems: readonly Problem[];

  constructor(code: ConfigErrorCode, problems: readonly Problem[]) {
    const sorted = inFileOrder(problems);
    super(sorted.map(formatProblem).join('\n'));
    this.code = code;
    this.problems = sorted;
  }
}

/** Thrown by the readers of single values (units, addresses, references); the loader adds the place. */
export class BadValue extends Error {
  override readonly name = 'BadValue';
  readonly hint: string | undefined;

  constructor(message: string, hint?: string) {
    super(message);
    this.hint = hint;
  }
}

export function inFileOrder(problems: readonly Problem[]): Problem[] {
  return problems.toSorted((a, b) => a.line - b.line || a.column - b.column);
}

/** `file:line:column: path: message; hint` */
export function formatProblem(problem: Problem): string {
  const { file, line, column, path, message, hint } = problem;
  const place = path === '' ? '' : `${path}: `;
  return `${file}:${line}:${column}: ${place}${message}${hint === undefined ? '' : `; ${hint}`}`;
}

/** `listeners[0].address` */
export function formatPath(path: KeyPath): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else if (/^[\w-]+$/.test(part)) text += text === '' ? part : `.${part}`;
    else text += `[${JSON.stringify(part)}]`;
  }
  return text;
}

/** A value of the file as a message quotes it. */
export function describeValue(value: unknown): string {
  if (value === undefined || value === null) return 'nothing';
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'number' || typeof value === 'boolean') return `the ${typeof value} ${value}`;
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  return 'a mapping';
}
