// `viaduct check`: everything about a configuration that can be said without serving it. Booting the apps is the caller's.
import { formatConfig, maskSecrets } from '../config/print.ts';
import { CONFIG_PLACES, findConfigFile, loadConfig } from '../config/load.ts';
import type { LoadedConfig } from '../config/load.ts';
import { ConfigError, formatProblem, inFileOrder } from '../config/problems.ts';
import type { Problem } from '../config/problems.ts';
import type { Config } from '../config/types.ts';
import { resolve } from 'node:path';
import { readArguments } from './arguments.ts';
import { checkPrivileges, checkSurroundings } from './check-surroundings.ts';
import { EXIT } from './exit-codes.ts';
import type { Io } from './io.ts';

/** Boots every app once and lets it go again; one text for each that failed. */
export type BootApps = (config: Config) => Promise<string[]>;

const USAGE = `Usage: viaduct check [-c FILE] [--load-apps] [--print]
Checks the configuration, and the files, folders, users and groups it names.
  -c, --config FILE  default: ${CONFIG_PLACES.join(', then ')}
  --load-apps        boots every app once, too
  --print            prints the effective configuration as YAML, secrets masked
`;

const OPTIONS = {
  config: { type: 'string', short: 'c' },
  'load-apps': { type: 'boolean' },
  print: { type: 'boolean' },
} as const;

/** 0, 78 for a mistake in the configuration or what it names, 3 for an app that does not boot. */
export async function runCheck(argv: string[], io: Io, bootApps: BootApps): Promise<number> {
  const options = readArguments(argv, OPTIONS, USAGE, io);
  if (typeof options === 'number') return options;
  const loaded = openConfig(options.config, io);
  if (loaded === undefined) return EXIT.config;
  const { problems, warnings } = checkSurroundings(loaded);
  report([...loaded.warnings, ...warnings], 'warning: ', io);
  report(problems, '', io);
  if (problems.length > 0) return EXIT.config;
  report(checkPrivileges(loaded), 'warning: ', io);
  if (options['load-apps'] === true) {
    const failures = await bootApps(loaded.config);
    for (const failure of failures) io.stderr(`${failure}\n`);
    if (failures.length > 0) return EXIT.bootFailed;
  }
  io.stdout(options.print === true ? formatConfig(maskSecrets(loaded)) : `${loaded.file}: ok\n`);
  return EXIT.ok;
}

/** The configuration `-c` names, or the first in its usual places; undefined once its problems are printed. */
export function openConfig(named: string | undefined, io: Io): LoadedConfig | undefined {
  const file = named === undefined ? findConfigFile(io.cwd) : resolve(io.cwd, named);
  if (file === undefined) {
    io.stderr(
      `viaduct: Cannot find a configuration: looked for ${CONFIG_PLACES.join(', ')}; name one with -c FILE\n`,
    );
    return undefined;
  }
  try {
    return loadConfig(file, io.env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    io.stderr(`${error.message}\n`);
    return undefined;
  }
}

function report(problems: Problem[], label: string, io: Io): void {
  for (const problem of inFileOrder(problems)) io.stderr(`${label}${formatProblem(problem)}\n`);
}
