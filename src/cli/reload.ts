// `viaduct reload`: the running viaduct takes on the configuration and the apps as they are now.
import { readArguments } from './arguments.ts';
import { ask, CONFIG_OPTION } from './control-client.ts';
import { EXIT } from './exit-codes.ts';
import type { Io } from './io.ts';

const USAGE = `Usage: viaduct reload [-c FILE]
Reloads configuration and apps without a pause, and waits until the new workers serve.
Where they cannot, the old ones go on and the reason is printed (exit code 4).
${CONFIG_OPTION}
`;

const OPTIONS = { config: { type: 'string', short: 'c' } } as const;

/** 0 when the new generation serves, 4 when it was rejected, 69 when nobody is there. */
export async function runReload(argv: string[], io: Io): Promise<number> {
  const options = readArguments(argv, OPTIONS, USAGE, io);
  if (typeof options === 'number') return options;
  const answer = await ask({ config: options.config, method: 'POST', path: '/reload' }, io);
  if (typeof answer === 'number') return answer;
  const { result, reason, generation } = answer.body as {
    result?: string;
    reason?: string;
    generation?: number;
  };
  if (result === 'ok') {
    io.stdout(`Reloaded: generation ${generation} serves\n`);
    return EXIT.ok;
  }
  io.stderr(`viaduct: Reload rejected, generation ${generation} still serves: ${reason}\n`);
  return EXIT.reloadRejected;
}
