// Which files `serve --watch` looks at, for a configuration: the folders of the apps and what counts as source there. Watches
// nothing itself.
import { basename, dirname, extname, sep } from 'node:path';
import type { LoadedConfig } from '../../config/load.ts';
import type { MountConfig } from '../../config/types.ts';

export interface WatchPlan {
  /** Folders, with all below them. Absolute; none lies within another. */
  readonly roots: readonly string[];
  /** Whether a change of this file (absolute) means new code. */
  counts(path: string): boolean;
}

/** Folders by name that hold what others have made: packages, caches, logs. So do all whose name begins with a dot. */
const FOREIGN = new Set([
  'node_modules',
  '__pycache__',
  'venv',
  'site-packages',
  'coverage',
  'log',
  'logs',
  'tmp',
  'temp',
]);

/** Code, templates, and what code reads when it is loaded. */
const SOURCES = new Set(
  (
    '.js .mjs .cjs .ts .mts .cts .jsx .tsx .json .wasm .node .py .wsgi .yaml .yml .toml .ini .cfg .env ' +
    '.html .htm .ejs .hbs .pug .njk .j2 .jinja .jinja2 .mako .mustache .liquid .tmpl .graphql'
  ).split(' '),
);

/** Whether a folder of that name below a root is left out. */
export const isForeign = (name: string): boolean => FOREIGN.has(name) || name.startsWith('.');

export function watchPlan({ config, file }: LoadedConfig): WatchPlan {
  const roots = outermost(config.mounts.flatMap(foldersOf));
  const own = [config.runDir, config.log.file, config.log.access.file].filter((path) => path !== null);
  return {
    roots,
    counts: (path) =>
      path === file ||
      (isSource(path) &&
        !own.some((each) => isWithin(path, each)) &&
        roots.some((root) => isWithin(path, root))),
  };
}

/** Editors' backups and lock files (.#app.js, #app.js#, app.js~) are none; `.env` is one by its whole name. */
function isSource(path: string): boolean {
  const name = basename(path);
  if (name === '.env' || name.startsWith('.env.')) return true;
  return !/^[.#]/.test(name) && SOURCES.has(extname(name).toLowerCase());
}

function foldersOf({ app, middleware, python }: MountConfig): string[] {
  const files = [app, ...middleware.map(({ use }) => use)].flatMap((each) => {
    if (each.kind === 'file') return [each.file];
    return each.kind === 'python' && each.isFile ? [each.module] : [];
  });
  const folders = python === null ? [] : [python.chdir, ...python.path];
  return [...files.map((path) => dirname(path)), ...folders].filter((folder) => !isPackage(folder));
}

const isPackage = (folder: string): boolean => folder.split(sep).includes('node_modules');

const outermost = (folders: readonly string[]): string[] =>
  [...new Set(folders)].filter(
    (each, _, all) => !all.some((other) => other !== each && isWithin(each, other)),
  );

const isWithin = (path: string, folder: string): boolean =>
  path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
