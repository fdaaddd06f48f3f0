// Odd and broken FastCGI input: the bytes, and what has to come of them.
import { fcgiBegin, fcgiPairs, fcgiRecord, fcgiRequest, fcgiStream, FcgiType } from '../../helpers/bytes.ts';
import { paramsOf, readRecords } from '../../helpers/dialects.ts';

const { PARAMS, STDIN, DATA, ABORT_REQUEST, END_REQUEST, STDOUT, STDERR, GET_VALUES } = FcgiType;
const GET = paramsOf({});
const GET_LATER = paramsOf({ path: '/echo', length: null });
export const KEEP = { keepConn: true };

const join = (...parts: Uint8Array[]): Buffer => Buffer.concat(parts);
const params = (id: number, pairs: readonly string[]): Buffer => fcgiStream(PARAMS, id, fcgiPairs(pairs));
export const good = (id: number): Buffer => fcgiRequest(id, GET, '', KEEP);
/** A request around other PARAMS records. */
const withParams = (...records: Uint8Array[]): Buffer =>
  join(fcgiBegin(1, KEEP), ...records, fcgiRecord(STDIN, 1));

export interface FastcgiCase {
  name: string;
  bytes: Uint8Array;
  /** The records that come back, see brief(). */
  reply?: string[];
  /** viaduct_protocol_errors_total, without its protocol. */
  counted?: Record<string, number>;
  closes?: boolean;
  /** Byte by byte it is something else: the application answers before the odd part comes. */
  onlyWhole?: boolean;
}

/** A record in a few words; of a CGI response the status. */
function brief({ type, id, content }: ReturnType<typeof readRecords>['records'][number]): string[] {
  switch (type) {
    case STDOUT:
      return content.length === 0 ? [] : [`${id}: ${/^Status: (\d+)/.exec(content.toString('latin1'))?.[1]}`];
    case END_REQUEST:
      return [`${id}: end ${content.readUInt32BE(0)} ${content[4]}`];
    case FcgiType.UNKNOWN_TYPE:
      return [`unknown type ${content[0]}`];
    case FcgiType.GET_VALUES_RESULT:
      return [`values ${content.toString('latin1')}`];
    default:
      return [`type ${type}`];
  }
}

export const replies = (bytes: Buffer): string[] => readRecords(bytes).records.flatMap(brief);
export const served = (id: number): string[] => [`${id}: 200`, `${id}: end 0 0`];
const refused = (id: number, status: number): string[] => [`${id}: ${status}`, `${id}: end 0 0`];

export const FRAMING: FastcgiCase[] = [
  {
    name: 'a record of version 2',
    bytes: fcgiRecord(1, 1, '', { version: 2 }),
    counted: { bad_version: 1 },
    closes: true,
  },
  {
    name: 'a record of version 0 inside a request',
    bytes: join(fcgiBegin(1, KEEP), fcgiRecord(PARAMS, 1, '', { version: 0 })),
    counted: { bad_version: 1 },
    closes: true,
  },
  {
    name: 'HTTP',
    bytes: Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n'),
    counted: { bad_version: 1 },
    closes: true,
  },
  {
    name: 'a management record of an unknown type, with content and padding',
    bytes: fcgiRecord(12, 0, 'what', { padding: 200, paddingByte: 1 }),
    reply: ['unknown type 12'],
    counted: { unknown_type: 1 },
  },
  {
    name: 'a management record of type 0',
    bytes: fcgiRecord(0, 0),
    reply: ['unknown type 0'],
    counted: { unknown_type: 1 },
  },
  {
    name: 'a record of an unknown type inside a request',
    bytes: join(fcgiBegin(1, KEEP), fcgiRecord(99, 1, 'abc'), params(1, GET), fcgiRecord(STDIN, 1)),
    reply: served(1),
    counted: { unknown_type: 1 },
  },
  ...[END_REQUEST, STDOUT, STDERR, FcgiType.GET_VALUES_RESULT, FcgiType.UNKNOWN_TYPE].map((type) => ({
    name: `a record of type ${type}, which only an application sends`,
    bytes: join(fcgiRecord(type, 0, '12345678'), fcgiRecord(type, 1, '12345678')),
    counted: { wrong_direction: 2 },
  })),
  {
    name: 'records of a request that does not exist, padding included',
    bytes: join(
      fcgiRecord(STDIN, 9, 'lost', { padding: 255, paddingByte: 1 }),
      fcgiRecord(PARAMS, 9, fcgiPairs(GET)),
      fcgiRecord(DATA, 0, 'lost'),
      fcgiRecord(ABORT_REQUEST, 9),
    ),
    counted: {},
  },
  {
    name: '101 odd records',
    bytes: join(...Array.from({ length: 101 }, () => fcgiRecord(END_REQUEST, 0))),
    counted: { wrong_direction: 101, too_much_noise: 1 },
    closes: true,
  },
];

export const BEGINS: FastcgiCase[] = [
  { name: 'BEGIN_REQUEST with id 0', bytes: fcgiBegin(0), counted: { bad_begin: 1 }, closes: true },
  {
    name: 'BEGIN_REQUEST of 7 bytes',
    bytes: fcgiRecord(1, 1, Buffer.of(0, 1, 1, 0, 0, 0, 0)),
    counted: { bad_begin: 1 },
    closes: true,
  },
  ...[2, 3, 77].map((role) => ({
    name: `role ${role}, with what belongs to the request`,
    bytes: join(fcgiBegin(1, { role, keepConn: true }), params(1, GET), fcgiStream(STDIN, 1, 'abc')),
    reply: ['1: end 0 3'],
    counted: { unknown_role: 1 },
  })),
  {
    name: 'an unknown role without FCGI_KEEP_CONN',
    bytes: join(fcgiBegin(1, { role: 2 }), params(1, GET), fcgiRecord(STDIN, 1)),
    reply: ['1: end 0 3'],
    counted: { unknown_role: 1 },
    closes: true,
  },
  {
    name: 'BEGIN_REQUEST for an active id',
    bytes: join(fcgiBegin(1, KEEP), fcgiBegin(1, KEEP)),
    counted: { id_reuse: 1 },
    closes: true,
  },
  { name: 'the highest id', bytes: good(65_535), reply: served(65_535) },
  {
    name: 'the 65th request at once',
    bytes: join(...Array.from({ length: 65 }, (_, at) => fcgiBegin(at + 2, KEEP))),
    reply: ['66: end 0 2'],
    counted: { too_many_ids: 1 },
  },
];

const huge = Buffer.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff);

export const PARAM_ROWS: FastcgiCase[] = [
  {
    name: 'PARAMS of one byte a record',
    bytes: withParams(fcgiStream(PARAMS, 1, fcgiPairs(GET, { wide: true }), 1)),
    reply: served(1),
  },
  {
    name: 'PARAMS that end inside a pair',
    bytes: withParams(fcgiStream(PARAMS, 1, fcgiPairs(GET).subarray(0, -1))),
    reply: refused(1, 400),
    counted: { truncated_params: 1 },
  },
  {
    name: 'PARAMS that end inside a length',
    bytes: withParams(fcgiStream(PARAMS, 1, join(fcgiPairs(GET), huge.subarray(0, 3)))),
    reply: refused(1, 400),
    counted: { truncated_params: 1 },
  },
  {
    name: 'lengths of 2 GiB',
    bytes: withParams(fcgiStream(PARAMS, 1, join(fcgiPairs(GET), huge))),
    reply: refused(1, 400),
    counted: { truncated_params: 1 },
  },
  {
    name: 'names that may not reach an environ',
    bytes: withParams(params(1, [...GET, '', 'x', 'A=B', 'x', 'N\0', 'x', 'V', 'x\0y'])),
    reply: served(1),
    counted: { bad_param_name: 4 },
  },
  {
    name: 'more params than limits.params_count',
    bytes: withParams(
      params(
        1,
        Array.from({ length: 102 }, () => 'A'),
      ),
    ),
    reply: refused(1, 431),
    counted: { params_count: 1 },
  },
  {
    name: 'more bytes of params than limits.params_size',
    bytes: withParams(params(1, [...GET, 'A', 'x'.repeat(10_000)])),
    reply: refused(1, 431),
    counted: { params_size: 1 },
  },
  ...['3x', '-1', '1 ', '99999999999999999999'].map((length) => ({
    name: `CONTENT_LENGTH "${length}"`,
    bytes: withParams(params(1, ['CONTENT_LENGTH', length, ...paramsOf({ length: null })])),
    reply: refused(1, 400),
    counted: { bad_content_length: 1 },
  })),
  {
    name: 'PARAMS after their end',
    bytes: withParams(params(1, GET), params(1, GET)),
    reply: served(1),
    counted: { late_params: 2 },
    onlyWhole: true,
  },
];

export const STDIN_ROWS: FastcgiCase[] = [
  {
    name: 'STDIN before the params end',
    bytes: join(fcgiBegin(1, KEEP), fcgiRecord(PARAMS, 1, fcgiPairs(GET)), fcgiRecord(STDIN, 1, 'x')),
    counted: { early_stdin: 1 },
    closes: true,
  },
  {
    name: 'an empty STDIN before the params end',
    bytes: join(fcgiBegin(1, KEEP), fcgiRecord(STDIN, 1)),
    counted: { early_stdin: 1 },
    closes: true,
  },
  {
    name: 'STDIN after its end',
    bytes: join(fcgiRequest(1, GET_LATER, 'abc', KEEP), fcgiRecord(STDIN, 1, 'more'), fcgiRecord(STDIN, 1)),
    reply: served(1),
    counted: { late_stdin: 1 },
    onlyWhole: true,
  },
  {
    name: 'DATA, which is the Filter role',
    bytes: join(fcgiBegin(1, KEEP), fcgiRecord(DATA, 1, 'x'), params(1, GET), fcgiRecord(STDIN, 1)),
    reply: served(1),
  },
  {
    name: 'more STDIN than CONTENT_LENGTH',
    bytes: fcgiRequest(1, paramsOf({ path: '/echo', length: 3 }), 'abcdef', KEEP),
    reply: served(1),
    counted: { excess_body: 1 },
    closes: true,
    onlyWhole: true,
  },
  {
    name: 'less STDIN than CONTENT_LENGTH',
    bytes: fcgiRequest(1, paramsOf({ path: '/echo', length: 9 }), 'abc', KEEP),
    reply: refused(1, 400),
  },
  {
    name: 'ABORT_REQUEST before the params end',
    bytes: join(fcgiBegin(1, KEEP), fcgiRecord(ABORT_REQUEST, 1), params(1, GET), fcgiRecord(STDIN, 1)),
    reply: ['1: end 0 0'],
  },
  {
    name: 'ABORT_REQUEST without FCGI_KEEP_CONN',
    bytes: join(fcgiBegin(1), fcgiRecord(ABORT_REQUEST, 1)),
    reply: ['1: end 0 0'],
    closes: true,
  },
];

const getValues = (...names: string[]): Buffer =>
  fcgiRecord(GET_VALUES, 0, fcgiPairs(names.flatMap((name) => [name, ''])));

export const VALUES: FastcgiCase[] = [
  {
    name: 'GET_VALUES for all there are, one twice and one unknown',
    bytes: getValues('FCGI_MPXS_CONNS', 'FCGI_MAX_REQS', 'NO', 'FCGI_MAX_CONNS', 'FCGI_MAX_REQS'),
    reply: ['values \x0f\x01FCGI_MPXS_CONNS1\x0d\x04FCGI_MAX_REQS1024\x0e\x04FCGI_MAX_CONNS4096'],
  },
  { name: 'GET_VALUES for what nobody knows', bytes: getValues('NO'), reply: ['values '] },
  { name: 'GET_VALUES for nothing', bytes: fcgiRecord(GET_VALUES, 0), reply: ['values '] },
  {
    name: 'GET_VALUES that end inside a pair',
    bytes: fcgiRecord(GET_VALUES, 0, 'x'),
    counted: { bad_get_values: 1 },
    closes: true,
  },
  {
    name: 'GET_VALUES inside a request',
    bytes: join(fcgiBegin(1, KEEP), getValues('NO'), params(1, GET), fcgiRecord(STDIN, 1)),
    reply: ['values ', ...served(1)],
  },
];
