import { expect } from 'chai';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAccessLog, putCombined, putJson } from '../../../src/observe/access-log.ts';
import type { AccessEntry } from '../../../src/observe/access-log.ts';
import { lineOf } from '../../helpers/log-line.ts';

const ENTRY: AccessEntry = {
  time: Date.UTC(2026, 0, 2, 3, 4, 5, 67),
  requestId: 'abc123',
  mount: 'api',
  remoteAddr: '192.0.2.7',
  method: 'GET',
  uri: '/a?b=c',
  scheme: 'https',
  host: 'example.com',
  protocol: 'HTTP/1.1',
  upstream: 'fastcgi',
  status: 200,
  bytesIn: 0,
  bytesOut: 12,
  duration: 0.0123456,
  queue: 0,
};

const EVERY_BYTE = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte)).join('');
const HOSTILE = [
  'a\\b',
  'a"b',
  EVERY_BYTE,
  '\r\n{"status":200}',
  '" 200 0 "-" "-"\n',
  '\u2028\u2029',
  '\ud83d\ude00',
  '\ud800',
  '\\"',
];

describe('observe/access-log json', () => {
  it('has the named fields, with units', () => {
    expect(
      lineOf(putJson, { ...ENTRY, aborted: 'sending', userAgent: 'curl', referer: 'http://x/' }),
    ).to.equal(
      '{"time":"2026-01-02T03:04:05.067Z","request_id":"abc123","mount":"api","remote_addr":"192.0.2.7",' +
        '"method":"GET","uri":"/a?b=c","scheme":"https","host":"example.com","protocol":"HTTP/1.1",' +
        '"upstream":"fastcgi","status":200,"bytes_in":0,"bytes_out":12,' +
        '"duration":0.012346,"queue":0.000000,"app":0.012346,"aborted":"sending","user_agent":"curl",' +
        '"referer":"http://x/"}\n',
    );
    expect(JSON.parse(lineOf(putJson, ENTRY))).not.to.have.any.keys(
      'aborted',
      'user_agent',
      'referer',
      'remote_user',
    );
  });

  it('carries any text in any field, in one line of ASCII', () => {
    const texts = ['requestId', 'mount', 'remoteAddr', 'remoteUser', 'method', 'uri', 'protocol', 'upstream'];
    const names = [
      'request_id',
      'mount',
      'remote_addr',
      'remote_user',
      'method',
      'uri',
      'protocol',
      'upstream',
    ];
    for (const text of HOSTILE) {
      for (const [index, field] of [...texts, 'aborted', 'userAgent', 'referer'].entries()) {
        const line = lineOf(putJson, { ...ENTRY, [field]: text });
        expect(line).to.match(/^[\x20-\x7e]+\n$/);
        const name = [...names, 'aborted', 'user_agent', 'referer'][index] ?? '';
        expect(JSON.parse(line)).to.have.property(name, text);
      }
    }
  });

  it('stays JSON with numbers that are none', () => {
    for (const bad of [NaN, Infinity, -Infinity, 1e300]) {
      const numbers = { time: bad, status: bad, bytesIn: bad, bytesOut: bad, duration: bad, queue: bad };
      expect(JSON.parse(lineOf(putJson, { ...ENTRY, ...numbers }))).to.include({ status: 0, bytes_out: 0 });
      expect(lineOf(putCombined, { ...ENTRY, ...numbers })).to.contain(' 000 0 ');
    }
  });

  it('has seconds with six digits, rounded', () => {
    const times = [0, 4e-7, 6e-7, 0.000001, 0.1, 0.9999994, 0.9999996, 1, 59.123456, 86_400.5, -1];
    const shown = times.map(
      (duration) => /"duration":([^,]+),/.exec(lineOf(putJson, { ...ENTRY, duration }))?.[1],
    );
    expect(shown).to.deep.equal(times.map((time) => Math.max(0, time).toFixed(6)));
    expect(lineOf(putJson, { ...ENTRY, duration: 2, queue: 0.5 })).to.contain(
      '"queue":0.500000,"app":1.500000',
    );
  });

  it('keeps the time right from second to second', () => {
    const times = [ENTRY.time, ENTRY.time + 1, ENTRY.time + 1000, ENTRY.time - 5000, ENTRY.time + 0.9];
    for (const time of times) {
      expect(JSON.parse(lineOf(putJson, { ...ENTRY, time }))).to.have.property(
        'time',
        new Date(time).toISOString(),
      );
    }
  });
});

describe('observe/access-log combined', () => {
  const LINE = /^(\S+) - (\S+) \[([^\]]+)\] "([^"]*)" (\d{3}) (\d+) "([^"]*)" "([^"]*)"\n$/;

  it("is nginx's format", () => {
    const line = lineOf(putCombined, {
      ...ENTRY,
      remoteUser: 'joe',
      userAgent: 'curl/8 (x)',
      referer: 'http://x/',
    });
    const [, address, user, time = '', request, status, bytes, referer, agent] = LINE.exec(line) ?? [];
    expect([address, user, request, status, bytes, referer, agent]).to.deep.equal([
      '192.0.2.7',
      'joe',
      'GET /a?b=c HTTP/1.1',
      '200',
      '12',
      'http://x/',
      'curl/8 (x)',
    ]);
    const [, day, month, year, clock, hours, minutes] =
      /^(\d\d)\/(\w{3})\/(\d{4}):(\d\d:\d\d:\d\d) ([+-]\d\d)(\d\d)$/.exec(time) ?? [];
    expect(Date.parse(`${day} ${month} ${year} ${clock} ${hours}${minutes}`)).to.equal(
      Math.floor(ENTRY.time / 1000) * 1000,
    );
  });

  it('writes - for what is absent', () => {
    expect(lineOf(putCombined, { ...ENTRY, remoteAddr: '', status: 0 })).to.match(
      /^- - - \[.*\] ".*" 000 12 "-" "-"\n$/,
    );
  });

  it('escapes as nginx does: the quote, the backslash, controls and all above 126 as \\xHH', () => {
    const line = lineOf(putCombined, { ...ENTRY, userAgent: 'a"b\\c\n\u0000\u007f\u00e9~' });
    expect(line).to.contain('"a\\x22b\\x5Cc\\x0A\\x00\\x7F\\xE9~"\n');
    expect(lineOf(putCombined, { ...ENTRY, userAgent: '\u20ac' })).to.contain('"\\xE2\\x82\\xAC"\n');
  });

  it('keeps its shape whatever the fields hold', () => {
    const fields = ['remoteAddr', 'remoteUser', 'method', 'uri', 'protocol', 'referer', 'userAgent'];
    for (const text of HOSTILE) {
      for (const field of fields) {
        const line = lineOf(putCombined, { ...ENTRY, [field]: text });
        expect(line, field).to.match(LINE);
        expect(line).to.match(/^[\x20-\x7e]+\n$/);
      }
    }
  });
});

describe('observe/access-log', () => {
  it('writes entries to its file in order', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'viaduct-access-'));
    const file = join(folder, 'access.log');
    const log = createAccessLog({ enabled: true, file, format: 'json' });
    for (let i = 0; i < 1000; i++) log.write({ ...ENTRY, bytesOut: i });
    await log.close();
    const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1);
    expect(lines.map((line) => (JSON.parse(line) as { bytes_out: number }).bytes_out)).to.deep.equal(
      Array.from({ length: 1000 }, (_, i) => i),
    );
    expect(log.dropped()).to.equal(0);
    rmSync(folder, { recursive: true });
  });

  it('does nothing when it is off, not even open the file', async () => {
    const log = createAccessLog({ enabled: false, file: '/nowhere/at/all', format: 'combined' });
    log.write(ENTRY);
    log.reopen();
    await log.close();
    expect(log.dropped()).to.equal(0);
  });
});
