// `viaduct stop`: ends the running viaduct and waits until it is gone.
import { readArguments } from './arguments.ts';
import { ask, CONFIG_OPTION } from './control-client.ts';
import { EXIT } from './exit-codes.ts';
import type { Io } from './io.ts';

const USAGE = `Usage: viaduct stop [-c FILE] [--now]
Stops viaduct and waits for it. Requests in flight may end, for up to timeouts.graceful.
${CONFIG_OPTION}
  --now              cuts requests off
`;

const OPTIONS = { config: { type: 'string', short: 'c' }, now: { type: 'boolean' } } as const;

/** 0 once nothing is left of it, 69 when nobody is there. */
export async function runStop(argv: string[], io: Io): Promise<number> {
  const options = readArguments(argv, OPTIONS, USAGE, io);
  if (typeof options === 'number') return options;
  const path = options.now === true ? '/stop?now=1' : '/stop';
  const answer = await ask({ config: options.config, method: 'POST', path }, io);
  if (typeof answer === 'number') return answer;
  io.stdout('Stopped\n');
  return EXIT.ok;
}
