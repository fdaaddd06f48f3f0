// Properties of the uwsgi and SCGI decoders.
import { expect } from 'chai';
import * as fc from 'fast-check';
import { DEFAULT_LIMITS } from '../../src/protocol/limits.ts';
import { ScgiDecoder } from '../../src/protocol/scgi/decoder.ts';
import type { StreamDecoder, StreamSink } from '../../src/protocol/stream-events.ts';
import { UwsgiDecoder } from '../../src/protocol/uwsgi/decoder.ts';
import { EventLog, streamRecorder } from '../helpers/recorder.ts';
import { decodeStream } from '../helpers/replay.ts';
import {
  anyBytes,
  chunksOf,
  cuts,
  mutated,
  scgiLike,
  uwsgiLike,
  validScgi,
  validUwsgi,
} from './arbitraries.ts';
import type { Valid } from './arbitraries.ts';
import { check } from './count.ts';
import { modelScgi, modelUwsgi } from './models.ts';

interface Protocol {
  name: string;
  create(sink: StreamSink): StreamDecoder;
  valid: fc.Arbitrary<Valid>;
  /** Close to valid, and often not. */
  like: fc.Arbitrary<Buffer>;
  model(bytes: Buffer): string[] | null;
}

const PROTOCOLS: Protocol[] = [
  {
    name: 'uwsgi',
    create: (sink) => new UwsgiDecoder(sink, DEFAULT_LIMITS),
    valid: validUwsgi,
    like: uwsgiLike,
    model: modelUwsgi,
  },
  {
    name: 'SCGI',
    create: (sink) => new ScgiDecoder(sink, DEFAULT_LIMITS),
    valid: validScgi,
    like: scgiLike,
    model: modelScgi,
  },
];

/** The requests a decoder reports and the body it passes on. */
function run(
  protocol: Protocol,
  bytes: Buffer,
): { requests: [params: string[], length: number][]; body: Buffer } {
  const requests: [params: string[], length: number][] = [];
  const chunks: Buffer[] = [];
  const decoder = protocol.create({
    ...streamRecorder(new EventLog()),
    onRequest: (params, length) => requests.push([params, length]),
    onBody: (chunk) => chunks.push(chunk),
  });
  decoder.push(bytes);
  decoder.end();
  return { requests, body: Buffer.concat(chunks) };
}

/** Modifier 30 may shorten PATH_INFO; nothing else may differ from what was sent. */
function expectSameParams(actual: readonly string[], sent: readonly string[]): void {
  expect(actual).to.have.length(sent.length);
  for (const [i, text] of actual.entries()) {
    const wanted = sent[i] ?? '';
    if (actual[i - 1] === 'PATH_INFO') expect(wanted.endsWith(text), 'PATH_INFO').to.equal(true);
    else expect(text).to.equal(wanted);
  }
}

for (const protocol of PROTOCOLS) {
  const decode = decodeStream((sink) => protocol.create(sink));

  /** No throw, the same events however it is cut, and a request only where all of its params came. */
  const expectSound = ([bytes, places]: [Buffer, number[]]): void => {
    expect(decode(chunksOf(bytes, places))).to.deep.equal(decode([bytes]));
    const { requests, body } = run(protocol, bytes);
    expect(requests).to.have.length.at.most(1);
    for (const [params, length] of requests) {
      const sent = protocol.model(bytes);
      if (sent === null) throw new Error('a request was reported where the bytes hold none');
      expectSameParams(params, sent);
      expect(body.length).to.be.at.most(length);
    }
  };

  describe(`properties of the ${protocol.name} decoder`, function () {
    this.timeout(60_000);

    it('gives params and body back as they were sent', () => {
      check(protocol.valid, 6000, ({ params, body, bytes }) => {
        const result = run(protocol, bytes);
        expect(result.requests).to.deep.equal([[params, body.length]]);
        expect(result.body.equals(body)).to.equal(true);
      });
    });

    it('does not care how a valid stream is cut', () => {
      check(fc.tuple(protocol.valid, cuts), 6000, ([{ bytes }, places]) => {
        expect(decode(chunksOf(bytes, places))).to.deep.equal(decode([bytes]));
      });
    });

    it('reports every valid stream that breaks off', () => {
      check(fc.tuple(protocol.valid, fc.nat()), 4000, ([{ bytes }, place]) => {
        const events = decode([bytes.subarray(0, 1 + (place % (bytes.length - 1)))]);
        expect(events.at(-1)).to.equal(`error ERR_${protocol.name.toUpperCase()}_TRUNCATED`);
      });
    });

    it('is sound on any bytes', () => {
      check(fc.tuple(anyBytes, cuts), 8000, expectSound);
    });

    it('is sound on packets that lie', () => {
      check(fc.tuple(protocol.like, cuts), 8000, expectSound);
    });

    it('is sound on valid streams with faults', () => {
      check(fc.tuple(mutated(protocol.valid.map(({ bytes }) => bytes)), cuts), 8000, expectSound);
    });
  });
}
