// Replays a byte string into a decoder in every way a network may cut it, and wants the same events each time.
import { expect } from 'chai';
import type { FastcgiSink } from '../../src/protocol/fastcgi/events.ts';
import type { StreamDecoder, StreamSink } from '../../src/protocol/stream-events.ts';
import { EventLog, fastcgiRecorder, streamRecorder } from './recorder.ts';

/** Feeds the chunks to a fresh decoder, then end(), and gives the events. */
export type Decode = (chunks: readonly Buffer[]) => string[];

/** What src/protocol/fastcgi/decoder.ts offers. */
export interface FastcgiDecoderLike extends StreamDecoder {
  release(id: number): void;
}

/** Bytes that may follow a case, and what they turn its events into. */
export interface Trailing {
  bytes: Buffer;
  expect(events: readonly string[]): readonly string[];
}

export function decodeStream(create: (sink: StreamSink) => StreamDecoder): Decode {
  return (chunks) => {
    const log = new EventLog();
    return feed(create(streamRecorder(log)), log, chunks);
  };
}

export function decodeFastcgi(
  create: (sink: FastcgiSink) => FastcgiDecoderLike,
  options: { hold: boolean } = { hold: false },
): Decode {
  return (chunks) => {
    const log = new EventLog();
    const decoder: FastcgiDecoderLike = create(fastcgiRecorder(log, (id) => decoder.release(id), options));
    return feed(decoder, log, chunks);
  };
}

/**
 * Each chunk is lent and then overwritten, so a decoder that keeps a view of it shows. After an error nothing may be
 * reported, whatever comes.
 */
function feed(decoder: StreamDecoder, log: EventLog, chunks: readonly Buffer[]): string[] {
  for (const chunk of chunks) {
    const lent = Buffer.from(chunk);
    decoder.push(lent);
    lent.fill(0xee);
  }
  decoder.end();
  const events = log.lines;
  if (events.at(-1)?.startsWith('error ')) {
    decoder.push(Buffer.from('\x01\x09\0\0\0\0\0\0', 'latin1'));
    decoder.end();
    expect(log.lines, 'events after an error').to.deep.equal(events);
  }
  return events;
}

/** Whole, byte by byte, at every split point and with trailing bytes. Returns the number of runs. */
export function replay(
  decode: Decode,
  bytes: Buffer,
  expected: readonly string[],
  trailing?: Trailing,
): number {
  expect(decode([bytes]), 'events of the whole').to.deep.equal(expected);
  expect(decode(singleBytes(bytes)), 'events byte by byte').to.deep.equal(expected);
  let runs = 2;
  for (const at of splitPoints(bytes.length)) {
    const events = decode([bytes.subarray(0, at), bytes.subarray(at)]);
    expectSame(events, expected, `events of ${at} + ${bytes.length - at} bytes`);
    runs++;
  }
  return runs + (trailing === undefined ? 0 : replayTrailing(decode, bytes, expected, trailing));
}

/** In one chunk and in two. Skipped where the case itself breaks off: more bytes are just its continuation. */
function replayTrailing(
  decode: Decode,
  bytes: Buffer,
  expected: readonly string[],
  trailing: Trailing,
): number {
  if (bytes.length === 0 || expected.at(-1)?.endsWith('_TRUNCATED')) return 0;
  const wanted = trailing.expect(expected);
  expect(decode([Buffer.concat([bytes, trailing.bytes])]), 'events with trailing bytes').to.deep.equal(
    wanted,
  );
  expect(decode([bytes, trailing.bytes]), 'events with a trailing chunk').to.deep.equal(wanted);
  return 2;
}

export function singleBytes(bytes: Buffer): Buffer[] {
  return Array.from(bytes, (byte) => Buffer.of(byte));
}

/** Every point; in inputs above 4 KiB every one near both ends and every 251st between, as those cost n² bytes. */
export function splitPoints(length: number): number[] {
  const points: number[] = [];
  for (let at = 1; at < length; at++) {
    const near = at < 1024 || at > length - 256;
    if (length <= 4096 || near || at % 251 === 0) points.push(at);
  }
  return points;
}

/** Thousands of comparisons a case: chai only sees those that fail. */
function expectSame(actual: readonly string[], expected: readonly string[], message: string): void {
  if (actual.length === expected.length && actual.every((line, i) => line === expected[i])) return;
  expect(actual, message).to.deep.equal(expected);
}
