// The one target that needs no nginx: from nginx's bytes to an environ, in a process of its own.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { BUILT } from '../backends/paths.ts';
import { column, spread } from '../lib/columns.ts';
import { backendWrap } from '../lib/pinning.ts';
import type { Case, Scenario } from '../lib/scenario.ts';

/** As bench/micro/decode.ts calls it. */
export const FASTCGI_TO_ENVIRON = 'FastCGI: bytes to environ';

const run = promisify(execFile);

function micro(name: string): Case {
  return {
    name,
    prepare: () => Promise.resolve(null),
    async measure({ node, pinned }) {
      const script = join(BUILT, 'micro/decode.js');
      const command = [...backendWrap(pinned), node, script, name];
      const { stdout } = await run(command[0] ?? '', command.slice(1));
      return { call: Number(stdout) / 1e9 };
    },
  };
}

export const decode: Scenario = {
  name: 'decode',
  title: "Decoding nginx's stock params",
  about: [
    '24 entries, in a process of its own, the median of many batches of calls (bench/micro/decode.ts has more)',
    'fastcgi-stream makes records of the same bytes, and no environ',
  ],
  rounds: 3,
  cases: [micro(FASTCGI_TO_ENVIRON), micro('fastcgi-stream: bytes to records')],
  ratios: [],
  figures: [column('us', 'call', 1e6, 2), spread('call', 1e6, 2)],
};
