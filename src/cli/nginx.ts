// `viaduct nginx`: prints the nginx configuration that fits the file, or one of the params files.
import { parseArgs } from 'node:util';
import { EXIT } from './exit-codes.ts';
import { formatAddress } from '../config/address.ts';
import { AddressError, parseAddress } from './client/address.ts';
import { PARAMS_PROTOCOLS, type ParamsProtocol, renderParamsFile } from './nginx/params.ts';
import { type NginxInput, type NginxListener, renderNginx } from './nginx/render.ts';

export interface NginxIo {
  stdout(text: string): void;
  stderr(text: string): void;
  readonly cwd: string;
}

/** Reads the configuration; `file` is what -c gave. undefined: it has mistakes, and they are printed. */
export type LoadNginxInput = (file: string | undefined) => NginxInput | undefined;

const USAGE = `usage: viaduct nginx [-c FILE] [--listener N|ADDRESS] [--listen ADDRESS]...
       viaduct nginx --params fastcgi|uwsgi|scgi

Prints the nginx configuration that fits the file: an upstream and a server block for each listener.

  -c FILE             the configuration of viaduct
  --listener WHICH    only this listener: its number in the file (from 1) or its address
  --listen ADDRESS    what a server block of nginx listens on, once for each (default 80, 8081, ...)
  --params PROTOCOL   only the params file of this protocol
`;

class UsageError extends Error {
  override readonly name = 'UsageError';
}

interface NginxArgs {
  readonly help: boolean;
  readonly config: string | undefined;
  readonly listener: string | undefined;
  readonly listen: readonly string[];
  readonly params: ParamsProtocol | null;
}

function parseProtocol(text: string | undefined): ParamsProtocol | null {
  if (text === undefined) return null;
  const found = PARAMS_PROTOCOLS.find((name) => name === text);
  if (found === undefined) {
    throw new UsageError(`reading --params '${text}' failed, wanted ${PARAMS_PROTOCOLS.join(', ')}`);
  }
  return found;
}

function parse(argv: string[]): NginxArgs {
  const { values } = parseArgs({
    args: argv,
    options: {
      config: { type: 'string', short: 'c' },
      listener: { type: 'string' },
      listen: { type: 'string', multiple: true, default: [] },
      params: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const broken = values.listen.find((text) => !/^[^\s;{}'"$]+$/.test(text));
  if (broken !== undefined) {
    throw new UsageError(`reading --listen '${broken}' failed, wanted PORT, HOST:PORT or unix:PATH`);
  }
  const { help, config, listener, listen } = values;
  return { help, config, listener, listen, params: parseProtocol(values.params) };
}

/** The listeners --listener means: all of them without it. */
function choose(
  listeners: readonly NginxListener[],
  which: string | undefined,
  cwd: string,
): NginxListener[] {
  if (which === undefined) return [...listeners];
  const wanted = /^\d+$/.test(which) ? null : addressText(which, cwd);
  const found = listeners.filter(({ address }, index) =>
    wanted === null ? Number(which) === index + 1 : formatAddress(address) === wanted,
  );
  if (found.length > 0) return found;
  const known = listeners.map(({ address }, index) => `${index + 1} (${formatAddress(address)})`).join(', ');
  throw new UsageError(
    `looking for --listener '${which}' failed: the file has none like it, wanted ${known}`,
  );
}

function addressText(text: string, cwd: string): string {
  return text.startsWith('systemd:') ? text : formatAddress(parseAddress(text, cwd));
}

function isUsageError(error: unknown): error is Error {
  if (error instanceof UsageError || error instanceof AddressError) return true;
  return error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS_');
}

/**
 * Runs the verb.
 * @param argv what follows `viaduct nginx`
 * @returns the exit code: 0, 64 for wrong usage, 78 for a mistake in the file
 */
export async function runNginx(argv: string[], io: NginxIo, load: LoadNginxInput): Promise<number> {
  try {
    const args = parse(argv);
    if (args.help) {
      io.stdout(USAGE);
    } else if (args.params === null) {
      const input = load(args.config);
      if (input === undefined) return EXIT.config;
      const listeners = choose(input.listeners, args.listener, io.cwd);
      io.stdout(renderNginx({ ...input, listeners }, { listen: args.listen }));
    } else {
      io.stdout(renderParamsFile(args.params));
    }
    return EXIT.ok;
  } catch (error) {
    if (!isUsageError(error)) throw error;
    io.stderr(`viaduct nginx: ${error.message}; see viaduct nginx --help\n`);
    return EXIT.usage;
  }
}
