// Golden bytes of lane frames, both ways. Builds its bytes itself.
import { expect } from 'chai';
import {
  encodeBodyHeader,
  encodeEmpty,
  encodeRequest,
  FrameDecoder,
  FrameError,
  FrameFlag,
  FrameType,
  INBOX_FRAME,
  LANE_VERSION,
  ticketOf,
  writeLeave,
  writeRequest,
} from '../../../../src/apps/python/frames.ts';
import type { EnvironText } from '../../../../src/apps/python/environ-text.ts';
import type { Frame } from '../../../../src/apps/python/frames.ts';
import { singleBytes, splitPoints } from '../../../helpers/replay.ts';

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');

// One golden case a frame that Python sends: the bytes, written out, and what they mean.
const GOLDEN: { name: string; bytes: string; frame: Omit<Frame, 'bytes' | 'rest'> & { bytes: string } }[] = [
  {
    name: 'HELLO',
    bytes: '\x0f\0\0\0\x07\0\x03\0\x0f\0\0\x004711\x000\x003\0feed\0x',
    frame: { type: FrameType.Hello, flags: 0, aux: LANE_VERSION, head: '4711\x000\x003\0feed\0x', bytes: '' },
  },
  {
    name: 'CLAIM that waits for its request',
    bytes: '\0\0\0\0\x08\x40\x02\x01\0\0\0\0',
    frame: { type: FrameType.Claim, flags: FrameFlag.Waits, aux: 258, head: '', bytes: '' },
  },
  {
    name: 'HEAD with all of a small response, close() to come',
    bytes: '\x21\0\0\0\x03\x09\xc8\0\x1c\0\0\x00200 OK\0Content-Type\0text/\xe9tahello',
    frame: {
      type: FrameType.Head,
      flags: FrameFlag.Fin | FrameFlag.Closing,
      aux: 200,
      head: '200 OK\0Content-Type\0text/\xe9ta',
      bytes: 'hello',
    },
  },
  {
    name: 'HEAD of a response that goes on',
    bytes: '\x0d\0\0\0\x03\0\x94\x01\x0d\0\0\x00404 Not Found',
    frame: { type: FrameType.Head, flags: 0, aux: 404, head: '404 Not Found', bytes: '' },
  },
  {
    name: 'DATA',
    bytes: '\x04\0\0\0\x04\0\0\0\0\0\0\0\0\xff\r\n',
    frame: { type: FrameType.Data, flags: 0, aux: 0, head: '', bytes: '\0\xff\r\n' },
  },
  {
    name: 'DATA that ends a response',
    bytes: '\0\0\0\0\x04\x01\0\0\0\0\0\0',
    frame: { type: FrameType.Data, flags: FrameFlag.Fin, aux: 0, head: '', bytes: '' },
  },
  {
    name: 'ERR after HEAD',
    bytes: '\x10\0\0\0\x05\x10\0\0\0\0\0\0KeyError\0\xc3\xa9\0T...',
    frame: {
      type: FrameType.Err,
      flags: FrameFlag.Post,
      aux: 0,
      head: '',
      bytes: 'KeyError\0\xc3\xa9\0T...',
    },
  },
  {
    name: 'LOG from close()',
    bytes: '\x05\0\0\0\x06\x20\0\0\0\0\0\0late\n',
    frame: { type: FrameType.Log, flags: FrameFlag.Close, aux: 0, head: '', bytes: 'late\n' },
  },
];

function frames(chunks: readonly Buffer[]): Frame[] {
  const seen: Frame[] = [];
  const decoder = new FrameDecoder((frame) => seen.push({ ...frame, bytes: Buffer.from(frame.bytes) }));
  for (const chunk of chunks) {
    const lent = Buffer.from(chunk);
    decoder.push(lent);
    lent.fill(0xee);
  }
  expect(decoder.idle).to.equal(true);
  return seen;
}

/** Frames with their parts joined: what a reader of the bytes would say was sent. */
function whole(chunks: readonly Buffer[]): object[] {
  const joined: { type: number; flags: number; aux: number; head: string; bytes: string }[] = [];
  let rest = 0;
  for (const { bytes, rest: left, ...frame } of frames(chunks)) {
    const text = bytes.toString('latin1');
    const last = joined.at(-1);
    if (rest === 0 || last === undefined) joined.push({ ...frame, bytes: text });
    else {
      expect(frame).to.deep.equal({ type: FrameType.Data, flags: last.flags, aux: 0, head: '' });
      expect(left).to.equal(rest - bytes.length);
      last.bytes += text;
    }
    rest = left;
  }
  expect(rest).to.equal(0);
  return joined;
}

describe('FrameDecoder', () => {
  for (const { name, bytes, frame } of GOLDEN) {
    it(`reads ${name}`, () => {
      expect(frames([latin1(bytes)])).to.deep.equal([{ ...frame, bytes: latin1(frame.bytes), rest: 0 }]);
    });
  }

  it('reads all of them however they are cut', () => {
    const bytes = latin1(GOLDEN.map((golden) => golden.bytes).join(''));
    const wanted = GOLDEN.map((golden) => golden.frame);
    expect(whole([bytes])).to.deep.equal(wanted);
    expect(whole(singleBytes(bytes))).to.deep.equal(wanted);
    for (const at of splitPoints(bytes.length))
      expect(whole([bytes.subarray(0, at), bytes.subarray(at)]), `cut at ${at}`).to.deep.equal(wanted);
  });

  it('hands on the bytes of HEAD and DATA as they come, and tells how many are missing', () => {
    const frame = latin1('\x0b\0\0\0\x03\x01\xc8\0\x06\0\0\x00200 OKabcde');
    const seen = frames([frame.subarray(0, 20), frame.subarray(20, 22), frame.subarray(22)]);
    expect(seen.map(({ type, flags, head, bytes, rest }) => [type, flags, head, String(bytes), rest]))
      .to.deep //
      .equal([
        [FrameType.Head, FrameFlag.Fin, '200 OK', 'ab', 3],
        [FrameType.Data, FrameFlag.Fin, '', 'cd', 1],
        [FrameType.Data, FrameFlag.Fin, '', 'e', 0],
      ]);
  });

  it('does not copy the bytes of a chunk that holds them', () => {
    const chunk = latin1('\x03\0\0\0\x04\0\0\0\0\0\0\0abc');
    let bytes: Buffer = Buffer.alloc(0);
    new FrameDecoder((frame) => (bytes = frame.bytes)).push(chunk);
    expect(bytes.buffer).to.equal(chunk.buffer);
  });

  it('tells whether it stands between frames', () => {
    const decoder = new FrameDecoder(() => undefined);
    expect(decoder.idle).to.equal(true);
    decoder.push(latin1('\x03\0\0\0\x04'));
    expect(decoder.idle).to.equal(false);
    decoder.push(latin1('\0\0\0\0\0\0\0ab'));
    expect(decoder.idle).to.equal(false);
    decoder.push(latin1('c'));
    expect(decoder.idle).to.equal(true);
  });

  const refused: [what: string, bytes: string, message: string][] = [
    ['type 0', '\0\0\0\0\0\0\0\0\0\0\0\0', 'type is 0, wanted'],
    ['REQ', '\0\0\0\0\x01\0\0\0\0\0\0\0', 'type is 1, wanted'],
    ['BODY', '\0\0\0\0\x02\0\0\0\0\0\0\0', 'type is 2, wanted'],
    ['CALL', '\0\0\0\0\x09\0\0\0\0\0\0\0', 'type is 9, wanted'],
    ['a head longer than its payload', '\x04\0\0\0\x03\0\0\0\x05\0\0\0', '5 bytes, the whole payload 4'],
    ['a head above the limit', '\xff\0\0\0\x03\0\0\0\x65\0\0\0', '101 bytes, the limit is 100'],
    ['an endless LOG', '\x01\0\x10\0\x06\0\0\0\0\0\0\0', 'type 6 has 1048577 bytes'],
  ];
  for (const [what, bytes, message] of refused) {
    it(`refuses ${what}`, () => {
      const decoder = new FrameDecoder(() => expect.fail('a frame came'), undefined, 100);
      expect(() => decoder.push(latin1(bytes))).to.throw(FrameError, message);
    });
  }
});

/** An environ as text; `number` of its list of names. */
const text = (number: number, params: Record<string, string>): EnvironText => {
  const names = Object.keys(params);
  return { names: { number, names, text: names.join('\0') }, values: Object.values(params).join('\0') };
};

describe('encodeRequest()', () => {
  it('writes environ and body as one buffer, the names before the values', () => {
    const environ = text(3, { PATH_INFO: '/\xc3\xa9', QUERY_STRING: '' });
    expect(encodeRequest({ environ, body: Buffer.from('a=1') }).toString('latin1')).to.equal(
      '\x1e\0\0\0\x01\0\0\0\x1b\0\0\0PATH_INFO\0QUERY_STRING\0/\xc3\xa9\0a=1',
    );
  });

  it('announces a body that follows', () => {
    expect(encodeRequest({ environ: text(0, { A: 'b' }), body: null }).toString('latin1')).to.equal(
      '\x03\0\0\0\x01\x02\0\0\x03\0\0\0A\0b',
    );
  });
});

describe('writeRequest()', () => {
  const out = Buffer.alloc(INBOX_FRAME);
  /** What it returned, and so many of the bytes. */
  const write = (
    ticket: number,
    environ: EnvironText,
    body: string | null,
    isTold: boolean,
    length: number,
  ): [boolean, string] => {
    out.fill('.');
    const isWhole = writeRequest(
      out,
      ticket,
      { environ, body: body === null ? null : Buffer.from(body) },
      isTold,
    );
    expect(out.toString('latin1', length, length + 1)).to.equal('.');
    return [isWhole, out.toString('latin1', 0, length)];
  };

  it('writes a request with its ticket', () => {
    const wanted = '\x06\0\0\0\x01\0\x02\x01\x03\0\0\0A\0bc=d';
    expect(write(258, text(9, { A: 'b' }), 'c=d', false, 18)).to.deep.equal([true, wanted]);
    expect(ticketOf(out)).to.equal(258);
  });

  it('leaves the names out where they are told, and gives their number', () => {
    const wanted = '\x06\0\0\0\x0d\x09\x02\x01\x03\0\0\0b\0ec=d';
    expect(write(258, text(9, { A: 'b', D: 'e' }), 'c=d', true, 18)).to.deep.equal([true, wanted]);
    expect(ticketOf(out)).to.equal(258);
  });

  it('writes CALL where the request does not fit, by a byte, or its body follows', () => {
    const call = '\0\0\0\0\x09\0\x07\0\0\0\0\0';
    const environ = text(0, { A: 'x'.repeat(3998) });
    const fits = { environ, body: Buffer.alloc(84) };
    expect(writeRequest(out, 7, fits, false)).to.equal(true);
    expect(out.toString('latin1', 0, 12)).to.equal('\xf4\x0f\0\0\x01\0\x07\0\xa0\x0f\0\0');
    expect(write(7, environ, 'x'.repeat(85), false, 12)).to.deep.equal([false, call]);
    expect(write(7, environ, null, true, 12)).to.deep.equal([false, call]);
    // Two bytes less without the name.
    expect(writeRequest(out, 7, { environ, body: Buffer.alloc(86) }, true)).to.equal(true);
    expect(write(7, environ, 'x'.repeat(87), true, 12)).to.deep.equal([false, call]);
  });
});

describe('frames without payload', () => {
  it('are LEAVE in an inbox, which has no ticket, and DROP', () => {
    const out = Buffer.alloc(INBOX_FRAME);
    writeLeave(out);
    expect(out.toString('latin1', 0, 12)).to.equal('\0\0\0\0\x0a\0\0\0\0\0\0\0');
    expect(ticketOf(out)).to.equal(null);
    expect(encodeEmpty(FrameType.Drop).toString('latin1')).to.equal('\0\0\0\0\x0b\0\0\0\0\0\0\0');
  });
});

describe('encodeBodyHeader()', () => {
  it('writes the header of a piece, of the last and of a broken body', () => {
    expect(encodeBodyHeader(65536, 0).toString('latin1')).to.equal('\0\0\x01\0\x02\0\0\0\0\0\0\0');
    expect(encodeBodyHeader(1, FrameFlag.Fin).toString('latin1')).to.equal('\x01\0\0\0\x02\x01\0\0\0\0\0\0');
    expect(encodeBodyHeader(0, FrameFlag.Fin | FrameFlag.Aborted).toString('latin1')).to.equal(
      '\0\0\0\0\x02\x05\0\0\0\0\0\0',
    );
  });
});
