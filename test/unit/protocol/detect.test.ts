import { expect } from 'chai';
import { detectProtocol } from '../../../src/protocol/detect.ts';
import {
  bytesOf,
  fcgiRequest,
  fcgiRecord,
  scgiHeaders,
  scgiNetstring,
  uwsgiPacket,
} from '../../helpers/bytes.ts';

/** fastcgi, uwsgi, scgi, http, an error's code, or null. */
function detect(text: string): string | null {
  const detected = detectProtocol(bytesOf(text));
  if (detected === null) return null;
  return 'protocol' in detected ? detected.protocol : detected.error.code;
}

const scgi = (length: string): string => `${length}:CONTENT_LENGTH\0`;

const CASES: [what: string, start: string, expected: string | null][] = [
  ['no byte', '', null],
  ['the FastCGI version alone', '\x01', null],
  ['FCGI_BEGIN_REQUEST', '\x01\x01', 'fastcgi'],
  ['FCGI_GET_VALUES', '\x01\x09', 'fastcgi'],
  ['FCGI_BEGIN_REQUEST with id 256, a legal uwsgi size', '\x01\x01\x01\x00\x00\x08\x00\x00', 'fastcgi'],
  ['FastCGI with a type that cannot be first', '\x01\x04', 'ERR_UNKNOWN_PROTOCOL'],
  ['FastCGI version 2', '\x02\x01\x00\x01', 'ERR_UNKNOWN_PROTOCOL'],
  ['uwsgi modifier1 0', '\x00', 'uwsgi'],
  ['uwsgi modifier1 5', '\x05', 'uwsgi'],
  ['uwsgi modifier1 17', '\x11', 'uwsgi'],
  ['uwsgi modifier1 30', '\x1e', 'uwsgi'],
  ['a uwsgi ping', 'd\0\0\0', 'uwsgi'],
  ['uwsgi modifier1 72 with a control byte', 'H\x10', 'uwsgi'],
  ['uwsgi modifier1 74 with modifier2 0', 'J~~\0', 'uwsgi'],
  ['uwsgi eval', '\x16\x10\0\0', 'ERR_UNKNOWN_PROTOCOL'],
  ['one digit', '3', null],
  ['seven digits', '1234567', null],
  ['eight digits', '12345678', 'ERR_UNKNOWN_PROTOCOL'],
  ['SCGI without the last NUL', scgi('334').slice(0, -1), null],
  ['SCGI', scgi('334'), 'scgi'],
  ['SCGI with seven digits', scgi('1234567'), 'scgi'],
  ['SCGI with another first header', '24:SCGI\0', 'ERR_UNKNOWN_PROTOCOL'],
  ['a leading zero', '024:', 'ERR_UNKNOWN_PROTOCOL'],
  ['an empty netstring', '0:,', 'ERR_UNKNOWN_PROTOCOL'],
  ['digits and a letter', '12a', 'ERR_UNKNOWN_PROTOCOL'],
  ['three letters', 'GET', null],
  ['GET', 'GET ', 'http'],
  ['PUT, which begins as PRI does not', 'PUT ', 'http'],
  ['PROPFIND, which begins as PROXY does', 'PROPF', 'http'],
  ['a method of one letter', 'A /x', 'http'],
  ['a method with an underscore', 'M_X ', 'http'],
  ['a method in small letters', 'get ', 'ERR_UNKNOWN_PROTOCOL'],
  ['a capital and a byte above ASCII', 'G\x80', 'ERR_UNKNOWN_PROTOCOL'],
  ['most of the HTTP/2 preface', 'PRI * HTTP/2.', null],
  ['the HTTP/2 preface', 'PRI * HTTP/2.0', 'ERR_HTTP2'],
  ['a method PRI', 'PRI /x', 'http'],
  ['most of PROXY v1', 'PROXY', null],
  ['PROXY v1', 'PROXY TCP4 ', 'ERR_PROXY_PROTOCOL'],
  ['most of PROXY v2', '\r\n\r\n\0\r\n', null],
  ['PROXY v2', '\r\n\r\n\0\r\nQUIT\n', 'ERR_PROXY_PROTOCOL'],
  ['HTTP behind an empty line', '\r\nGET / ', 'ERR_UNKNOWN_PROTOCOL'],
  ['0x16 alone', '\x16', null],
  ['TLS', '\x16\x03\x01', 'ERR_TLS'],
  ['a high byte', '\xff', 'ERR_UNKNOWN_PROTOCOL'],
];

describe('detectProtocol', () => {
  for (const [what, start, expected] of CASES) {
    it(`${what}: ${expected ?? 'needs more'}`, () => {
      expect(detect(start)).to.equal(expected);
      if (expected !== null) expect(detect(`${start}\xffmore`)).to.equal(expected);
    });
  }

  it('names the first eight bytes where it knows none', () => {
    const detected = detectProtocol(bytesOf('\x02\x01\x00\xabwxyz12'));
    if (detected === null || 'protocol' in detected) throw new Error('a protocol was detected');
    expect(detected.error.message).to.contain('020100ab7778797a,');
  });

  it('knows whole requests of each protocol', () => {
    const starts: [string, Buffer][] = [
      ['fastcgi', fcgiRequest(1, ['A', '1'])],
      ['fastcgi', fcgiRequest(65535, ['A', '1'])],
      ['fastcgi', fcgiRecord(9, 0)],
      ['uwsgi', uwsgiPacket('\x01\0A\x01\x001')],
      ['scgi', scgiNetstring(scgiHeaders(['CONTENT_LENGTH', '0', 'SCGI', '1']))],
    ];
    for (const [protocol, bytes] of starts) expect(detectProtocol(bytes)).to.deep.equal({ protocol });
  });
});
