// Properties of the protocol detection.
import { expect } from 'chai';
import * as fc from 'fast-check';
import { detectProtocol } from '../../src/protocol/detect.ts';
import { bytesOf } from '../helpers/bytes.ts';
import { anyBytes, mutated, validFastcgi, validScgi, validUwsgi } from './arbitraries.ts';
import { check } from './count.ts';

const STARTS = [
  '\x01\x01\x00\x01\x00\x08\x00\x00',
  '\x00\x63\x01\x00\x0c\x00QUERY_STRING',
  '1234567:CONTENT_LENGTH\x001\0',
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  'PROXY TCP4 192.0.2.1',
  '\r\n\r\n\0\r\nQUIT\n',
  '\x16\x03\x01\x02\x00\x01',
  'PROPFIND / HTTP/1.1\r\n',
].map(bytesOf);

const nearStart = fc.constantFrom(...STARTS);
const anyStart = fc.oneof(anyBytes, nearStart, mutated(nearStart));

function nameOf(bytes: Buffer): string | null {
  const detected = detectProtocol(bytes);
  if (detected === null) return null;
  return 'protocol' in detected ? detected.protocol : detected.error.code;
}

describe('properties of detectProtocol', function () {
  this.timeout(60_000);

  it('never changes its mind, and never needs more than 24 bytes', () => {
    check(anyStart, 12000, (bytes) => {
      let decided: string | null = null;
      for (let length = 0; length <= bytes.length; length++) {
        const name = nameOf(bytes.subarray(0, length));
        if (decided !== null) expect(name).to.equal(decided);
        else decided = name;
      }
      if (bytes.length >= 24) expect(decided).to.be.a('string');
    });
  });

  it('knows every valid stream', () => {
    const streams = fc.oneof(
      fc.tuple(fc.constant('fastcgi'), validFastcgi),
      fc.tuple(fc.constant('uwsgi'), validUwsgi),
      fc.tuple(fc.constant('scgi'), validScgi),
    );
    check(streams, 4000, ([name, { bytes }]) => {
      expect(nameOf(bytes)).to.equal(name);
      expect(nameOf(bytes.subarray(0, 24))).to.equal(name);
    });
  });
});
