// How a broken rule is told: thrown as a LintError, or written to wsgi.errors. Knows no rule by itself.
import { inspect } from 'node:util';

/** Someone broke a rule of the gateway contract. `rule` is its number in LINT_RULES. */
export class LintError extends Error {
  override readonly name = 'LintError';
  readonly code = 'ERR_LINT';
  readonly rule: number;

  constructor(rule: number, detail: string) {
    super(`lint rule ${rule}: ${detail}`);
    this.rule = rule;
  }
}

export function fail(rule: number, detail: string): never {
  throw new LintError(rule, detail);
}

/** Tells of a breach that does not stop the request. */
export type Warn = (rule: number, detail: string) => void;

/** `errors` is the request's own wsgi.errors, before lint puts its wrapper in the place. */
export function warnTo(errors: { write(text: string): void }, onWarning: Warn | undefined): Warn {
  return (rule, detail) => {
    errors.write(`viaduct:lint: rule ${rule}: ${detail}\n`);
    onWarning?.(rule, detail);
  };
}

const SHOWN_CHARACTERS = 60;

/** The text in quotes, control characters escaped, cut where it gets long. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text);
}

/** What a value is, for an error message. Objects give their kind only: their content may be secret or endless. */
export function shown(value: unknown): string {
  if (typeof value === 'string') {
    return `string ${quoted(value)}`;
  }
  if (typeof value === 'object' && value !== null) {
    return Object.prototype.toString.call(value).slice('[object '.length, -1);
  }
  if (value === null || value === undefined || typeof value === 'function') {
    return value === null ? 'null' : typeof value;
  }
  return `${typeof value} ${inspect(value)}`;
}
