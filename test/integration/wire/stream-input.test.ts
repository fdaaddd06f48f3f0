// uwsgi and SCGI: odd and broken input, at the wire. One request a connection, and nothing after it is ever read as another.
import { expect } from 'chai';
import type { Application } from '../../../src/gateway/contract.ts';
import { bytesOf, scgiHeaders, scgiNetstring, uwsgiPacket, uwsgiVars } from '../../helpers/bytes.ts';
import { ask, DIALECTS, paramsOf } from '../../helpers/dialects.ts';
import { startWorker, type TestWorker } from '../../helpers/worker.ts';
import { echo, hello, strings } from './apps.ts';

const GET = paramsOf({ length: null });
const vars = (pairs: readonly string[], options = {}): Buffer => uwsgiPacket(uwsgiVars(pairs), options);
const headers = (...pairs: string[]): Buffer =>
  scgiNetstring(scgiHeaders(['CONTENT_LENGTH', '0', 'SCGI', '1', ...GET, ...pairs]));

interface Row {
  name: string;
  bytes: Uint8Array;
  /** 0: nothing comes back. */
  status: number;
  /** Instead of a response: these bytes. */
  raw?: number[];
  /** The body of the response. */
  body?: string;
  counted?: Record<string, number>;
  /** The peer ends its side after the bytes; otherwise it waits. */
  ends?: boolean;
}

const fault = (name: string, bytes: Uint8Array, status: number, ...reasons: string[]): Row => ({
  name,
  bytes,
  status,
  counted: Object.fromEntries(reasons.map((reason) => [reason, 1])),
});

const block = (bytes: Uint8Array | string): Buffer => uwsgiPacket(bytes);
const GET_VARS = uwsgiVars(GET);
const AFTER_BODY = vars(paramsOf({ path: '/never' }));

const UWSGI: Row[] = [
  fault('a datasize of 0', block(''), 400, 'empty_block'),
  fault('an empty name', block(uwsgiVars([...GET, '', 'x'])), 400, 'bad_block'),
  fault('a name past the block', block(Buffer.concat([GET_VARS, Buffer.of(9, 0, 65)])), 400, 'bad_block'),
  fault(
    'a value past the block',
    block(Buffer.concat([GET_VARS, Buffer.of(1, 0, 65, 9, 0, 66)])),
    400,
    'bad_block',
  ),
  fault('a length cut off', block(Buffer.concat([GET_VARS, Buffer.of(1, 0, 65, 1)])), 400, 'bad_block'),
  fault('one stray byte at the end', block(Buffer.concat([GET_VARS, Buffer.of(1)])), 400, 'bad_block'),
  { name: 'an empty value at the end', bytes: vars([...GET, 'A', '']), status: 200 },
  fault('a name with "="', vars([...GET, 'A=B', 'x']), 200, 'bad_param_name'),
  fault('a value with NUL', vars([...GET, 'A', 'x\0']), 200, 'bad_param_name'),
  fault(
    'more vars than limits.params_count',
    vars(Array.from({ length: 102 }, () => 'A')),
    431,
    'params_count',
  ),
  fault('more bytes than limits.params_size', vars([...GET, 'A', 'x'.repeat(8192)]), 431, 'params_size'),
  ...['3x', '-1', ' 3'].map((length) =>
    fault(`CONTENT_LENGTH "${length}"`, vars(['CONTENT_LENGTH', length, ...GET]), 400, 'bad_content_length'),
  ),
  { name: 'an empty CONTENT_LENGTH', bytes: vars(['CONTENT_LENGTH', '', ...GET]), status: 200 },
  { name: 'modifier1 5, with any modifier2', bytes: vars(GET, { modifier1: 5, modifier2: 7 }), status: 200 },
  {
    name: 'modifier1 30: SCRIPT_NAME comes off PATH_INFO',
    bytes: vars([...paramsOf({ path: '/strings/x', length: null }), 'SCRIPT_NAME', '/strings'], {
      modifier1: 30,
    }),
    status: 200,
    body: '"SCRIPT_NAME":"/strings","PATH_INFO":"/x"',
  },
  ...[1, 22, 31, 72, 97, 98, 110, 111, 173, 200, 255].map((modifier1) =>
    fault(`modifier1 ${modifier1}`, vars(GET, { modifier1 }), 0, 'unknown_modifier'),
  ),
  { name: 'a ping', bytes: Buffer.of(100, 0, 0, 0), status: 0, raw: [100, 0, 0, 1] },
  { name: 'a spooler job', bytes: vars(GET, { modifier1: 17 }), status: 0, raw: [255, 0, 0, 0] },
  fault('HTTP', bytesOf('GET / HTTP/1.1\r\nHost: a\r\n\r\n'), 0, 'http_on_uwsgi'),
  { ...fault('half a header', Buffer.of(0, 9), 0, 'truncated'), ends: true },
  { ...fault('half a block', vars(GET).subarray(0, 20), 0, 'truncated'), ends: true },
  { name: 'no byte at all', bytes: Buffer.alloc(0), status: 0, ends: true },
  {
    ...fault(
      'a second packet behind the body',
      Buffer.concat([vars(paramsOf({ path: '/echo', length: 3 })), bytesOf('abc'), AFTER_BODY]),
      200,
      'excess_body',
    ),
    body: 'abc',
  },
  fault('a second packet where there is no body', Buffer.concat([vars(GET), AFTER_BODY]), 200, 'excess_body'),
];

const netstring = (text: string): Buffer => scgiNetstring(scgiHeaders(text.split(' ')));

const SCGI: Row[] = [
  fault('a length of 0', bytesOf('0:,'), 400, 'bad_netstring'),
  fault('a length with a leading zero', bytesOf('012:'), 400, 'bad_netstring'),
  fault('a length of eight digits', bytesOf('12345678:'), 400, 'bad_netstring'),
  fault('no length', bytesOf(':'), 400, 'bad_netstring'),
  fault('no comma', Buffer.concat([headers().subarray(0, -1), bytesOf('x')]), 400, 'bad_netstring'),
  fault('a header without its NUL', scgiNetstring('CONTENT_LENGTH\x000\0SCGI\x001\0A'), 400, 'bad_headers'),
  fault('an empty name', headers('', 'x'), 400, 'bad_headers'),
  fault('CONTENT_LENGTH second', netstring('SCGI 1 CONTENT_LENGTH 0'), 400, 'bad_headers'),
  fault('CONTENT_LENGTH twice', headers('CONTENT_LENGTH', '0'), 400, 'bad_headers'),
  fault('no SCGI header', netstring('CONTENT_LENGTH 0'), 400, 'bad_headers'),
  fault('SCGI 2', netstring('CONTENT_LENGTH 0 SCGI 2'), 400, 'bad_headers'),
  fault('an empty CONTENT_LENGTH', scgiNetstring('CONTENT_LENGTH\0\0SCGI\x001\0'), 400, 'bad_content_length'),
  fault('CONTENT_LENGTH "3x"', netstring('CONTENT_LENGTH 3x SCGI 1'), 400, 'bad_content_length'),
  fault('a name with "="', headers('A=B', 'x'), 200, 'bad_param_name'),
  fault(
    'more headers than limits.params_count',
    headers(...Array.from({ length: 100 }, () => 'A')),
    431,
    'params_count',
  ),
  fault('more bytes than limits.params_size', bytesOf('8193:CONTENT_LENGTH'), 431, 'params_size'),
  fault('HTTP', bytesOf('GET / HTTP/1.1\r\nHost: a\r\n\r\n'), 400, 'bad_netstring'),
  { ...fault('half a length', bytesOf('12'), 0, 'truncated'), ends: true },
  { ...fault('half its headers', headers().subarray(0, 20), 0, 'truncated'), ends: true },
  { name: 'no byte at all', bytes: Buffer.alloc(0), status: 0, ends: true },
  {
    ...fault(
      'a second request behind the body',
      Buffer.concat([
        ask(DIALECTS.scgi, 'abc', { path: '/echo' }),
        ask(DIALECTS.scgi, '', { path: '/never' }),
      ]),
      200,
      'excess_body',
    ),
    body: 'abc',
  },
];

/** Requests that nobody sent, but somebody could read out of a body. */
let wrongCalls = 0;
const never: Application = (...call) => {
  wrongCalls += 1;
  return hello(...call);
};

for (const [protocol, rows] of [
  ['uwsgi', UWSGI],
  ['scgi', SCGI],
] as const) {
  describe(`wire: ${protocol} input`, () => {
    let worker: TestWorker;

    before(async () => {
      worker = await startWorker({
        listeners: [{ protocol }],
        mounts: [
          { app: hello },
          { path: '/echo', app: echo },
          { path: '/strings', app: strings },
          { path: '/never', app: never },
        ],
        limits: { paramsCount: 50, paramsSize: 8192 },
      });
    });
    after(async () => {
      await worker.stop();
      await worker.quiet();
    });

    for (const way of ['in one piece', 'byte by byte'] as const) {
      for (const row of rows) {
        if (way === 'byte by byte' && row.bytes.length > 1500) continue;
        it(`${row.name}, ${way}`, async () => {
          const before = worker.protocolErrors;
          const peer = await worker.connect();
          if (way === 'in one piece') peer.send(row.bytes);
          else await peer.trickle(row.bytes);
          if (row.ends === true) peer.end();
          const received = await peer.whole();
          const answer = DIALECTS[protocol].answer(received, true);
          expect(answer?.status ?? 0).to.equal(row.status);
          if (row.status === 0) expect([...received]).to.deep.equal(row.raw ?? []);
          if (row.body !== undefined) expect(answer?.body.toString('latin1')).to.include(row.body);
          expect(peer.errorCode).to.equal(null);
          // Bytes behind a request that is answered already are dropped without a count.
          const lost = way === 'byte by byte' && row.counted?.['excess_body'] === 1;
          expect(difference(before, worker.protocolErrors, protocol)).to.deep.equal(
            lost ? {} : (row.counted ?? {}),
          );
          expect(wrongCalls).to.equal(0);
        });
      }
    }
  });
}

function difference(
  before: Record<string, number>,
  after: Record<string, number>,
  protocol: string,
): Record<string, number> {
  const changed = Object.entries(after).map(
    ([key, count]) => [key.replace(`${protocol} `, ''), count - (before[key] ?? 0)] as const,
  );
  return Object.fromEntries(changed.filter(([, count]) => count !== 0));
}
