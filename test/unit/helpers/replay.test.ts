import { expect } from 'chai';
import type { StreamDecoder, StreamSink } from '../../../src/protocol/stream-events.ts';
import { bytesOf } from '../../helpers/bytes.ts';
import { parseBytes } from '../../helpers/corpus.ts';
import { quote } from '../../helpers/recorder.ts';
import { decodeStream, replay } from '../../helpers/replay.ts';

/** Reports its bytes as body; `spoil` says how a chunk is treated wrongly. */
function fake(spoil: (chunk: Buffer, index: number) => Buffer): (sink: StreamSink) => StreamDecoder {
  return (sink) => {
    let index = 0;
    return { push: (chunk) => sink.onBody(spoil(chunk, index++)), end: () => sink.onBodyEnd() };
  };
}

/** Keeps the chunks it is lent until the end. */
function hoarder(sink: StreamSink): StreamDecoder {
  const kept: Buffer[] = [];
  const end = (): void => {
    for (const chunk of kept) sink.onBody(chunk);
    sink.onBodyEnd();
  };
  return { push: (chunk) => kept.push(chunk), end };
}

const BYTES = bytesOf('abcd');
const EVENTS = ['body "abcd"', 'body-end'];

describe('replay', () => {
  it('passes a decoder that does not care how its bytes are cut', () => {
    expect(replay(decodeStream(fake((chunk) => chunk)), BYTES, EVENTS)).to.equal(5);
  });

  it('fails a decoder that reports something else', () => {
    const decode = decodeStream(fake((chunk) => chunk.subarray(1)));
    expect(() => replay(decode, BYTES, EVENTS)).to.throw('events of the whole');
  });

  it('fails a decoder that cannot take single bytes', () => {
    const decode = decodeStream(fake((chunk) => (chunk.length > 1 ? chunk : Buffer.alloc(0))));
    expect(() => replay(decode, BYTES, EVENTS)).to.throw('events byte by byte');
  });

  it('fails a decoder that stumbles at one split', () => {
    const decode = decodeStream(
      fake((chunk, i) => (i === 1 && chunk.length === 3 ? Buffer.alloc(0) : chunk)),
    );
    expect(() => replay(decode, BYTES, EVENTS)).to.throw('events of 1 + 3 bytes');
  });

  it('fails a decoder that keeps views of what it was lent', () => {
    expect(() => replay(decodeStream(hoarder), BYTES, EVENTS)).to.throw('events of the whole');
  });

  it('fails a decoder that takes trailing bytes for its own', () => {
    const trailing = { bytes: bytesOf('x'), expect: (events: readonly string[]) => events };
    const decode = decodeStream(fake((chunk) => chunk));
    expect(() => replay(decode, BYTES, EVENTS, trailing)).to.throw('trailing');
  });
});

describe('the notation of the corpus', () => {
  it('reads hex, text, repeats and comments', () => {
    expect(parseBytes('00 ff "a\\r\\n\\x80\\"#" # "no"\n"ab"*2 0a*3').toString('latin1')).to.equal(
      '\0\xffa\r\n\x80"#abab\n\n\n',
    );
  });

  it('refuses what it does not know', () => {
    for (const source of ['0', '000', 'zz', '"open', '00*x'])
      expect(() => parseBytes(source)).to.throw('Cannot read');
  });

  it('quotes bytes and shortens long runs', () => {
    expect(quote('a"\\\n\xff')).to.equal('"a\\"\\\\\\x0a\\xff"');
    expect(quote('\0'.repeat(41))).to.equal('"\\x00"*41');
  });
});
