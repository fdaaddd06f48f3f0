// `FILE[:EXPORT]`, built-in names and `MODULE:CALLABLE`, as `app` and `middleware` have them. Never looks whether the file
// is there.
import { resolve } from 'node:path';
import { BadValue, describeValue } from './problems.ts';
import { nearest } from './nearest.ts';

export const BUILTIN_APPS = ['viaduct:hello', 'viaduct:environ'] as const;
export const BUILTIN_MIDDLEWARE = [
  'viaduct:lint',
  'viaduct:static',
  'viaduct:forwarded',
  'viaduct:request-id',
  'viaduct:basic-auth',
] as const;

export type BuiltinMiddleware = (typeof BUILTIN_MIDDLEWARE)[number];
export type BuiltinName = (typeof BUILTIN_APPS)[number] | BuiltinMiddleware;
export type ReferenceRole = 'app' | 'middleware';

export type Reference =
  | {
      kind: 'file';
      file: string;
      /** null: `application`, then the default export. */ exportName: string | null;
    }
  | { kind: 'builtin'; builtin: BuiltinName }
  | PythonReference;

/** What can be loaded into a worker. */
export type ScriptReference = Exclude<Reference, PythonReference>;

/** What a Python process imports. */
export interface PythonReference {
  kind: 'python';
  /** package.module, or a file that ends in .py or .wsgi. */
  module: string;
  isFile: boolean;
  /** A name in it, perhaps with dots, perhaps called; null: `application`. */
  callable: string | null;
}

const BUILTINS: Readonly<Record<ReferenceRole, readonly BuiltinName[]>> = {
  app: BUILTIN_APPS,
  middleware: BUILTIN_MIDDLEWARE,
};

const ENDINGS = /\.[cm]?[jt]s$/;
/** For a file that is none. */
export const WANTED_JAVASCRIPT = 'a file that ends in .js, .mjs, .cjs or .ts';
export const WANTED_PYTHON = 'MODULE:CALLABLE or a file that ends in .py or .wsgi';

const DOTTED = '[\\p{ID_Start}_]\\p{ID_Continue}*(?:\\.[\\p{ID_Start}_]\\p{ID_Continue}*)*';
const CALLABLE = `${DOTTED}(?:\\(.*\\))?`;
const PYTHON_MODULE = new RegExp(`^(${DOTTED}):(${CALLABLE})$`, 'u');
const PYTHON_FILE = new RegExp(`^([^\\0]+\\.(?:py|wsgi))(?::(${CALLABLE}))?$`, 'u');

/** A relative file stays relative. */
export function parseReference(text: string, role: 'middleware'): ScriptReference;
export function parseReference(text: string, role: ReferenceRole): Reference;
export function parseReference(text: string, role: ReferenceRole): Reference {
  if (text.startsWith('viaduct:')) return parseBuiltin(text, role);
  const lastColon = text.lastIndexOf(':');
  // a colon in a folder's name is no separator
  const colon = lastColon > text.lastIndexOf('/') ? lastColon : -1;
  const file = colon === -1 ? text : text.slice(0, colon);
  const exportName = colon === -1 ? null : text.slice(colon + 1);
  if (file === '' || file.includes('\0')) {
    throw new BadValue(`Expected FILE or FILE:EXPORT, found ${describeValue(text)}`);
  }
  if (!ENDINGS.test(file)) {
    const python = role === 'app' ? parsePython(text) : undefined;
    if (python !== undefined) return python;
    throw new BadValue(`Expected ${WANTED_JAVASCRIPT}, found ${describeValue(text)}`);
  }
  if (exportName !== null && !/^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(exportName)) {
    throw new BadValue(
      `Expected the name of an export after the colon of ${describeValue(text)}, found "${exportName}"`,
    );
  }
  return { kind: 'file', file, exportName };
}

function parsePython(text: string): PythonReference | undefined {
  // Django's mysite.wsgi:application is a module; app.py:application is hardly meant as one.
  const dotted = PYTHON_MODULE.exec(text);
  const isFile = dotted?.[1]?.endsWith('.py') ?? true;
  const [, module, callable = null] = (isFile ? PYTHON_FILE.exec(text) : dotted) ?? [];
  return module === undefined ? undefined : { kind: 'python', module, isFile, callable };
}

function parseBuiltin(text: string, role: ReferenceRole): ScriptReference {
  const builtin = BUILTINS[role].find((name) => name === text);
  if (builtin !== undefined) return { kind: 'builtin', builtin };
  const known = BUILTINS[role];
  const other = role === 'app' ? 'middleware' : 'app';
  const guess = nearest(text, known);
  const hint = BUILTINS[other].some((name) => name === text)
    ? `it is a built-in ${other}`
    : guess && `did you mean ${guess}?`;
  throw new BadValue(`Expected the built-in ${role} ${oneOf(known)}, found ${describeValue(text)}`, hint);
}

const oneOf = (names: readonly string[]): string => `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`;

/** Makes a file absolute. */
export function resolveReference<R extends Reference>(reference: R, folder: string): R {
  if (reference.kind === 'file') return { ...reference, file: resolve(folder, reference.file) };
  if (reference.kind === 'python' && reference.isFile)
    return { ...reference, module: resolve(folder, reference.module) };
  return reference;
}

/** The reference as the file has it. */
export function formatReference(reference: Reference): string {
  if (reference.kind === 'builtin') return reference.builtin;
  if (reference.kind === 'python')
    return reference.callable === null ? reference.module : `${reference.module}:${reference.callable}`;
  return reference.exportName === null ? reference.file : `${reference.file}:${reference.exportName}`;
}
