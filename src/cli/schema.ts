// `viaduct schema`: prints the JSON Schema of the configuration, for editors.
import { configJsonSchema } from '../config/json-schema.ts';
import { readArguments } from './arguments.ts';
import { EXIT } from './exit-codes.ts';
import type { Io } from './io.ts';

const USAGE = `Usage: viaduct schema
Prints the JSON Schema of the configuration file.
`;

export async function runSchema(argv: string[], io: Io): Promise<number> {
  const options = readArguments(argv, {}, USAGE, io);
  if (typeof options === 'number') return options;
  io.stdout(`${JSON.stringify(configJsonSchema(), null, 2)}\n`);
  return EXIT.ok;
}
