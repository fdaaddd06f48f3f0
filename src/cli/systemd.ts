// `viaduct systemd`: prints the units that fit the file.
import { realpathSync } from 'node:fs';
import { CONFIG_PLACES } from '../config/load.ts';
import { readArguments } from './arguments.ts';
import { openConfig } from './check.ts';
import { EXIT } from './exit-codes.ts';
import type { Io } from './io.ts';
import { renderUnits, type Unit } from './systemd/units.ts';

const USAGE = `Usage: viaduct systemd [-c FILE] [--template] [--unit service|socket] [--exec PATH]
Prints the systemd units that fit the file: a service, and a socket unit for each listener of systemd:NAME.
  -c, --config FILE  default: ${CONFIG_PLACES.join(', then ')}
  --template         viaduct@.service: one unit for many files, started as viaduct@NAME for NAME.yaml beside the file
  --unit KIND        only this kind, without the line that names the unit
  --exec PATH        the program that the unit starts; default: the one that runs now
`;

const OPTIONS = {
  config: { type: 'string', short: 'c' },
  template: { type: 'boolean', default: false },
  unit: { type: 'string' },
  exec: { type: 'string' },
} as const;

const KINDS = ['service', 'socket'];

/** 0, 64 for wrong usage, 78 for a mistake in the file. */
export async function runSystemd(argv: string[], io: Io): Promise<number> {
  const options = readArguments(argv, OPTIONS, USAGE, io);
  if (typeof options === 'number') return options;
  const { unit: kind, exec, template } = options;
  if (kind !== undefined && !KINDS.includes(kind)) {
    io.stderr(`viaduct: Cannot print --unit ${JSON.stringify(kind)}: wanted ${KINDS.join(' or ')}\n`);
    return EXIT.usage;
  }
  if (exec !== undefined && !exec.startsWith('/')) {
    io.stderr(`viaduct: Cannot use --exec ${JSON.stringify(exec)}: wanted an absolute path\n`);
    return EXIT.usage;
  }
  const loaded = openConfig(options.config, io);
  if (loaded === undefined) return EXIT.config;
  const command = exec === undefined ? ownCommand() : [exec];
  const units = renderUnits({ config: loaded.config, file: loaded.file, command, template });
  const chosen = kind === undefined ? units : units.filter(({ name }) => name.endsWith(`.${kind}`));
  if (chosen.length === 0) {
    io.stderr(
      'viaduct: Cannot print a socket unit: no listener has systemd:NAME as its address, viaduct makes its sockets itself\n',
    );
    return EXIT.usage;
  }
  io.stdout(
    chosen.length === 1 && kind !== undefined ? (chosen[0]?.text ?? '') : chosen.map(named).join('\n'),
  );
  return EXIT.ok;
}

/** As `systemctl cat` shows units. */
const named = ({ name, text }: Unit): string => `# /etc/systemd/system/${name}\n${text}`;

function ownCommand(): string[] {
  return [process.execPath, realpathSync(process.argv[1] ?? '')];
}
