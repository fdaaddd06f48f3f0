// What the properties are checked on: params, valid streams, streams with faults, and how a network may cut them.
import * as fc from 'fast-check';
import {
  bytesOf,
  fcgiBegin,
  fcgiPairs,
  fcgiRecord,
  fcgiStream,
  FcgiType,
  scgiHeaders,
  scgiNetstring,
  uwsgiPacket,
  uwsgiVars,
} from '../helpers/bytes.ts';

const latin1 = (maxLength: number): fc.Arbitrary<string> =>
  fc.uint8Array({ maxLength }).map((bytes) => Buffer.from(bytes).toString('latin1'));

const commonName = fc.constantFrom('PATH_INFO', 'SCRIPT_NAME', 'HTTP_COOKIE', 'QUERY_STRING', 'A');
const cleanName = fc.oneof(
  commonName,
  latin1(300).map((text) => text.replace(/[\0=]/g, '_') || 'N'),
);
const cleanValue = fc.oneof(latin1(12), latin1(300)).map((text) => text.replaceAll('\0', '0'));

/** Names and values every environ can hold; CONTENT_LENGTH, which has a meaning, is left to the streams. */
export const cleanParams: fc.Arbitrary<string[]> = fc
  .array(fc.tuple(cleanName, cleanValue), { maxLength: 8 })
  .map((pairs) => pairs.flat());

/** Any latin-1 at all, empty names, NUL and "=" too. */
export const anyParams: fc.Arbitrary<string[]> = fc
  .array(fc.tuple(fc.oneof(commonName, latin1(6)), latin1(6)), { maxLength: 8 })
  .map((pairs) => pairs.flat());

export const body: fc.Arbitrary<Buffer> = fc
  .uint8Array({ maxLength: 200 })
  .map((bytes) => Buffer.from(bytes));

export interface Valid {
  params: string[];
  body: Buffer;
  bytes: Buffer;
}

export const validUwsgi: fc.Arbitrary<Valid> = fc.tuple(cleanParams, body).map(([pairs, content]) => {
  const params = [...pairs, 'CONTENT_LENGTH', String(content.length)];
  return { params, body: content, bytes: Buffer.concat([uwsgiPacket(uwsgiVars(params)), content]) };
});

export const validScgi: fc.Arbitrary<Valid> = fc.tuple(cleanParams, body).map(([pairs, content]) => {
  const params = ['CONTENT_LENGTH', String(content.length), ...pairs, 'SCGI', '1'];
  return { params, body: content, bytes: Buffer.concat([scgiNetstring(scgiHeaders(params)), content]) };
});

export interface ValidFastcgi extends Valid {
  id: number;
  keepConn: boolean;
}

const recordSize = fc.oneof(fc.integer({ min: 1, max: 20 }), fc.constant(32768));

/** One request, its streams torn into records of any size, lengths in one or four bytes. */
export const validFastcgi: fc.Arbitrary<ValidFastcgi> = fc
  .record({
    id: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 65535 })),
    keepConn: fc.boolean(),
    wide: fc.boolean(),
    params: cleanParams,
    body,
    paramsRecord: recordSize,
    stdinRecord: recordSize,
  })
  .map(({ id, keepConn, wide, params, body: content, paramsRecord, stdinRecord }) => {
    const bytes = Buffer.concat([
      fcgiBegin(id, { keepConn }),
      fcgiStream(FcgiType.PARAMS, id, fcgiPairs(params, { wide }), paramsRecord),
      fcgiStream(FcgiType.STDIN, id, content, stdinRecord),
    ]);
    return { id, keepConn, params, body: content, bytes };
  });

/** Well-formed records in any order, of any type, for few ids, with fitting and other contents. */
export const fastcgiRecords: fc.Arbitrary<Buffer> = fc
  .array(
    fc.record({
      type: fc.oneof(fc.constantFrom(1, 4, 4, 5, 2, 9), fc.integer({ min: 0, max: 14 })),
      id: fc.integer({ min: 0, max: 3 }),
      content: fc.oneof(
        fc.constant(Buffer.alloc(0)),
        anyParams.map((params) => fcgiPairs(params)),
        body,
      ),
      role: fc.constantFrom(1, 1, 1, 1, 1, 2, 9),
      padding: fc.integer({ min: 0, max: 255 }),
    }),
    { maxLength: 12 },
  )
  .map((records) =>
    Buffer.concat(
      records.map(({ type, id, content, role, padding }) =>
        type === FcgiType.BEGIN_REQUEST
          ? fcgiBegin(id, { role })
          : fcgiRecord(type, id, content, { padding }),
      ),
    ),
  );

/** Packets that may lie about their size, with blocks that may be anything. */
export const uwsgiLike: fc.Arbitrary<Buffer> = fc
  .record({
    modifier1: fc.constantFrom(0, 0, 0, 0, 5, 30, 30, 17, 22, 71, 100, 255),
    block: fc.oneof(anyParams.map(uwsgiVars), anyParams.map(uwsgiVars), body),
    lie: fc.constantFrom(0, 0, 0, -1, 1, 7),
    content: body,
  })
  .map(({ modifier1, block, lie, content }) =>
    Buffer.concat([uwsgiPacket(block, { modifier1, size: Math.max(0, block.length + lie) }), content]),
  );

const scgiParams = fc.oneof(
  anyParams,
  anyParams.map((params) => ['CONTENT_LENGTH', '3', ...params]),
  anyParams.map((params) => ['CONTENT_LENGTH', '3', ...params, 'SCGI', '1']),
);

export const scgiLike: fc.Arbitrary<Buffer> = fc
  .record({
    headers: fc.oneof(scgiParams.map(scgiHeaders), body),
    lie: fc.constantFrom('', '', '', '0', '1'),
    content: body,
  })
  .map(({ headers, lie, content }) => Buffer.concat([bytesOf(lie), scgiNetstring(headers), content]));

export const anyBytes: fc.Arbitrary<Buffer> = fc.oneof(
  body,
  fc
    .array(fc.constantFrom(0, 1, 4, 5, 8, 48, 49, 58, 44, 255), { maxLength: 64 })
    .map((bytes) => Buffer.from(bytes)),
);

type Mutation = [kind: 'set' | 'insert' | 'remove' | 'repeat' | 'cut', at: number, value: number];

const mutations: fc.Arbitrary<Mutation[]> = fc.array(
  fc.tuple(
    fc.constantFrom('set', 'set', 'insert', 'remove', 'repeat', 'cut'),
    fc.nat(),
    fc.oneof(fc.constantFrom(0, 1, 127, 128, 255), fc.integer({ min: 0, max: 255 })),
  ),
  { minLength: 1, maxLength: 4 },
);

function mutate(bytes: Buffer, [kind, position, value]: Mutation): Buffer {
  const at = bytes.length === 0 ? 0 : position % bytes.length;
  const [head, tail] = [bytes.subarray(0, at), bytes.subarray(at)];
  switch (kind) {
    case 'set':
      return Buffer.concat([head, Buffer.of(value), tail.subarray(1)]);
    case 'insert':
      return Buffer.concat([head, Buffer.of(value), tail]);
    case 'remove':
      return Buffer.concat([head, tail.subarray(1 + (value % 16))]);
    case 'repeat':
      return Buffer.concat([head, tail.subarray(0, value % 32), tail]);
    case 'cut':
    default:
      return head;
  }
}

/** Bytes of `source` with one to four faults. */
export function mutated(source: fc.Arbitrary<Buffer>): fc.Arbitrary<Buffer> {
  return fc.tuple(source, mutations).map(([bytes, list]) => list.reduce(mutate, bytes));
}

/** Cuts bytes into chunks at up to six places, some of them the same. */
export const cuts: fc.Arbitrary<number[]> = fc.array(fc.nat(), { maxLength: 6 });

export function chunksOf(bytes: Buffer, places: readonly number[]): Buffer[] {
  const sorted = places.map((place) => place % (bytes.length + 1)).toSorted((a, b) => a - b);
  return [0, ...sorted].map((start, i) => bytes.subarray(start, sorted[i] ?? bytes.length));
}
