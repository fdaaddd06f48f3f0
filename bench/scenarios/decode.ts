// The one target that needs no nginx: from nginx's bytes to an environ, in a process of its own.
import { column, spread } from '../lib/columns.ts';
import { microCase } from '../lib/micro.ts';
import type { Scenario } from '../lib/scenario.ts';

/** As bench/micro/decode.ts calls it. */
export const FASTCGI_TO_ENVIRON = 'FastCGI: bytes to environ';

export const decode: Scenario = {
  name: 'decode',
  title: "Decoding nginx's stock params",
  about: [
    '24 entries, in a process of its own, the median of many batches of calls (bench/micro/decode.ts has more)',
    'fastcgi-stream makes records of the same bytes, and no environ',
  ],
  rounds: 3,
  cases: [
    microCase('decode.js', FASTCGI_TO_ENVIRON),
    microCase('decode.js', 'fastcgi-stream: bytes to records'),
  ],
  ratios: [],
  figures: [column('us', 'call', 1e6, 2), spread('call', 1e6, 2)],
};
