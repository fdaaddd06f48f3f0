// Whose code failed outside of any request: the mount whose file or folder the stack leads to first. Knows no process and no log.
import { dirname, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { MountConfig } from '../config/types.ts';

type Suspect = Pick<MountConfig, 'name' | 'app'>;

const PLACE = /(?:file:\/\/)?(\/[^\s():"']+):\d+:\d+/g;

/** The name of the only mount it can be; undefined: there is no telling. */
export function mountOf(error: unknown, mounts: readonly Suspect[]): string | undefined {
  if (!(error instanceof Error) || typeof error.stack !== 'string') return undefined;
  const files = mounts.flatMap(({ name, app }) =>
    app.kind === 'file' ? [{ name, file: app.file, folder: dirname(app.file) + sep }] : [],
  );
  for (const [place] of error.stack.matchAll(PLACE)) {
    const file = pathOf(place);
    const own = files.filter((each) => each.file === file);
    const [only] = own;
    if (only !== undefined && own.length === 1) return only.name;
    const within = files.filter(({ folder }) => file.startsWith(folder));
    // The folder of one app may lie in that of another: the inner one is meant.
    const depth = Math.max(0, ...within.map(({ folder }) => folder.length));
    const names = within.filter(({ folder }) => folder.length === depth).map(({ name }) => name);
    if (names.length > 0) return names.length === 1 ? names[0] : undefined;
  }
  return undefined;
}

function pathOf(place: string): string {
  const path = place.replace(/:\d+:\d+$/, '');
  try {
    return path.startsWith('file:') ? fileURLToPath(path) : path;
  } catch {
    return path;
  }
}
