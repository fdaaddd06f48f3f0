// Where a running viaduct keeps its control socket, as far as its file says, even if that is no good any more: an operator
// must be able to stop what runs.
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { readDocument } from './document.ts';

const DEFAULT_RUN_DIR = 'run';

/**
 * run_dir of a file that may have mistakes, or be gone. Absolute.
 * @param env what `${NAME}` is taken from
 */
export function findRunDir(file: string, env: NodeJS.ProcessEnv): string {
  const path = resolve(file);
  const source = readSource(path);
  const { data } = readDocument(source, env);
  const written: unknown =
    typeof data === 'object' && data !== null
      ? Reflect.get(data, 'run_dir')
      : /^run_dir:[ \t]*["']?([^"'#\n]+?)["']?[ \t]*(?:#.*)?$/m.exec(source)?.[1];
  return resolve(dirname(path), typeof written === 'string' && written !== '' ? written : DEFAULT_RUN_DIR);
}

function readSource(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
