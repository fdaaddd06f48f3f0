// `viaduct request` over FastCGI: what fastcgi-stream must be kept from, and what only this protocol can get wrong.
import { expect } from 'chai';
import { runRequest } from '../../../src/cli/request.ts';
import {
  endRequest,
  FakeIo,
  hasStdinEnd,
  type Peer,
  readPairs,
  readRecords,
  record,
  startPeer,
  stderr,
  stdout,
} from './scripted-peer.ts';

const OK = 'Status: 200 OK\r\n\r\n';

describe('viaduct request over fastcgi', () => {
  let peer: Peer | null = null;

  afterEach(async () => {
    await peer?.stop();
    peer = null;
  });

  /** Runs one request against a daemon that answers with these pieces, each of them in a read of its own or not. */
  async function run(
    pieces: readonly Buffer[],
    ...argv: string[]
  ): Promise<{ code: number; io: FakeIo; sent: Buffer }> {
    const started = await startPeer(async (connection) => {
      await connection.until(hasStdinEnd);
      for (const piece of pieces) connection.write(piece);
      connection.end();
    });
    peer = started;
    const io = new FakeIo();
    const rest = argv.length === 0 ? ['GET', '/'] : argv;
    const code = await runRequest(['--socket', started.address, '--protocol', 'fastcgi', ...rest], io);
    return { code, io, sent: started.received() };
  }

  it('sends BEGIN_REQUEST, PARAMS and STDIN as nginx does', async () => {
    const { sent, code } = await run(
      [stdout(OK), endRequest()],
      'POST',
      '/a%20b',
      '-d',
      'body',
      '-H',
      'X-E: 1',
    );
    expect(code).to.equal(0);
    const records = readRecords(sent);
    expect(records.map(({ type, id, content }) => [type, id, content.length > 0])).to.deep.equal([
      [1, 1, true],
      [4, 1, true],
      [4, 1, false],
      [5, 1, true],
      [5, 1, false],
    ]);
    expect(records[0]?.content.subarray(0, 3)).to.deep.equal(Buffer.from([0, 1, 0]));
    const params = new Map(readPairs(records[1]?.content ?? Buffer.alloc(0)));
    expect(params.get('SCRIPT_NAME')).to.equal('/a b');
    expect(params.get('CONTENT_LENGTH')).to.equal('4');
    expect(params.get('HTTP_X_E')).to.equal('1');
    expect(records[3]?.content.toString()).to.equal('body');
  });

  it('sets FCGI_KEEP_CONN with --keep-conn', async () => {
    const { sent } = await run([stdout(OK), endRequest()], 'GET', '/', '--keep-conn');
    expect(readRecords(sent)[0]?.content[2]).to.equal(1);
  });

  it('sends long values, and paths that are UTF-8, unharmed', async () => {
    const long = 'é'.repeat(1000);
    const { sent, code } = await run([stdout(OK), endRequest()], 'GET', '/caf%C3%A9', '-p', `LONG=${long}`);
    expect(code).to.equal(0);
    const params = new Map(readPairs(readRecords(sent)[1]?.content ?? Buffer.alloc(0)));
    expect(params.get('SCRIPT_NAME')).to.equal('/caf\xc3\xa9');
    expect(params.get('LONG')).to.equal(Buffer.from(long).toString('latin1'));
  });

  it('refuses bytes fastcgi-stream would change', async () => {
    const { code, io } = await run([], 'GET', '/caf%E9');
    expect(code).to.equal(1);
    expect(io.err).to.match(
      /the param SCRIPT_NAME failed: its bytes 2f636166e9 are not UTF-8.*--protocol uwsgi/,
    );
  });

  it('refuses params that do not fit into one record, and takes those that just do', async () => {
    const { sent } = await run([stdout(OK), endRequest()]);
    const used = readRecords(sent)[1]?.content.length ?? 0;
    await peer?.stop();
    // Name of one byte, both lengths: 1 + 4 + 1 bytes more than the value.
    const room = 65_534 - used - 6;
    const fits = await run([stdout(OK), endRequest()], 'GET', '/', '-p', `X=${'x'.repeat(room)}`);
    expect(fits.code).to.equal(0);
    expect(readRecords(fits.sent)[1]?.content.length).to.equal(65_534);
    await peer?.stop();
    const { code, io } = await run([], 'GET', '/', '-p', `X=${'x'.repeat(room + 1)}`);
    expect(code).to.equal(1);
    expect(io.err).to.match(/they take 65535 bytes, wanted at most 65534/);
  });

  it('sends a large body in records that fastcgi-stream gets right', async () => {
    const body = 'x'.repeat(200_001);
    const { sent, code } = await run([stdout(OK), endRequest()], 'POST', '/', '-d', body);
    expect(code).to.equal(0);
    const stdin = readRecords(sent).filter(({ type }) => type === 5);
    expect(Buffer.concat(stdin.map(({ content }) => content)).toString()).to.equal(body);
    expect(Math.max(...stdin.map(({ content }) => content.length))).to.equal(32_768);
  });

  it('reads records of every size, with padding, and in any pieces', async () => {
    const body = 'y'.repeat(65_535);
    const bytes = Buffer.concat([
      record(6, OK.slice(0, 5), { padding: 255 }),
      record(6, OK.slice(5), { padding: 3 }),
      record(6, body, { padding: 1 }),
      record(6, ''),
      record(3, Buffer.alloc(8), { padding: 8 }),
    ]);
    const pieces = [
      bytes.subarray(0, 3),
      bytes.subarray(3, 9),
      bytes.subarray(9, 70_000 - 4000),
      bytes.subarray(66_000),
    ];
    const { code, io } = await run(pieces);
    expect(code).to.equal(0);
    expect(io.out).to.equal(`HTTP/1.1 200 OK\r\n\r\n${body}`);
  });

  it('reads a response split at every byte', async () => {
    const bytes = Buffer.concat([stdout(`${OK}ab`), stderr('e'), stdout(''), endRequest()]);
    for (let i = 1; i < bytes.length; i += 1) {
      const started = await startPeer(async (connection) => {
        await connection.until(hasStdinEnd);
        connection.write(bytes.subarray(0, i));
        // The next turn of the event loop: a read of its own for the client, which runs in this process.
        setImmediate(() => {
          connection.end(bytes.subarray(i));
        });
      });
      const io = new FakeIo();
      const code = await runRequest(['--socket', started.address, '--protocol', 'fastcgi', 'GET', '/'], io);
      await started.stop();
      expect([code, io.out, io.err], `split at ${i}`).to.deep.equal([0, 'HTTP/1.1 200 OK\r\n\r\nab', 'e']);
    }
  });

  it('prints STDERR to stderr, and its own line after it on a line of its own', async () => {
    const euro = Buffer.from('a €', 'utf8');
    const { code, io } = await run([
      record(7, euro.subarray(0, 3)),
      stdout(`${OK}x`),
      record(7, euro.subarray(3)),
      endRequest(3),
    ]);
    expect(code).to.equal(0);
    expect(io.out).to.equal('HTTP/1.1 200 OK\r\n\r\nx');
    expect(io.err).to.match(/^a €\nviaduct request: warning: END_REQUEST has appStatus 3.*\n$/);
  });

  it('shows the answer of a daemon that reads nothing but the first bytes', async () => {
    const started = await startPeer(async (connection) => {
      await connection.until((bytes) => bytes.length > 0);
      connection.destroyAfter('HTTP/1.1 400 Bad Request\r\n\r\n');
    });
    peer = started;
    const io = new FakeIo();
    const argv = ['--socket', started.address, '--protocol', 'fastcgi', 'POST', '/', '-d', 'x'];
    expect(await runRequest(argv, io)).to.equal(1);
    expect(io.err).to.match(/its version is 72.*speaks HTTP/);
  });

  const broken: [name: string, pieces: Buffer[], message: RegExp][] = [
    [
      'a close before END_REQUEST',
      [stdout(`${OK}abc`)],
      /closed before END_REQUEST, with 0 bytes of a record/,
    ],
    ['a close within a record', [stdout(OK), stdout('abc').subarray(0, 10)], /with 10 bytes of a record/],
    [
      'a poison record',
      [stdout(`${OK}abc`), Buffer.alloc(8, 255)],
      /its version is 255, wanted 1; .*breaks a response off/,
    ],
    [
      'HTTP instead of records',
      [Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
      /its version is 72.*speaks HTTP/,
    ],
    ['an unknown type', [record(42, 'x')], /its type is 42, wanted 3/],
    ['type 0', [record(0, '')], /its type is 0/],
    ['a type for daemons', [record(2, 'x')], /its type is 2/],
    ['a management record', [record(11, Buffer.alloc(8), { id: 0 })], /its type is 11/],
    ['another request id', [record(6, OK, { id: 2 })], /its request id is 2, wanted 1/],
    ['a short END_REQUEST', [stdout(OK), record(3, Buffer.alloc(4))], /END_REQUEST has 4 bytes/],
    ['protocolStatus 2', [endRequest(0, 2)], /protocolStatus 2 \(FCGI_OVERLOADED\), wanted 0/],
    ['protocolStatus 9 after a response', [stdout(OK), endRequest(0, 9)], /protocolStatus 9 \(no status/],
    ['END_REQUEST without a head', [stdout(''), endRequest()], /ended after 0 bytes, wanted headers/],
    ['a header nginx refuses', [stdout('A B: c\r\n\r\n'), endRequest()], /"A B: c".*502/],
  ];
  for (const [name, pieces, message] of broken) {
    it(`fails on ${name}`, async () => {
      const { code, io } = await run(pieces);
      expect(code).to.equal(1);
      expect(io.err)
        .to.match(message)
        .and.to.match(/^viaduct request: [^\n]+, wanted [^\n]+; [^\n]+\n$/);
    });
  }

  it('prints what came before the response broke off', async () => {
    const { io } = await run([stdout(`${OK}abc`), Buffer.alloc(8, 255)]);
    expect(io.out).to.equal('HTTP/1.1 200 OK\r\n\r\nabc');
  });

  it('warns of bytes after END_REQUEST', async () => {
    const { code, io } = await run([Buffer.concat([stdout(`${OK}a`), endRequest(), stdout('late')])]);
    expect(code).to.equal(0);
    expect(io.out).to.equal('HTTP/1.1 200 OK\r\n\r\na');
    expect(io.err).to.match(/warning: the daemon sent 12 bytes after END_REQUEST/);
  });

  it('warns of a body where there is none', async () => {
    const { code, io } = await run([stdout('Status: 200 OK\r\n\r\nabc'), endRequest()], 'HEAD', '/');
    expect(code).to.equal(0);
    expect(io.out).to.equal('HTTP/1.1 200 OK\r\n\r\n');
    expect(io.err).to.match(/warning: the daemon sent 3 bytes too many: a response to HEAD/);
  });

  it('takes a response that comes before the whole body was read', async () => {
    const started = await startPeer(async (connection) => {
      await connection.until((bytes) => bytes.length > 0);
      connection.end(Buffer.concat([stdout('Status: 413 Too Large\r\n\r\n'), endRequest()]));
      await connection.hungUp();
    });
    peer = started;
    const io = new FakeIo();
    const argv = [
      '--socket',
      started.address,
      '--protocol',
      'fastcgi',
      'POST',
      '/',
      '-d',
      'x'.repeat(5_000_000),
    ];
    expect(await runRequest(argv, io), io.err).to.equal(0);
    expect(io.out).to.equal('HTTP/1.1 413 Too Large\r\n\r\n');
  });
});
