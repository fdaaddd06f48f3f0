#!/usr/bin/env node
// The command line: picks the verb. Each verb is a module of its own, loaded only when it is asked for.
import { EXIT } from './exit-codes.ts';
import type { Io } from './io.ts';

interface Verb {
  readonly about: string;
  run(argv: string[], io: Io): Promise<number>;
}

const VERBS: ReadonlyMap<string, Verb> = new Map<string, Verb>([
  [
    'serve',
    {
      about: 'runs in the foreground',
      run: async (argv, io) => (await import('./serve.ts')).runServe(argv, io),
    },
  ],
  [
    'reload',
    {
      about: 'takes on configuration and apps as they are now, without a pause',
      run: async (argv, io) => (await import('./reload.ts')).runReload(argv, io),
    },
  ],
  [
    'stop',
    {
      about: 'stops a running viaduct',
      run: async (argv, io) => (await import('./stop.ts')).runStop(argv, io),
    },
  ],
  [
    'status',
    {
      about: 'shows mounts, workers, requests and errors',
      run: async (argv, io) => (await import('./status/status.ts')).runStatus(argv, io),
    },
  ],
  ['check', { about: 'validates a configuration and what it names', run: runCheck }],
  [
    'request',
    {
      about: 'sends one request straight to a socket',
      run: async (argv, io) => (await import('./request.ts')).runRequest(argv, io),
    },
  ],
  ['nginx', { about: 'prints the nginx configuration that fits', run: runNginx }],
  [
    'systemd',
    {
      about: 'prints the systemd units that fit',
      run: async (argv, io) => (await import('./systemd.ts')).runSystemd(argv, io),
    },
  ],
  [
    'schema',
    {
      about: 'prints the JSON Schema of the configuration',
      run: async (argv, io) => (await import('./schema.ts')).runSchema(argv, io),
    },
  ],
  [
    'init',
    {
      about: 'writes a configuration and a first app',
      run: async (argv, io) => (await import('./init.ts')).runInit(argv, io),
    },
  ],
]);

async function runCheck(argv: string[], io: Io): Promise<number> {
  const [check, { tryBoot }] = await Promise.all([import('./check.ts'), import('../runtime/try-boot.ts')]);
  return check.runCheck(argv, io, tryBoot);
}

async function runNginx(argv: string[], io: Io): Promise<number> {
  const [nginx, { openConfig }] = await Promise.all([import('./nginx.ts'), import('./check.ts')]);
  return nginx.runNginx(argv, io, (file) => openConfig(file, io)?.config);
}

function usage(): string {
  const lines = [...VERBS].map(([name, { about }]) => `  ${name.padEnd(8)} ${about}`);
  return `Usage: viaduct VERB [options]\n${lines.join('\n')}\n\n"viaduct VERB --help" lists a verb's options, "viaduct --version" prints the version.\n`;
}

async function main(argv: readonly string[], io: Io): Promise<number> {
  const [name = '', ...rest] = argv;
  const verb = VERBS.get(name);
  if (verb !== undefined) return verb.run(rest, io);
  if (name === '--version' || name === '-v') {
    const { VERSION } = await import('../runtime/version.ts');
    io.stdout(`${VERSION}\n`);
    return EXIT.ok;
  }
  if (name === '--help' || name === '-h' || name === 'help') {
    io.stdout(usage());
    return EXIT.ok;
  }
  io.stderr(name === '' ? usage() : `viaduct: Cannot run "${name}": there is no such verb\n${usage()}`);
  return EXIT.usage;
}

/** A reader such as head(1) may leave early; what was to be printed then is nobody's loss. */
function ignoreBrokenPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
}

/** What process.cwd(), and path.resolve() of a relative path, throw where the current folder has been deleted. */
const isFolderGone = (error: unknown): boolean =>
  error instanceof Error && 'syscall' in error && error.syscall === 'uv_cwd';

/** '' where there is none any more: path.resolve() then fails for relative paths, and only for those. */
function currentFolder(): string {
  try {
    return process.cwd();
  } catch (error) {
    if (!isFolderGone(error)) throw error;
    return '';
  }
}

// Node opens its inspector on SIGUSR1 where nobody listens; a log rotation that meets a start must not put a debugger there.
process.on('SIGUSR1', () => undefined);
process.stdout.on('error', ignoreBrokenPipe);
process.stderr.on('error', ignoreBrokenPipe);
const io: Io = {
  stdout: (text) => void process.stdout.write(text),
  stderr: (text) => void process.stderr.write(text),
  cwd: currentFolder(),
  env: process.env,
  screen: process.stdout.isTTY
    ? { columns: () => process.stdout.columns, rows: () => process.stdout.rows }
    : undefined,
};
try {
  process.exitCode = await main(process.argv.slice(2), io);
} catch (error) {
  const message = isFolderGone(error)
    ? 'Cannot resolve a relative path: the current folder has been deleted or may not be read; go to another one, or name files with absolute paths'
    : error instanceof Error
      ? (error.stack ?? error.message)
      : String(error);
  io.stderr(`viaduct: ${message}\n`);
  process.exitCode = isFolderGone(error) ? EXIT.failed : EXIT.internal;
}
// An application's open timers and connections would keep the process alive; what was printed goes out first.
process.stdout.write('', () => process.exit());
