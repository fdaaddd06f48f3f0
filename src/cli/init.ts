// `viaduct init`: a first configuration and a first app, in an empty folder.
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { readArguments } from './arguments.ts';
import { EXIT } from './exit-codes.ts';
import { INIT_FILES } from './init-files.ts';
import type { Io } from './io.ts';

const USAGE = `Usage: viaduct init
Writes ${Object.keys(INIT_FILES).join(', ')} into the current folder, which must be empty but for dotfiles.
`;

export async function runInit(argv: string[], io: Io): Promise<number> {
  const options = readArguments(argv, {}, USAGE, io);
  if (typeof options === 'number') return options;
  const folder = resolve(io.cwd);
  try {
    mkdirSync(folder, { recursive: true });
    const there = readdirSync(folder).filter((name) => !name.startsWith('.'));
    if (there.length > 0) {
      const names = there.slice(0, 3).join(', ') + (there.length > 3 ? ', ...' : '');
      io.stderr(`viaduct: Cannot write into ${folder}: expected an empty folder, found ${names}\n`);
      return EXIT.cannotCreate;
    }
    // wx: never over a file that came in between
    for (const [name, text] of Object.entries(INIT_FILES))
      writeFileSync(join(folder, name), text, { flag: 'wx' });
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error)) throw error;
    io.stderr(`viaduct: Cannot write into ${folder}: ${error.message}\n`);
    return error.code === 'EACCES' || error.code === 'EPERM' ? EXIT.permission : EXIT.cannotCreate;
  }
  io.stdout(nextSteps());
  return EXIT.ok;
}

function nextSteps(): string {
  return `Wrote ${Object.keys(INIT_FILES).join(', ')}. Next:
  viaduct check                   checks the configuration
  viaduct serve                   serves it
  curl http://127.0.0.1:8080/     asks the app, without nginx
  viaduct nginx                   prints the nginx configuration that fits
`;
}
