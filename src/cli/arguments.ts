// Reading a verb's arguments, and saying what is wrong with them.
import { parseArgs } from 'node:util';
import type { ParseArgsConfig } from 'node:util';
import { EXIT } from './exit-codes.ts';
import type { Io } from './io.ts';

type Options = NonNullable<ParseArgsConfig['options']>;
type Values<O extends Options> = ReturnType<typeof parseArgs<{ options: O; strict: true }>>['values'];

/** The options' values, or the exit code where there is nothing left to do: `--help` asked for, or a wrong argument. */
export function readArguments<O extends Options>(
  argv: string[],
  options: O,
  usage: string,
  io: Io,
): Values<O> | typeof EXIT.ok | typeof EXIT.usage {
  if (argv.includes('--help') || argv.includes('-h')) {
    io.stdout(usage);
    return EXIT.ok;
  }
  try {
    return parseArgs({ args: argv, options, strict: true }).values;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    io.stderr(`viaduct: ${error.message}\n${usage}`);
    return EXIT.usage;
  }
}
