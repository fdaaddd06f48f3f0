// Properties of the FastCGI decoder.
import { expect } from 'chai';
import * as fc from 'fast-check';
import { FastcgiDecoder } from '../../src/protocol/fastcgi/decoder.ts';
import { DEFAULT_LIMITS } from '../../src/protocol/limits.ts';
import { EventLog, fastcgiRecorder } from '../helpers/recorder.ts';
import { decodeFastcgi } from '../helpers/replay.ts';
import { anyBytes, chunksOf, cuts, fastcgiRecords, mutated, validFastcgi } from './arbitraries.ts';
import { check } from './count.ts';
import { modelFastcgi } from './models.ts';

const LIMITS = { ...DEFAULT_LIMITS, notices: 5 };
const decode = decodeFastcgi((sink) => new FastcgiDecoder(sink, LIMITS));
const decodeHeld = decodeFastcgi((sink) => new FastcgiDecoder(sink, LIMITS), { hold: true });

interface Request {
  id: number;
  params: string[];
}

function requestsOf(bytes: Buffer): { requests: Request[]; stdin: Buffer } {
  const requests: Request[] = [];
  const chunks: Buffer[] = [];
  const decoder = new FastcgiDecoder(
    {
      ...fastcgiRecorder(new EventLog(), (id) => decoder.release(id), { hold: false }),
      onParams: (id, params) => requests.push({ id, params }),
      onStdin: (_id, chunk) => chunks.push(chunk),
    },
    LIMITS,
  );
  decoder.push(bytes);
  decoder.end();
  return { requests, stdin: Buffer.concat(chunks) };
}

/** Every request reported is, in order, one whose params the bytes hold in full. */
function expectWholeParams(bytes: Buffer): void {
  const sent = modelFastcgi(bytes).map((request) => JSON.stringify(request));
  let from = 0;
  for (const { id, params } of requestsOf(bytes).requests) {
    const wanted = JSON.stringify({ id, params });
    const at = sent.indexOf(wanted, from);
    if (at < 0) throw new Error(`a request was reported that the bytes do not hold: ${wanted}`);
    from = at + 1;
  }
}

/** No throw, nothing after an error, the same events however it is cut, and only whole requests. */
function expectSound([bytes, places]: [Buffer, number[]]): void {
  const events = decode([bytes]);
  expect(decode(chunksOf(bytes, places))).to.deep.equal(events);
  expect(decodeHeld(chunksOf(bytes, places))).to.deep.equal(decodeHeld([bytes]));
  const error = events.findIndex((event) => event.startsWith('error '));
  if (error >= 0) expect(error).to.equal(events.length - 1);
  expectWholeParams(bytes);
}

describe('properties of the FastCGI decoder', function () {
  this.timeout(60_000);

  it('gives params and stdin back as they were sent', () => {
    check(validFastcgi, 6000, ({ id, params, body, bytes }) => {
      const { requests, stdin } = requestsOf(bytes);
      expect(requests).to.deep.equal([{ id, params }]);
      expect(stdin.equals(body)).to.equal(true);
    });
  });

  it('does not care how a valid stream is cut', () => {
    check(fc.tuple(fc.array(validFastcgi, { maxLength: 3 }), cuts), 4000, ([requests, places]) => {
      const bytes = Buffer.concat(requests.map((request) => request.bytes));
      expect(decode(chunksOf(bytes, places))).to.deep.equal(decode([bytes]));
    });
  });

  it('reports every valid stream that breaks off', () => {
    check(fc.tuple(validFastcgi, fc.nat()), 4000, ([{ bytes }, place]) => {
      const events = decode([bytes.subarray(0, 1 + (place % (bytes.length - 1)))]);
      expect(events.at(-1)).to.equal('error ERR_FCGI_TRUNCATED');
    });
  });

  it('is sound on any bytes', () => {
    check(fc.tuple(anyBytes, cuts), 6000, expectSound);
  });

  it('is sound on records of any type in any order', () => {
    check(fc.tuple(fastcgiRecords, cuts), 8000, expectSound);
  });

  it('is sound on valid streams with faults', () => {
    check(fc.tuple(mutated(validFastcgi.map(({ bytes }) => bytes)), cuts), 6000, expectSound);
  });
});
