// The keys of `mounts[].python`: the processes that run a Python app.
import { z } from 'zod';
import { camelKeys, duration, MAPPING, size, text, wholeNumber } from './fields.ts';
import { DEFAULT_PROCESSES, DEFAULT_THREADS } from './python-checks.ts';
import type { PythonConfig } from './types.ts';

/** As the file has it: paths not yet absolute, and what is not set is the whole server's. */
export interface FilePython extends Omit<PythonConfig, 'chdir' | 'recycle'> {
  chdir: string | null;
  maxRequests?: number;
  maxAge?: number;
  maxMemory?: number;
}

/** Far above any sensible number: a typo must not fork a machine to death. */
const MOST = 1024;

const keys = z.strictObject(
  {
    executable: text('a path or the name of a program')
      .default('python3')
      .describe(
        'The interpreter: a path, such as that of a virtualenv, or a name that is looked for on PATH',
      ),
    path: z
      .array(text('a path'), { error: 'a list of folders' })
      .prefault([])
      .describe('Folders that go first on sys.path; without any, chdir does'),
    chdir: text('a path')
      .nullable()
      .default(null)
      .describe('The folder the processes work in; null: that of the configuration file'),
    processes: wholeNumber(1, MOST).default(DEFAULT_PROCESSES).describe('Python processes of this mount'),
    threads: wholeNumber(1, MOST)
      .default(DEFAULT_THREADS)
      .describe('Threads a process, each with one request at a time'),
    max_requests: wholeNumber(0)
      .optional()
      .describe('Requests a process serves; default: recycle.max_requests'),
    max_age: duration(0).optional().describe('How long a process lives; default: recycle.max_age'),
    max_memory: size(0).optional().describe('Resident memory of a process; default: recycle.max_memory'),
  },
  MAPPING,
);

export const python: z.ZodType<FilePython> = keys
  .transform(camelKeys)
  .prefault({})
  .describe('For interface python: the processes that run the app');
