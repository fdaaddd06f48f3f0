// What the encoder makes of any head and body: records that say the same, and at first sight as much as nginx waits for.
import { Buffer } from 'node:buffer';
import { expect } from 'chai';
import * as fc from 'fast-check';
import { encodeStdout } from '../../src/protocol/fastcgi/encoder.ts';
import { FcgiType } from '../helpers/bytes.ts';
import { readEnd, readRecords } from '../helpers/dialects.ts';
import { check } from './count.ts';

const ID = 0x1234;
const RUNS = 500;
/** Sizes around every limit that the encoder has. */
const size = fc.oneof(
  fc.constantFrom(0, 1, 7, 8, 9, 511, 512, 513, 8191, 8192, 8193, 65_535, 65_536, 65_537, 131_070),
  fc.nat(70_000),
);
const head = fc.oneof(fc.constant(0), fc.constantFrom(100, 8184, 8192, 9000, 65_530), fc.nat(300));

describe('property: FastCGI responses', () => {
  it('are records of the head and the body, in their order, and the end if it is the last', () => {
    check(fc.tuple(head, fc.array(size, { maxLength: 4 }), fc.boolean()), RUNS, ([headSize, sizes, last]) => {
      const text = 'é'.repeat(headSize);
      const body = sizes.map((each, at) => Buffer.alloc(each, at + 1));
      const bytes = Buffer.concat(encodeStdout(ID, text, body, last));
      const { records, rest } = readRecords(bytes);
      expect(rest.length, 'no whole record').to.equal(0);
      expect(records.every(({ id }) => id === ID)).to.equal(true);
      const stdout = records.filter(({ type }) => type === FcgiType.STDOUT);
      const sent = Buffer.concat(stdout.map(({ content }) => content));
      expect(sent.equals(Buffer.concat([Buffer.from(text, 'latin1'), ...body]))).to.equal(true);
      expect(stdout.filter(({ content }) => content.length === 0)).to.have.lengthOf(last ? 1 : 0);
      expect(readEnd(bytes, ID)).to.equal(last ? 'END 0 0' : null);
    });
  });

  it('show nginx 8 bytes behind a head that comes with a little of the body, and none behind a head alone', () => {
    check(fc.tuple(fc.integer({ min: 1, max: 20_000 }), fc.nat(9)), RUNS, ([headSize, bodySize]) => {
      const bytes = Buffer.concat(encodeStdout(ID, 'h'.repeat(headSize), [Buffer.alloc(bodySize, 1)], false));
      expect(bytes.length - 8 - headSize).to.equal(bodySize === 0 ? 0 : Math.max(8, bodySize));
    });
  });
});
