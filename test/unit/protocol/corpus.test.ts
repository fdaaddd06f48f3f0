// Replays the golden cases of the one-request-a-connection protocols.
import { ScgiDecoder } from '../../../src/protocol/scgi/decoder.ts';
import { UwsgiDecoder } from '../../../src/protocol/uwsgi/decoder.ts';
import { bytesOf } from '../../helpers/bytes.ts';
import { readCorpus } from '../../helpers/corpus.ts';
import { decodeStream, replay } from '../../helpers/replay.ts';
import type { Trailing } from '../../helpers/replay.ts';

const DECODERS = { 'uwsgi.md': UwsgiDecoder, 'scgi.md': ScgiDecoder };

/** After a request only one notice, whatever comes; after an answer or an error nothing. */
const TRAILING: Trailing = {
  bytes: bytesOf('\0\x05\0\0\x01\0A\0\0GET / HTTP/1.1\r\n'),
  expect: (events) => (events.at(-1) === 'body-end' ? [...events, 'notice ERR_EXCESS_BODY'] : events),
};

for (const [file, Decoder] of Object.entries(DECODERS)) {
  describe(`corpus ${file}`, () => {
    for (const { name, bytes, events, limits } of readCorpus(file)) {
      it(name, () => {
        replay(
          decodeStream((sink) => new Decoder(sink, limits)),
          bytes,
          events,
          TRAILING,
        );
      });
    }
  });
}
