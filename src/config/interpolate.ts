// `${NAME}` in the texts of the file. Works on one text at a time, after YAML has read it, so that
// what the environment holds can never change the structure of the file.
import { BadValue } from './problems.ts';

export interface Interpolated {
  text: string;
  /** Whether anything came from the environment. */
  changed: boolean;
}

const FORMS = '${NAME}, ${NAME:-default} or ${NAME:?message}';

/** `$${` stands for a literal `${`; a `$` before anything else is itself. "Set but empty" counts as not set after `:`, as in sh. */
export function interpolate(text: string, env: NodeJS.ProcessEnv): Interpolated {
  let changed = false;
  const result = text.replaceAll(
    /\$\$\{|\$\{([^}]*)(\}?)/g,
    (found, body: string | undefined, end: string) => {
      if (body === undefined) return '${';
      if (end === '')
        throw new BadValue(`Expected "}" after ${JSON.stringify(found)}`, 'write $${ for a literal ${');
      changed = true;
      return expand(body, env);
    },
  );
  return { text: result, changed };
}

function expand(body: string, env: NodeJS.ProcessEnv): string {
  const match = /^([A-Za-z_]\w*)(?::([-?])(.*))?$/s.exec(body);
  const [, name, operator, rest = ''] = match ?? [];
  if (name === undefined || rest.includes('${')) {
    throw new BadValue(
      `Expected ${FORMS}, found "\${${body}}"`,
      rest.includes('${') ? 'they do not nest' : undefined,
    );
  }
  const value = Object.hasOwn(env, name) ? env[name] : undefined;
  if (operator === undefined) {
    if (value !== undefined) return value;
    throw new BadValue(
      `The environment variable ${name} is not set`,
      `set it, or give a default with \${${name}:-default}`,
    );
  }
  if (value !== undefined && value !== '') return value;
  if (operator === '-') return rest;
  const state = value === undefined ? 'not set' : 'empty';
  throw new BadValue(`The environment variable ${name} is ${state}${rest === '' ? '' : `: ${rest.trim()}`}`);
}

/** An unquoted `${NAME}` is typed as if its value stood there; digits with a leading zero stay text ("0660"). */
export function retype(text: string): string | number | boolean | null {
  if (text === '' || text === 'null' || text === '~') return null;
  if (text === 'true' || text === 'false') return text === 'true';
  const isNumber = /^-?(0|[1-9]\d*)(\.\d+)?$/.test(text) && text.length <= 15;
  return isNumber ? Number(text) : text;
}
