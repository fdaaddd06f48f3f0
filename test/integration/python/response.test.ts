// The response side of PEP 3333 in worker.py: start_response(), write(), results of every kind, errors and close().
import { expect } from 'chai';
import { Flag, Kind } from '../../helpers/lane-frames.ts';
import { type LaneAnswer, PythonPeer } from '../../helpers/lane-peer.ts';

describe('worker.py, the response', () => {
  let peer: PythonPeer;
  before(async () => {
    peer = await PythonPeer.ready({
      app: 'behaviours:application',
      limits: { response_headers_size: 1000 },
    });
  });
  after(() => peer?.stop());
  // Whatever a test did: the one thread is there and serves.
  afterEach(async () => {
    expect((await ask('/hello')).body.toString()).to.equal('hello');
    expect(peer.stderr).to.equal('');
  });

  const ask = (path: string, query = '', method = 'GET'): Promise<LaneAnswer> =>
    peer.lane.ask({ PATH_INFO: path, QUERY_STRING: query, REQUEST_METHOD: method });
  const shape = ({ frames }: LaneAnswer): [number, number, string][] =>
    frames.map(({ kind, flags, bytes }) => [kind, flags, String(bytes)]);
  const notes = async (): Promise<string> => String((await ask('/noted')).body);

  it('sends a small response as one frame', async () => {
    const answer = await ask('/hello');
    expect(answer.status).to.equal('200 OK');
    expect(answer.headers).to.deep.equal([
      ['Content-Type', 'text/plain'],
      ['Content-Length', '5'],
    ]);
    expect(shape(answer)).to.deep.equal([[Kind.HEAD, Flag.FIN, 'hello']]);
    expect(answer.frames[0]?.aux).to.equal(200);
  });

  describe('start_response()', () => {
    const refused: [given: string, raised: RegExp][] = [
      ['200, []', /^TypeError: .*status is 200, wanted a str/],
      ['b"200 OK", []', /^TypeError: .*status is b'200 OK'/],
      ['["200 OK"], []', /^TypeError: .*status is an object of type list/],
      ...[
        '200',
        '200 ',
        '200  OK',
        '20 OK',
        '2000 OK',
        ' 200 OK',
        'OK',
        '200 OK ',
        '200-OK',
        '600 X',
        '101 Switching',
      ]
        .concat([
          '200 OK\\r\\nX: y',
          '200 OK\\n',
          '200 \\x7f',
          '200 \\u20ac',
          '200 O\\tK',
          '200 O\\0K',
          '²00 OK',
        ])
        .map((status): [string, RegExp] => [`"${status}", []`, /^ValueError: .*wanted "NNN Reason"/]),
      ['"200 OK", ()', /^TypeError: .*headers are an object of type tuple, wanted a list/],
      ['"200 OK", {"A": "b"}', /^TypeError: .*headers are an object of type dict/],
      ['"200 OK", None', /^TypeError: .*headers are None/],
      ['"200 OK", [["A", "b"]]', /^TypeError: .*a header is an object of type list, wanted a tuple/],
      ['"200 OK", ["AB"]', /^TypeError: .*a header is 'AB', wanted a tuple/],
      ['"200 OK", [("A", "b", "c")]', /^TypeError: .*a header is an object of type tuple/],
      ['"200 OK", [(b"A", "b")]', /^TypeError: .*a header name is b'A', wanted a str/],
      ['"200 OK", [([], "b")]', /^TypeError: .*a header name is an object of type list/],
      ['"200 OK", [("A", b"b")]', /^TypeError: .*the value of A is b'b', wanted a str/],
      ['"200 OK", [("A", 1)]', /^TypeError: .*the value of A is 1, wanted a str/],
      ['"200 OK", [("Content-Length", 1)]', /^ValueError: .*Content-Length is 1, wanted digits/],
      ...['', 'A B', 'A:', 'A\\n', 'A\\0', 'Ä', '"', 'A('].map((name): [string, RegExp] => [
        `"200 OK", [('${name}', "b")]`,
        /^ValueError: .*a header name is .*wanted a token/,
      ]),
      ...[
        'b\\r\\nSet-Cookie: x',
        'b\\n',
        '\\0',
        'a\\x01',
        '\\x1f',
        '\\x7f',
        'a\\tb',
        '\\u20ac',
        '\\ud800',
      ].map((value): [string, RegExp] => [
        `"200 OK", [("A", "${value}")]`,
        /^ValueError: .*the value of A is .*wanted latin-1/,
      ]),
      ...[
        'Connection',
        'keep-alive',
        'Proxy-Authenticate',
        'Proxy-Authorization',
        'TE',
        'Trailer',
        'Trailers',
      ]
        .concat(['Transfer-Encoding', 'UPGRADE'])
        .map((name): [string, RegExp] => [`"200 OK", [("${name}", "b")]`, /^ValueError: .* is hop-by-hop/]),
      ['"200 OK", [("Status", "b")]', /^ValueError: .*named Status/],
      ['"200 OK", [("Content-Length", "-1")]', /^ValueError: .*Content-Length is '-1', wanted digits/],
      ['"200 OK", [("Content-Length", "1")] * 2', /^ValueError: .*Content-Length stands twice/],
      [
        '"200 OK", [("A", "b" * 1000)]',
        /^ValueError: .*headers are 1009 bytes, limits.response_headers_size is 1000/,
      ],
    ];
    for (const [given, raised] of refused) {
      it(`raises for ${given}, and then for a second call`, async () => {
        // As in the environ: bytes as latin-1; Python evaluates the escapes.
        const answer = await ask('/given', Buffer.from(given).toString('latin1'));
        expect(answer.status).to.equal('500 Refused');
        const [first, second] = String(answer.body).split('\nthen: ');
        expect(first).to.match(raised);
        expect(second).to.match(/start_response\(\) was called before, and without exc_info/);
      });
    }

    for (const given of [
      '"200 OK", [("X-\\u00c4"[:1], "\\xe9"), ("_!#$%&\'*+-.^`|~9", "")]',
      '"404 N\\xf6t", [("Content-Length", "2")]',
      'type("S", (str,), {})("200 OK"), [(type("S", (str,), {})("A"), type("S", (str,), {})("b"))]',
      '"200 OK", [("Set-Cookie", "a"), ("Set-Cookie", "b")], None',
    ]) {
      it(`takes ${given}`, async () => {
        const answer = await ask('/given', given);
        expect(String(answer.body)).to.equal('ok');
      });
    }

    it('refuses a second call without exc_info', async () => {
      const answer = await ask('/twice');
      expect(answer.error?.slice(0, 2)).to.deep.equal([
        'RuntimeError',
        'Cannot start response: start_response() was called before, and without exc_info',
      ]);
      expect(shape(answer).map(([kind, flags]) => [kind, flags])).to.deep.equal([[Kind.ERR, 0]]);
    });

    it('lets exc_info replace status and headers that were not sent', async () => {
      const answer = await ask('/replaced');
      expect(answer.status).to.equal('503 Later');
      expect(answer.headers).to.deep.equal([
        ['Content-Type', 'text/plain'],
        ['Content-Length', '5'],
      ]);
      expect(String(answer.body)).to.equal('sorry');
    });

    it('raises what exc_info holds once they were sent', async () => {
      const answer = await ask('/too_late');
      expect(shape(answer).slice(0, 1)).to.deep.equal([[Kind.HEAD, 0, 'begun']]);
      expect(answer.frames[1]?.flags).to.equal(Flag.POST);
      expect(answer.error?.slice(0, 2)).to.deep.equal(['KeyError', "'original'"]);
      expect(answer.error?.[2]).to.include("raise KeyError('original')");
    });
  });

  describe('a result', () => {
    it('goes out block by block, without the empty ones', async () => {
      expect(shape(await ask('/generator'))).to.deep.equal([
        [Kind.HEAD, 0, 'one'],
        [Kind.DATA, 0, 'two'],
        [Kind.DATA, Flag.FIN | Flag.CLOSING, ''],
      ]);
    });

    it('may start the response while it is iterated', async () => {
      const answer = await ask('/late_generator');
      expect([answer.status, String(answer.body)]).to.deep.equal(['201 Created', 'made']);
    });

    it('is sent before the next block is asked for', async () => {
      const { lane } = peer;
      lane.begin({ PATH_INFO: '/stepwise', REQUEST_METHOD: 'POST' }, null);
      expect(String((await lane.frame(Kind.HEAD)).bytes)).to.equal('ready');
      lane.send(Kind.BODY, 0, '', 'ping');
      expect(String((await lane.frame(Kind.DATA)).bytes)).to.equal('ping');
      lane.send(Kind.BODY, Flag.FIN, '', 'end');
      expect(String((await lane.answer()).body)).to.equal('end');
    });

    it('has its block before that of write(), which comes at once', async () => {
      expect(shape(await ask('/write_only'))).to.deep.equal([
        [Kind.HEAD, 0, ''],
        [Kind.DATA, 0, 'one '],
        [Kind.DATA, 0, 'two '],
        [Kind.DATA, 0, 'three'],
        [Kind.DATA, Flag.FIN, ''],
      ]);
    });

    it('of one block that says so gets a Content-Length', async () => {
      const answer = await ask('/sized');
      expect(answer.headers.at(-1)).to.deep.equal(['Content-Length', '5']);
      expect(shape(answer)).to.deep.equal([[Kind.HEAD, Flag.FIN, 'sized']]);
    });

    it('of many blocks is one frame without Content-Length', async () => {
      const answer = await ask('/many');
      expect(answer.headers).to.deep.equal([['Content-Type', 'text/plain']]);
      expect(answer.frames.map(({ kind, flags }) => [kind, flags])).to.deep.equal([[Kind.HEAD, Flag.FIN]]);
      expect(String(answer.body)).to.equal(Array.from({ length: 5000 }, (_, at) => `${at},`).join(''));
    });

    for (const query of ['1048576', '1048576,20', '1024,64', '16777472', '8388864,3']) {
      it(`of ${query} bytes arrives whole`, async () => {
        const { body, error } = await ask('/large', query);
        const [size = 0, blocks = 1] = query.split(',').map(Number);
        expect(error).to.equal(null);
        expect(body.length).to.equal(size * blocks);
        const wanted = Buffer.alloc(body.length, Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)));
        expect(body.equals(wanted)).to.equal(true);
      });
    }

    // status, declared length, result: what comes of it
    const made: [query: string, method: string, headers: string[], body: string, log?: string][] = [
      ['200 OK||[]', 'GET', ['0'], ''],
      ['200 OK||()', 'GET', ['0'], ''],
      ['200 OK||iter([])', 'GET', ['0'], ''],
      ['200 OK||[b""]', 'GET', ['0'], ''],
      ['200 OK||(b"abc",)', 'GET', ['3'], 'abc'],
      ['200 OK||[b"a", b"b"]', 'GET', [], 'ab'],
      ['200 OK||iter([b"a", b"b"])', 'GET', [], 'ab'],
      ['200 OK||{b"abc"}', 'GET', ['3'], 'abc'],
      ['200 OK|0|[]', 'GET', ['0'], ''],
      ['200 OK|3|[b"abc"]', 'GET', ['3'], 'abc'],
      ['200 OK|3|iter([b"abc"])', 'GET', ['3'], 'abc'],
      ['200 OK|3|[b"ab", b"cde", b"f"]', 'GET', ['3'], 'abc', 'grows past its Content-Length of 3'],
      ['200 OK|3|iter([b"ab", b"cde"])', 'GET', ['3'], 'abc', 'grows past its Content-Length of 3'],
      ['200 OK|3|iter([b"abc", 1/0])', 'GET', ['3'], 'abc'],
      ['200 OK||[b"abc"]', 'HEAD', ['3'], ''],
      ['200 OK|7|[b"abc"]', 'HEAD', ['7'], ''],
      ['200 OK|7|[]', 'HEAD', ['7'], ''],
      ['200 OK||[]', 'HEAD', [], ''],
      ['200 OK||iter([b"a", b"b"])', 'HEAD', [], ''],
      ['204 No Content||[]', 'GET', [], ''],
      ['204 No Content|3|[b"abc"]', 'GET', [], '', 'a response with status 204 has none'],
      ['304 Not Modified|3|[]', 'GET', ['3'], ''],
      ['304 Not Modified||iter([b"abc"])', 'GET', [], '', 'a response with status 304 has none'],
    ];
    for (const [query, method, lengths, body, log] of made) {
      it(`${query} to ${method} has Content-Length ${lengths.join()} and body "${body}"`, async () => {
        const given = query.replace('iter([b"abc", 1/0])', '(b"abc" if n == 0 else 1/0 for n in range(2))');
        const answer = await ask('/evaluated', given, method);
        expect(answer.error).to.equal(null);
        expect(answer.headers.map(([, value]) => value)).to.deep.equal(lengths);
        expect(String(answer.body)).to.equal(body);
        expect(answer.log).to.include(log ?? '');
        expect(answer.log === '').to.equal(log === undefined);
      });
    }

    const wrong: [query: string, message: RegExp, sent?: string][] = [
      ['200 OK||None', /the application returned None, wanted an iterable of bytes/],
      ['200 OK||b"abc"', /the application returned b'abc', wanted/],
      ['200 OK||b""', /the application returned b'', wanted/],
      ['200 OK||"abc"', /the application returned 'abc', wanted/],
      ['200 OK||{}', /the application returned an object of type dict/],
      ['200 OK||7', /'int' object is not iterable/],
      ['200 OK||["abc"]', /a block of the body is 'abc', wanted bytes/],
      ['200 OK||[b"ab", None]', /a block of the body is None, wanted bytes/],
      ['200 OK||iter(["abc"])', /a block of the body is 'abc', wanted bytes/],
      ['200 OK||iter([b"ab", bytearray(b"c")])', /a block of the body is an object of type bytearray/, 'ab'],
      ['200 OK|5|[b"abc"]', /The body ended after 3 bytes, Content-Length says 5/, 'abc'],
      ['200 OK|5|iter([b"abc"])', /The body ended after 3 bytes, Content-Length says 5/, 'abc'],
      ['200 OK|5|[]', /The body ended after 0 bytes, Content-Length says 5/],
    ];
    for (const [query, message, sent] of wrong) {
      it(`${query} is an error${sent === undefined ? '' : ` after "${sent}"`}`, async () => {
        const answer = await ask('/evaluated', query);
        expect(answer.error?.[1]).to.match(message);
        expect(String(answer.body)).to.equal(sent ?? '');
        const { kind, flags = 0 } = answer.frames.at(-1) ?? {};
        expect([kind, flags & Flag.POST]).to.deep.equal([Kind.ERR, sent === undefined ? 0 : Flag.POST]);
        expect(answer.status).to.equal(sent === undefined ? '' : '200 OK');
      });
    }

    for (const path of ['/never_started', '/never_started_generator', '/closing_not_started']) {
      it(`without start_response() is an error: ${path}`, async () => {
        expect((await ask(path)).error?.[1]).to.match(/the application did not call start_response\(\)/);
        await notes();
      });
    }
  });

  describe('write()', () => {
    it('raises past Content-Length, when what fits has been sent', async () => {
      const answer = await ask('/write_past_length');
      expect(String(answer.body)).to.equal('hello');
      expect(answer.error).to.equal(null);
      expect(await notes()).to.equal('Cannot write: 11 bytes go past the Content-Length of 5');
    });

    it('raises once its response has ended', async () => {
      await ask('/write_later');
      expect(String((await ask('/use_write_later')).body)).to.equal('Cannot write: the response has ended');
    });
  });

  describe('an error of the application', () => {
    for (const name of [
      'SystemExit',
      'KeyboardInterrupt',
      'GeneratorExit',
      'StopIteration',
      'BaseException',
    ]) {
      it(`costs its request and no thread: ${name}`, async () => {
        const { lane } = peer;
        const answer = await ask('/raises', name);
        expect(answer.error?.slice(0, 2)).to.deep.equal([name, 'on purpose']);
        expect(peer.lane).to.equal(lane);
      });
    }

    it('comes with its chain, and begins in the application', async () => {
      const answer = await ask('/raises_chained');
      expect(answer.error?.slice(0, 2)).to.deep.equal(['ValueError', 'a\\x00b']);
      const trace = answer.error?.[2] ?? '';
      expect(trace).to.include("KeyError: 'é'").and.to.include('was the direct cause');
      expect(trace).to.not.include('worker.py');
      expect(trace).to.match(/behaviours\.py", line \d+, in application/);
    });

    it('may even be unprintable', async () => {
      const [type, message] = (await ask('/raises_unprintable')).error ?? [];
      expect(type).to.equal('behaviours.raises_unprintable.<locals>.Unprintable');
      expect(message).to.equal('<no message: its __str__() raises>');
    });

    for (const path of ['/raises_at_first', '/raises_after_empty']) {
      it(`is told before anything was sent: ${path}`, async () => {
        const answer = await ask(path);
        expect(answer.frames.map(({ kind, flags }) => [kind, flags])).to.deep.equal([
          [Kind.ERR, Flag.CLOSING],
        ]);
      });
    }

    it('is told after what was sent', async () => {
      const answer = await ask('/raises_later');
      expect(answer.frames.map(({ kind, flags }) => [kind, flags])).to.deep.equal([
        [Kind.HEAD, 0],
        [Kind.ERR, Flag.POST | Flag.CLOSING],
      ]);
      expect(String(answer.body)).to.equal('abc');
    });
  });

  describe('close()', () => {
    for (const path of ['/closing', '/closing_not_started', '/closing_bad_block', '/closing_raises']) {
      it(`is called once: ${path}`, async () => {
        const answer = await ask(path);
        expect((answer.frames.at(-1)?.flags ?? 0) & Flag.CLOSING).to.equal(Flag.CLOSING);
        if (path === '/closing_raises') await peer.lane.frame(Kind.ERR);
        expect(await notes()).to.equal('close');
      });
    }

    it('runs once the response has ended; what it raises is told apart', async () => {
      const answer = await ask('/closing_raises');
      expect(String(answer.body)).to.equal('fine');
      expect(answer.error).to.equal(null);
      expect(answer.log).to.equal('in the request\n');
      const told = await peer.lane.frame(Kind.ERR);
      expect(told.flags).to.equal(Flag.CLOSE);
      expect(String(told.bytes)).to.match(/^SystemExit\0from close\0/);
      await notes();
    });

    it('logs for the request that has ended', async () => {
      const answer = await ask('/closing_logs');
      expect(shape(answer)).to.deep.equal([[Kind.HEAD, Flag.FIN | Flag.CLOSING, 'ok']]);
      const told = await peer.lane.frame(Kind.LOG);
      expect([told.flags, String(told.bytes)]).to.deep.equal([Flag.CLOSE, 'from close\n']);
      await notes();
    });
  });
});
