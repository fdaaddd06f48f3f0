// Replays the golden cases of FastCGI.
import { FastcgiDecoder } from '../../../src/protocol/fastcgi/decoder.ts';
import { fcgiRecord } from '../../helpers/bytes.ts';
import { readCorpus } from '../../helpers/corpus.ts';
import { decodeFastcgi, replay } from '../../helpers/replay.ts';
import type { Trailing } from '../../helpers/replay.ts';

/** A record that is answered at any time, unless the connection is lost. */
const TRAILING: Trailing = {
  bytes: fcgiRecord(9, 0),
  expect: (events) => (events.at(-1)?.startsWith('error ') ? events : [...events, 'get-values']),
};

describe('corpus fastcgi.md', () => {
  for (const { name, bytes, events, limits, hold } of readCorpus('fastcgi.md')) {
    it(name, () => {
      const decode = decodeFastcgi((sink) => new FastcgiDecoder(sink, limits), { hold });
      replay(decode, bytes, events, TRAILING);
    });
  }
});
