// The streams that worker.py gives to an application: wsgi.input, wsgi.errors and wsgi.file_wrapper.
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { Flag, Kind } from '../../helpers/lane-frames.ts';
import { type LaneAnswer, type LaneEnd, PythonPeer } from '../../helpers/lane-peer.ts';
import { waitFor } from '../../helpers/wait.ts';

const PIECE = 65536;

describe('worker.py, streams', () => {
  let peer: PythonPeer;
  before(async () => {
    peer = await PythonPeer.ready({ app: 'behaviours:application' });
  });
  after(() => peer?.stop());
  afterEach(async () => {
    expect((await ask('/hello')).body.toString()).to.equal('hello');
    expect(peer.stderr).to.equal('');
  });

  const ask = (path: string, query = '', body: string | Buffer | null = ''): Promise<LaneAnswer> =>
    peer.lane.ask({ PATH_INFO: path, QUERY_STRING: query, REQUEST_METHOD: 'POST' }, body);
  const sendPieces = (
    lane: LaneEnd,
    pieces: readonly (string | Buffer)[],
    flags: number = Flag.FIN,
  ): void => {
    for (const [at, piece] of pieces.entries())
      lane.send(Kind.BODY, at === pieces.length - 1 ? flags : 0, '', piece);
  };

  describe('wsgi.input', () => {
    const text = 'one\ntwo\n\nthree';
    const cases: [calls: string, results: string[]][] = [
      ['read()', ["b'one\\ntwo\\n\\nthree'"]],
      ['read(-1);read(-1);read(5)', ["b'one\\ntwo\\n\\nthree'", "b''", "b''"]],
      ['read(None);read()', ["b'one\\ntwo\\n\\nthree'", "b''"]],
      ['read(0);read(3);read(100);read(100)', ["b''", "b'one'", "b'\\ntwo\\n\\nthree'", "b''"]],
      [
        'readline();readline();readline();readline();readline()',
        ["b'one\\n'", "b'two\\n'", "b'\\n'", "b'three'", "b''"],
      ],
      ['readline(2);readline(2);readline(9);readline(-1)', ["b'on'", "b'e\\n'", "b'two\\n'", "b'\\n'"]],
      ['readlines()', ["[b'one\\n', b'two\\n', b'\\n', b'three']"]],
      ['readlines(5);read()', ["[b'one\\n', b'two\\n']", "b'\\nthree'"]],
      ['list;list', ["[b'one\\n', b'two\\n', b'\\n', b'three']", '[]']],
      ['close();read(3)', ['None', "b'one'"]],
      ['__next__();read(2)', ["b'one\\n'", "b'tw'"]],
      ['readinto(bytearray(20))', ['14']],
    ];
    for (const [calls, results] of cases) {
      it(`has the semantics of a file: ${calls}`, async () => {
        expect(String((await ask('/read', calls, text)).body)).to.equal(results.join('\n'));
      });
      it(`has them where the body comes in pieces: ${calls}`, async () => {
        const { lane } = peer;
        lane.begin({ PATH_INFO: '/read', QUERY_STRING: calls, REQUEST_METHOD: 'POST' }, null);
        sendPieces(lane, ['', ...Array.from(text), '']);
        expect(String((await lane.answer()).body)).to.equal(results.join('\n'));
      });
    }

    it('is empty without a body', async () => {
      expect(String((await ask('/read', 'read();readline();list')).body)).to.equal("b''\nb''\n[]");
    });

    for (const size of [1000, 65536, 1_000_000, -1]) {
      it(`brings a large body unharmed to read(${size})`, async () => {
        const { lane } = peer;
        const pieces = Array.from({ length: 200 }, (_, at) => Buffer.alloc(PIECE - at, String(at)));
        lane.begin({ PATH_INFO: '/digest', QUERY_STRING: String(size), REQUEST_METHOD: 'PUT' }, null);
        sendPieces(lane, pieces);
        const wanted = createHash('sha256').update(Buffer.concat(pieces)).digest('hex');
        expect(String((await lane.answer()).body)).to.equal(wanted);
      });
    }

    it('takes an inline body larger than any buffer', async () => {
      const body = Buffer.alloc(300_000, 'abc');
      const wanted = createHash('sha256').update(body).digest('hex');
      expect(String((await ask('/digest', '-1', body)).body)).to.equal(wanted);
    });

    it('raises OSError where the body broke off', async () => {
      const { lane } = peer;
      lane.begin(
        { PATH_INFO: '/read', QUERY_STRING: 'read(3);read(9);read(1)', REQUEST_METHOD: 'POST' },
        null,
      );
      sendPieces(lane, ['abcdef', ''], Flag.FIN | Flag.ABORTED);
      const [first, second] = String((await lane.answer()).body).split('\n');
      expect(first).to.equal("b'abc'");
      expect(second).to.match(/^ClientGone: .*the request body broke off/);
    });

    for (const [what, pieces, flags] of [
      ['none of it', ['a'.repeat(PIECE), 'b'.repeat(PIECE), 'c'.repeat(PIECE)], Flag.FIN],
      ['and it breaks off', ['a'.repeat(PIECE), 'b'], Flag.FIN | Flag.ABORTED],
      ['and it is empty', [''], Flag.FIN],
    ] as const) {
      it(`may be left unread: ${what}`, async () => {
        const { lane } = peer;
        lane.begin({ PATH_INFO: '/hello', REQUEST_METHOD: 'POST' }, null);
        expect(String((await lane.answer()).body)).to.equal('hello');
        sendPieces(lane, pieces, flags);
        lane.begin({ PATH_INFO: '/hello' });
        expect(String((await lane.answer()).body)).to.equal('hello');
        expect(peer.lane).to.equal(lane);
      });
    }

    it('ends with its request', async () => {
      const { lane } = peer;
      lane.begin({ PATH_INFO: '/keep_input', REQUEST_METHOD: 'POST' }, null);
      sendPieces(lane, ['left']);
      await lane.answer();
      expect(String((await ask('/use_kept_input')).body)).to.match(
        /^Cannot read wsgi.input: its request has ended/,
      );
    });

    it('gives requests that were sent at once one after the other', async () => {
      const { lane } = peer;
      lane.begin({ PATH_INFO: '/read', QUERY_STRING: 'read()' }, null);
      sendPieces(lane, ['first']);
      lane.begin({ PATH_INFO: '/read', QUERY_STRING: 'read()' }, 'second');
      lane.begin({ PATH_INFO: '/hello' });
      const bodies = [await lane.answer(), await lane.answer(), await lane.answer()].map((answer) =>
        String(answer.body),
      );
      expect(bodies).to.deep.equal(["b'first'", "b'second'", 'hello']);
    });
  });

  describe('wsgi.errors', () => {
    const cases: [what: string, code: string, frames: string[]][] = [
      ['a line', 'errors.write("a line\\n")', ['a line\n']],
      ['several lines', 'errors.write("a\\nb\\n")', ['a\nb\n']],
      ['a line in pieces', 'print("a", "b", file=errors)', ['a b\n']],
      ['a line without an end', 'errors.write("a\\nb")', ['a\n', 'b\n']],
      ['a flush', 'errors.write("a"); errors.flush(); errors.flush(); errors.write("b\\n")', ['a\n', 'b\n']],
      ['writelines', 'errors.writelines(x for x in ["a\\n", "b", "c\\n"])', ['a\n', 'bc\n']],
      ['any text', 'errors.write("\\xe9\\u20ac\\U0001f600\\ud800\\n")', ['é€😀\\ud800\n']],
      ['close()', 'errors.close(); errors.write("on\\n")', ['on\n']],
      ['nothing', 'errors.write(""); errors.flush(); errors.writelines([])', []],
      ['an endless line', 'errors.write("x" * 8191); errors.write("yz")', [`${'x'.repeat(8191)}yz\n`]],
    ];
    for (const [what, code, frames] of cases) {
      it(`logs ${what}`, async () => {
        const answer = await ask('/log', code);
        // What had no newline comes when the request has ended.
        while (answer.frames.length - 1 + peer.lane.frames.length < frames.length)
          await waitFor(() => peer.lane.frames.length > 0, { what: 'the rest', interval: 1 });
        const logged = [...answer.frames, ...peer.lane.frames.splice(0)].filter(
          ({ kind }) => kind === Kind.LOG,
        );
        expect(logged.map(({ bytes }) => String(bytes))).to.deep.equal(frames);
        expect(String(answer.body)).to.equal('logged');
      });
    }

    it('logs much in frames of whole lines', async () => {
      const answer = await ask('/log', 'errors.write("".join("line %d\\n" % n for n in range(20000)))');
      const logged = answer.frames.filter(({ kind }) => kind === Kind.LOG).map(({ bytes }) => String(bytes));
      expect(logged.length).to.be.above(2);
      expect(logged.every((text) => text.endsWith('\n') && text.length <= 32 * 1024)).to.equal(true);
      expect(logged.join('')).to.equal(Array.from({ length: 20_000 }, (_, at) => `line ${at}\n`).join(''));
    });

    it('refuses bytes', async () => {
      const answer = await ask('/log', 'errors.write(b"bytes")');
      expect(answer.error?.slice(0, 2)).to.deep.equal([
        'TypeError',
        "Cannot write to wsgi.errors: the text is b'bytes', wanted a str",
      ]);
    });

    it('does not mix what other threads write into the lane', async () => {
      const answer = await ask('/log_elsewhere');
      expect([answer.log, String(answer.body)]).to.deep.equal(['', 'logged']);
      await waitFor(() => peer.stderr !== '', { what: 'the line on stderr' });
      expect(peer.stderr).to.equal('from another thread\n');
      peer.stderr = '';
    });
  });

  describe('wsgi.file_wrapper', () => {
    let path: string;
    const content = Buffer.from(Array.from({ length: 5000 }, (_, at) => at % 251));
    before(() => {
      path = join(peer.dir, 'file');
      writeFileSync(path, content);
    });
    const closed = async (): Promise<string> => String((await ask('/file_closed')).body);

    const cases: [what: string, query: string, from: number, to: number, frames: number[]][] = [
      ['from its beginning', '||', 0, 5000, [5000]],
      ['from where it stands', '|1234|', 1234, 5000, [3766]],
      ['up to Content-Length', '|1000|10', 1000, 1010, [10]],
      ['with its own Content-Length', '||5000', 0, 5000, [5000]],
      ['which has been read', '|5000|', 5000, 5000, [0]],
    ];
    for (const [what, query, from, to, sizes] of cases) {
      it(`sends a file ${what}, without reading it, and closes it`, async () => {
        const answer = await ask('/file', path + query);
        expect(answer.body.equals(content.subarray(from, to))).to.equal(true);
        // The kernel copies it: one frame, though the block size is 1000.
        expect(answer.frames.map(({ bytes }) => bytes.length)).to.deep.equal(sizes);
        expect(answer.frames.at(-1)?.flags).to.equal(Flag.FIN | Flag.CLOSING);
        expect(await closed()).to.equal('True');
      });
    }

    it('tells of a file that is shorter than Content-Length', async () => {
      const answer = await ask('/file', `${path}||5001`);
      expect(answer.error?.[1]).to.equal('The body ended after 5000 bytes, Content-Length says 5001');
      expect(answer.body.length).to.equal(5000);
      expect(await closed()).to.equal('True');
    });

    it('sends a large file in little memory', async () => {
      const large = join(peer.dir, 'large');
      writeFileSync(large, Buffer.alloc(50_000_000, 'viaduct '));
      const before = Number((await ask('/memory')).body);
      const answer = await ask('/file', `${large}||`);
      expect(answer.body.equals(Buffer.alloc(50_000_000, 'viaduct '))).to.equal(true);
      expect(await closed()).to.equal('True');
      expect(Number((await ask('/memory')).body) - before).to.be.below(8 * 1024);
    });

    it('sends files that have no size', async () => {
      const answer = await ask('/file', '/proc/self/limits||');
      expect(String(answer.body)).to.include('Max open files');
      expect(await closed()).to.equal('True');
    });

    it('sends anything with read(), block by block, and closes it', async () => {
      const answer = await ask('/file_like');
      expect(answer.frames.map(({ bytes }) => String(bytes))).to.deep.equal([
        '01234567',
        '89012345',
        '67890123',
        '456789',
        '',
      ]);
      expect(String((await ask('/noted')).body)).to.equal('file closed');
    });

    it('sends what a file object reads, not what its descriptor has', async () => {
      expect(String((await ask('/file_gzip', path)).body)).to.equal('unpacked');
    });

    it('answers HEAD without the file, and closes it', async () => {
      const answer = await peer.lane.ask({
        PATH_INFO: '/file',
        QUERY_STRING: `${path}||`,
        REQUEST_METHOD: 'HEAD',
      });
      expect(answer.frames.map(({ kind, bytes }) => [kind, bytes.length])).to.deep.equal([[Kind.HEAD, 0]]);
      expect(await closed()).to.equal('True');
    });
  });
});
