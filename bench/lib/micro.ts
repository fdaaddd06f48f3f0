// One hot function as a row of a scenario: a script of bench/micro/, in a process of its own.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { BUILT } from '../backends/paths.ts';
import { backendWrap } from './pinning.ts';
import type { Case } from './scenario.ts';

const run = promisify(execFile);

/** @param script as micro/decode.js is one: with a name it prints the nanoseconds of the bench that has it */
export function microCase(script: string, name: string): Case {
  return {
    name,
    prepare: () => Promise.resolve(null),
    async measure({ node, pinned }) {
      const command = [...backendWrap(pinned), node, join(BUILT, 'micro', script), name];
      const { stdout } = await run(command[0] ?? '', command.slice(1));
      return { call: Number(stdout) / 1e9 };
    },
  };
}
