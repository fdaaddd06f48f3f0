// Where a file does not parse. Node tells it only of an error that nobody catches: of those that import() rejects with, file
// and line are known to the process and not to its code. Knows nothing of apps.
import { execFile } from 'node:child_process';
import { dirname } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** Milliseconds the second process may take. */
const LIMIT = 5000;

/** What Node puts above an error that nobody catches: the place, the line of code, and what of it is meant. */
const EXCERPT = /^((?:file:\/\/)?\/.*):(\d+)\n[\s\S]*?(?=\n+SyntaxError: )/;

/** Where Node has what loads modules. */
const LOADER = 'node:internal/modules/';

/** The first frame of a stack; the loader where a process keeps no stacks. */
const thrownBy = (stack: string): string => /^ +at (.*)$/m.exec(stack)?.[1] ?? LOADER;

/**
 * `/srv/lib.js:3` for what import() of `file` (absolute) was rejected with; the excerpt of the code is put above the error's
 * stack where it was missing. null: no parser's error, or nowhere to be found.
 */
export async function placeOf(error: SyntaxError, file: string): Promise<string | null> {
  const stack = error.stack ?? '';
  const known = EXCERPT.exec(stack);
  // A SyntaxError of JSON.parse() and the like: the stack leads to who called it.
  if (known === null && !thrownBy(stack).includes(LOADER)) return null;
  const found = known ?? EXCERPT.exec(await whatNodeSays(file));
  if (found === null) return null;
  const [excerpt, where = '', line = ''] = found;
  if (known === null) error.stack = `${excerpt}\n\n${stack}`;
  return `${where.startsWith('file:') ? fileURLToPath(where) : where}:${line}`;
}

/**
 * What Node prints where it imports `file`. All modules of a graph are parsed before the first one runs, and the first one here
 * ends the process: none of the file's code runs a second time.
 */
function whatNodeSays(file: string): Promise<string> {
  const source = `import 'data:text/javascript,process.exit()';\nimport ${JSON.stringify(pathToFileURL(file).href)};`;
  return new Promise((done) => {
    execFile(
      process.execPath,
      ['--input-type=module', '--eval', source],
      { cwd: dirname(file), timeout: LIMIT, killSignal: 'SIGKILL', encoding: 'utf8' },
      (_error, _stdout, stderr) => done(stderr),
    );
  });
}
