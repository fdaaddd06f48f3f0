// `FILE[:EXPORT]` and built-in names, as `app` and `middleware` have them. Never looks whether the file is there.
import { resolve } from 'node:path';
import { BadValue, describeValue } from './problems.ts';
import { nearest } from './nearest.ts';

export const BUILTIN_APPS = ['viaduct:hello', 'viaduct:environ'] as const;
export const BUILTIN_MIDDLEWARE = ['viaduct:lint'] as const;

export type BuiltinName = (typeof BUILTIN_APPS)[number] | (typeof BUILTIN_MIDDLEWARE)[number];
export type ReferenceRole = 'app' | 'middleware';

export type Reference =
  | {
      kind: 'file';
      file: string;
      /** null: `application`, then the default export. */ exportName: string | null;
    }
  | { kind: 'builtin'; builtin: BuiltinName };

const BUILTINS: Readonly<Record<ReferenceRole, readonly BuiltinName[]>> = {
  app: BUILTIN_APPS,
  middleware: BUILTIN_MIDDLEWARE,
};

const ENDINGS = /\.[cm]?[jt]s$/;

/** A relative file stays relative. */
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
    const hint = /^[\w.]+:\w+$/.test(text) ? 'Python apps are not available in this version' : undefined;
    throw new BadValue(
      `Expected a file that ends in .js, .mjs, .cjs or .ts, found ${describeValue(text)}`,
      hint,
    );
  }
  if (exportName !== null && !/^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(exportName)) {
    throw new BadValue(
      `Expected the name of an export after the colon of ${describeValue(text)}, found "${exportName}"`,
    );
  }
  return { kind: 'file', file, exportName };
}

function parseBuiltin(text: string, role: ReferenceRole): Reference {
  const builtin = BUILTINS[role].find((name) => name === text);
  if (builtin !== undefined) return { kind: 'builtin', builtin };
  const known = BUILTINS[role];
  const other = role === 'app' ? 'middleware' : 'app';
  const guess = nearest(text, known);
  const hint = BUILTINS[other].some((name) => name === text)
    ? `it is a built-in ${other}`
    : guess && `did you mean ${guess}?`;
  throw new BadValue(
    `Expected the built-in ${role} ${known.join(' or ')}, found ${describeValue(text)}`,
    hint,
  );
}

/** Makes a file absolute. */
export function resolveReference(reference: Reference, folder: string): Reference {
  return reference.kind === 'file' ? { ...reference, file: resolve(folder, reference.file) } : reference;
}

/** The reference as the file has it. */
export function formatReference(reference: Reference): string {
  if (reference.kind === 'builtin') return reference.builtin;
  return reference.exportName === null ? reference.file : `${reference.file}:${reference.exportName}`;
}
