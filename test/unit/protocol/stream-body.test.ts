import { expect } from 'chai';
import { DEFAULT_LIMITS } from '../../../src/protocol/limits.ts';
import type { StreamDecoder, StreamSink } from '../../../src/protocol/stream-events.ts';
import { ScgiDecoder } from '../../../src/protocol/scgi/decoder.ts';
import { UwsgiDecoder } from '../../../src/protocol/uwsgi/decoder.ts';
import { bytesOf, scgiHeaders, scgiNetstring, uwsgiPacket, uwsgiVars } from '../../helpers/bytes.ts';
import { EventLog, streamRecorder } from '../../helpers/recorder.ts';

type Create = (sink: StreamSink) => StreamDecoder;

const PARAMS = ['CONTENT_LENGTH', '6', 'SCGI', '1'];
const PROTOCOLS: [name: string, create: Create, head: Buffer][] = [
  ['uwsgi', (sink) => new UwsgiDecoder(sink, DEFAULT_LIMITS), uwsgiPacket(uwsgiVars(PARAMS))],
  ['SCGI', (sink) => new ScgiDecoder(sink, DEFAULT_LIMITS), scgiNetstring(scgiHeaders(PARAMS))],
];

for (const [name, create, head] of PROTOCOLS) {
  describe(`a body over ${name}`, () => {
    it('is handed over without a copy', () => {
      const chunks: Buffer[] = [];
      const decoder = create({ ...streamRecorder(new EventLog()), onBody: (chunk) => chunks.push(chunk) });
      const first = Buffer.concat([head, bytesOf('ab')]);
      const second = bytesOf('cde');
      const third = bytesOf('f and more');
      for (const chunk of [first, second, third]) decoder.push(chunk);
      expect(chunks.map(String)).to.deep.equal(['ab', 'cde', 'f']);
      expect(chunks[0]?.buffer).to.equal(first.buffer);
      expect(chunks[1]).to.equal(second);
      expect(chunks[2]?.buffer).to.equal(third.buffer);
    });

    it('reports excess once, in however many chunks it comes', () => {
      const log = new EventLog();
      const decoder = create(streamRecorder(log));
      for (const chunk of [head, bytesOf('abcdef'), bytesOf('x'), head, bytesOf('y')]) decoder.push(chunk);
      decoder.end();
      expect(log.lines.slice(1)).to.deep.equal(['body "abcdef"', 'body-end', 'notice ERR_EXCESS_BODY']);
    });

    it('ignores empty chunks', () => {
      const log = new EventLog();
      const decoder = create(streamRecorder(log));
      const empty = Buffer.alloc(0);
      for (const chunk of [empty, head, empty, bytesOf('abcdef'), empty]) decoder.push(chunk);
      decoder.end();
      expect(log.lines.slice(1)).to.deep.equal(['body "abcdef"', 'body-end']);
    });

    it('reports a truncation once', () => {
      const log = new EventLog();
      const decoder = create(streamRecorder(log));
      decoder.push(head);
      decoder.end();
      decoder.end();
      decoder.push(bytesOf('abcdef'));
      expect(log.lines.slice(1)).to.deep.equal([`error ERR_${name.toUpperCase()}_TRUNCATED`]);
    });

    it('reports nothing after its end', () => {
      const log = new EventLog();
      const decoder = create(streamRecorder(log));
      decoder.push(Buffer.concat([head, bytesOf('abcdef')]));
      decoder.end();
      decoder.push(head);
      decoder.end();
      expect(log.lines.slice(1)).to.deep.equal(['body "abcdef"', 'body-end']);
    });
  });
}
