import { expect } from 'chai';
import {
  CgiResponseParser,
  type ResponseHead,
  type StatusLinePolicy,
} from '../../../../src/cli/client/cgi-response.ts';
import { ClientFailure } from '../../../../src/cli/client/failure.ts';

interface Parsed {
  head: ResponseHead | null;
  body: string;
  warnings: string[];
  heads: number;
}

function parse(pieces: readonly string[], policy: StatusLinePolicy = 'read'): Parsed {
  const parsed: Parsed = { head: null, body: '', warnings: [], heads: 0 };
  const parser = new CgiResponseParser(policy, {
    onHead: (head) => {
      expect(parsed.body).to.equal('');
      parsed.head = head;
      parsed.heads += 1;
    },
    onBody: (chunk) => {
      parsed.body += Buffer.from(chunk).toString('latin1');
    },
    onWarning: (text) => parsed.warnings.push(text),
  });
  for (const piece of pieces) parser.push(Buffer.from(piece, 'latin1'));
  return parsed;
}

const ok = { status: 200, reason: 'OK' };
const cases: [name: string, text: string, head: ResponseHead, body: string][] = [
  [
    'a CGI response',
    'Status: 404 Not Found\r\nContent-Type: text/plain\r\n\r\nno\r\n\r\nsuch',
    { status: 404, reason: 'Not Found', headers: [['Content-Type', 'text/plain']] },
    'no\r\n\r\nsuch',
  ],
  [
    'an HTTP response',
    'HTTP/1.1 201 Created\r\nA: b\r\nA: c\r\n\r\nx',
    {
      status: 201,
      reason: 'Created',
      headers: [
        ['A', 'b'],
        ['A', 'c'],
      ],
    },
    'x',
  ],
  [
    'HTTP/1.0 with a Status header of its own',
    'HTTP/1.0 200 OK\r\nStatus: 500\r\n\r\n',
    { ...ok, headers: [['Status', '500']] },
    '',
  ],
  ['bare line feeds', 'Status: 200 OK\nA: b\n\n\nx', { ...ok, headers: [['A', 'b']] }, '\nx'],
  ['an empty header block', '\r\nbody', { ...ok, headers: [] }, 'body'],
  ['no status', 'A: b\r\n\r\n', { ...ok, headers: [['A', 'b']] }, ''],
  [
    'a Location without status',
    'location: /x\r\n\r\n',
    { status: 302, reason: 'Found', headers: [['location', '/x']] },
    '',
  ],
  ['a status without reason', 'Status: 404\r\n\r\n', { status: 404, reason: 'Not Found', headers: [] }, ''],
  ['a status without a known reason', 'Status: 299\r\n\r\n', { status: 299, reason: '', headers: [] }, ''],
  [
    'an empty value and bytes above 127',
    'A:\r\nB: \xff\xe9\r\n\r\n\x00\xff',
    {
      ...ok,
      headers: [
        ['A', ''],
        ['B', '\xff\xe9'],
      ],
    },
    '\x00\xff',
  ],
];

describe('CgiResponseParser', () => {
  for (const [name, text, head, body] of cases) {
    it(`reads ${name}, whole, byte by byte and at every split`, () => {
      const ways = [[text], Array.from(text)];
      for (let i = 1; i < text.length; i += 1) ways.push([text.slice(0, i), text.slice(i)]);
      for (const way of ways) {
        expect(parse(way), JSON.stringify(way)).to.deep.equal({ head, body, warnings: [], heads: 1 });
      }
    });
  }

  it('skips a status line over FastCGI as nginx does, and says so', () => {
    const { head, warnings } = parse(['HTTP/1.1 404 Not Found\r\nA: b\r\n\r\n'], 'skip');
    expect(head).to.deep.equal({ ...ok, headers: [['A', 'b']] });
    expect(warnings)
      .to.have.length(1)
      .and.to.match(/"HTTP\/1.1 404 Not Found".*Status:/);
  });

  const wrong: [string, RegExp][] = [
    ['A: b\r\n folded\r\n\r\n', /" folded" is folded/],
    ['no colon\r\n\r\n', /the line is "no colon"/],
    ['A : b\r\n\r\n', /the line is "A : b"/],
    [': b\r\n\r\n', /the line is ": b"/],
    ['A: b\0c\r\n\r\n', /holds NUL or CR/],
    ['A: b\rc\r\n\r\n', /holds NUL or CR/],
    ['Status: okay\r\n\r\n', /the status is "okay"/],
    ['Status: 2000\r\n\r\n', /the status is "2000"/],
    ['Status: 099 x\r\n\r\n', /the status is "099 x"/],
    ['HTTP/2 200 OK\r\n\r\n', /the first line is "HTTP\/2 200 OK"/],
    ['HTTP/1.1 20 OK\r\n\r\n', /the status is "20 OK"/],
  ];
  for (const [text, message] of wrong) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      expect(() => parse([text])).to.throw(ClientFailure, message);
      expect(() => parse(Array.from(text))).to.throw(ClientFailure, message);
    });
  }

  it('stops a head that never ends', () => {
    expect(() => parse(['A: ', 'x'.repeat(1024 * 1024)])).to.throw(ClientFailure, /without an empty line/);
  });
});
