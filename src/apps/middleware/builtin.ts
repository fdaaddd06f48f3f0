// The built-in middleware by name.
import type { Middleware } from '../../gateway/contract.ts';
import { lint, type LintOptions } from '../../gateway/lint.ts';

export const BUILTIN_MIDDLEWARE: ReadonlyMap<string, Middleware> = new Map([
  ['viaduct:lint', (app, options) => lint(app, options as LintOptions | undefined)],
]);
