// The other end of the control socket, for the verbs that talk to a running viaduct.
import { existsSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { CONFIG_PLACES, findConfigFile } from '../config/load.ts';
import { findRunDir } from '../config/run-dir.ts';
import { controlSocket } from '../runtime/run-dir.ts';
import { EXIT } from './exit-codes.ts';
import type { Io } from './io.ts';

export const CONFIG_OPTION = `  -c, --config FILE  the one viaduct was started with; default: ${CONFIG_PLACES.join(', then ')}`;

/** What was asked, and what viaduct answered. */
export interface Answer {
  readonly status: number;
  /** JSON as it was read. */
  readonly body: unknown;
}

export interface Question {
  /** The file that `-c` names. */
  readonly config: string | undefined;
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /** Milliseconds for the answer; default: as long as it takes, as a reload and a stop may. */
  readonly limit?: number;
}

/** The answer; or, once it has been said why there is none, the exit code: 69, 77 or 78. */
export async function ask({ config, method, path, limit }: Question, io: Io): Promise<Answer | number> {
  const file = config === undefined ? findConfigFile(io.cwd) : resolve(io.cwd, config);
  if (file === undefined) {
    io.stderr(
      `viaduct: Cannot find a configuration: looked for ${CONFIG_PLACES.join(', ')}; name one with -c FILE\n`,
    );
    return EXIT.config;
  }
  const socketPath = controlSocket(findRunDir(file, io.env));
  const signal = limit === undefined ? undefined : AbortSignal.timeout(limit);
  try {
    return await send(socketPath, method, path, signal);
  } catch (error) {
    if (signal?.aborted === true) {
      io.stderr(`viaduct: Cannot get an answer at ${socketPath}: viaduct was silent for ${limit} ms\n`);
      return EXIT.unavailable;
    }
    const { code = '', message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' && !existsSync(file)) {
      io.stderr(
        `viaduct: Cannot find the configuration ${file}: there is no such file, and nobody serves at ${socketPath}\n`,
      );
      return EXIT.config;
    }
    const isRefused = code === 'EACCES' || code === 'EPERM';
    const why = WHY[code] ?? message;
    io.stderr(`viaduct: Cannot reach viaduct at ${socketPath}: ${why}\n`);
    return isRefused ? EXIT.permission : EXIT.unavailable;
  }
}

const WHY: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such socket; is viaduct running with this configuration?',
  ECONNREFUSED: 'nobody listens there; viaduct has ended without a stop',
  ECONNRESET: 'viaduct ended before it had answered',
  EACCES: 'permission denied; it is for root and the user that started viaduct',
};

async function send(
  socketPath: string,
  method: string,
  path: string,
  signal: AbortSignal | undefined,
): Promise<Answer> {
  const response = await new Promise<IncomingMessage>((answered, failed) => {
    request({ socketPath, method, path, agent: false, signal }, answered).once('error', failed).end();
  });
  const body: unknown = JSON.parse(await text(response));
  return { status: response.statusCode ?? 0, body };
}
