// `viaduct request` against daemons that follow a script: what all protocols have in common, then uwsgi, SCGI, HTTP.
import { expect } from 'chai';
import { runRequest } from '../../../src/cli/request.ts';
import {
  endRequest,
  FakeIo,
  hasStdinEnd,
  type Peer,
  type PeerConnection,
  type Script,
  startPeer,
  stdout,
} from './scripted-peer.ts';

type Protocol = 'fastcgi' | 'uwsgi' | 'scgi' | 'http';

const isWhole: Record<Protocol, (bytes: Buffer) => boolean> = {
  fastcgi: hasStdinEnd,
  uwsgi: (bytes) => bytes.length >= 4 && bytes.length >= 4 + bytes.readUInt16LE(1),
  scgi: (bytes) => {
    const colon = bytes.indexOf(':');
    return colon > 0 && bytes.length >= colon + 2 + Number(bytes.toString('latin1', 0, colon));
  },
  http: (bytes) => bytes.includes('\r\n\r\n'),
};

/** The bytes of a response in a protocol: over FastCGI in records, over HTTP with a status line. */
function wrap(protocol: Protocol, text: string): Buffer {
  if (protocol === 'fastcgi') return stdout(text);
  return Buffer.from(protocol === 'http' ? text.replace(/^Status: /, 'HTTP/1.1 ') : text, 'latin1');
}

const over = (protocol: Protocol): Buffer => (protocol === 'fastcgi' ? endRequest() : Buffer.alloc(0));

function run(io: FakeIo, address: string, protocol: string, ...argv: string[]): Promise<number> {
  return runRequest(['--socket', address, '--protocol', protocol, ...argv], io);
}

describe('viaduct request', () => {
  const peers: Peer[] = [];

  async function peer(script: Script): Promise<Peer> {
    const started = await startPeer(script);
    peers.push(started);
    return started;
  }

  afterEach(async () => {
    await Promise.all(peers.splice(0).map((one) => one.stop()));
  });

  /** Answers with these bytes once the request is whole, then closes. */
  function answer(protocol: Protocol, ...bytes: (Buffer | string)[]): Promise<Peer> {
    return peer(async (connection) => {
      await connection.until(isWhole[protocol]);
      for (const piece of bytes) connection.write(piece);
      connection.end();
    });
  }

  /** What a client sends for this command line, once `whole` says that it is all. */
  async function sent(
    protocol: Protocol,
    whole: (bytes: Buffer) => boolean,
    ...argv: string[]
  ): Promise<Buffer> {
    const io = new FakeIo([Buffer.from('from '), Buffer.from('stdin')]);
    const one = await peer(async (connection: PeerConnection) => {
      await connection.until(whole);
      connection.end(
        protocol === 'http' ? 'HTTP/1.1 204 No Content\r\n\r\n' : 'Status: 204 No Content\r\n\r\n',
      );
    });
    expect(await run(io, one.address, protocol, ...argv), io.err).to.equal(0);
    return one.received();
  }

  for (const protocol of ['fastcgi', 'uwsgi', 'scgi', 'http'] as const) {
    describe(`over ${protocol}`, () => {
      const head = 'Status: 201 Created\r\nX-A: \xe9\r\nX-A: 2\r\nContent-Length: 4\r\n\r\n';
      const shown = 'HTTP/1.1 201 Created\r\nX-A: \xe9\r\nX-A: 2\r\nContent-Length: 4\r\n\r\n';

      it('prints status, headers and body byte for byte', async () => {
        const { address } = await answer(protocol, wrap(protocol, `${head}\x00\xff\r\n`), over(protocol));
        const io = new FakeIo();
        expect(await run(io, address, protocol, 'GET', '/')).to.equal(0);
        expect(io.out).to.equal(`${shown}\x00\xff\r\n`);
        expect(io.err).to.equal('');
      });

      it('takes a body without a length up to the end', async () => {
        const { address } = await answer(
          protocol,
          wrap(protocol, 'Status: 200 OK\r\n\r\nab'),
          over(protocol),
        );
        const io = new FakeIo();
        expect(await run(io, address, protocol, 'GET', '/')).to.equal(0);
        expect(io.out).to.equal('HTTP/1.1 200 OK\r\n\r\nab');
      });

      it('prints what has come while the rest is on its way', async () => {
        const io = new FakeIo();
        const { address } = await peer(async (connection) => {
          await connection.until(isWhole[protocol]);
          connection.write(wrap(protocol, `${head}ab`));
          await io.untilOut(`${shown}ab`);
          connection.write(protocol === 'fastcgi' ? stdout('cd') : 'cd');
          connection.end(over(protocol));
        });
        expect(await run(io, address, protocol, 'GET', '/')).to.equal(0);
        expect(io.out).to.equal(`${shown}abcd`);
      });

      it('fails on a body shorter than Content-Length', async () => {
        const { address } = await answer(protocol, wrap(protocol, `${head}abc`), over(protocol));
        const io = new FakeIo();
        expect(await run(io, address, protocol, 'GET', '/')).to.equal(1);
        expect(io.out).to.equal(`${shown}abc`);
        expect(io.err).to.match(
          /^viaduct request: .*ended after 3 bytes, wanted the 4 of Content-Length; .+\n$/,
        );
      });

      it('fails on a connection closed in the middle of the head', async () => {
        const { address } = await answer(protocol, wrap(protocol, 'Status: 200 OK\r\nX-A'), over(protocol));
        const io = new FakeIo();
        expect(await run(io, address, protocol, 'GET', '/')).to.equal(1);
        expect(io.out).to.equal('');
        expect(io.err).to.match(/^viaduct request: reading the response.*, wanted .*; .+\n$/);
      });

      it('fails on a connection closed without an answer', async () => {
        const { address } = await answer(protocol);
        const io = new FakeIo();
        expect(await run(io, address, protocol, 'GET', '/')).to.equal(1);
        expect(io.err).to.match(/^viaduct request: reading the response.*wanted .*; .+\n$/);
      });

      it('prints no more than Content-Length', async () => {
        const { address } = await answer(protocol, wrap(protocol, `${head}abcdEXCESS`), over(protocol));
        const io = new FakeIo();
        expect(await run(io, address, protocol, 'GET', '/')).to.equal(0);
        expect(io.out).to.equal(`${shown}abcd`);
        expect(io.err).to.match(/^viaduct request: warning: the daemon sent (6 bytes too many|bytes after)/);
      });

      it('prints no body for HEAD', async () => {
        const { address } = await answer(protocol, wrap(protocol, head), over(protocol));
        const io = new FakeIo();
        expect(await run(io, address, protocol, 'HEAD', '/')).to.equal(0);
        expect(io.out).to.equal(shown);
        expect(io.err).to.equal('');
      });

      it('fails when the time is over, and says how far it came', async () => {
        const { address } = await peer(async (connection) => {
          await connection.until(isWhole[protocol]);
          connection.write(wrap(protocol, `${head}ab`));
          await connection.hungUp();
        });
        const io = new FakeIo();
        expect(await run(io, address, protocol, 'GET', '/', '--timeout', '200ms')).to.equal(1);
        expect(io.out).to.equal(`${shown}ab`);
        expect(io.err).to.match(/^viaduct request: .*0\.2s passed, it stopped after 2 bytes of the body/);
      });

      it('says what to look at where there is no socket', async () => {
        const io = new FakeIo();
        expect(await run(io, 'unix:/nonexistent/v.sock', protocol, 'GET', '/')).to.equal(1);
        expect(io.err).to.match(
          /^viaduct request: connecting to unix:\/nonexistent\/v\.sock failed: .*\(ENOENT\)/,
        );
        expect(io.err).to.match(new RegExp(`wanted a listening ${protocol} daemon; is the daemon running`));
      });

      it('says so where nobody listens any more', async () => {
        const io = new FakeIo();
        // 127.0.0.1:1 is tcpmux: nothing has listened there for decades.
        expect(await run(io, '127.0.0.1:1', protocol, 'GET', '/')).to.equal(1);
        expect(io.err).to.match(/connecting to 127\.0\.0\.1:1 failed: nobody listens there \(ECONNREFUSED\)/);
      });
    });
  }

  describe('the request', () => {
    it('over uwsgi is one packet with modifiers 0 and the body behind it', async () => {
      const bytes = await sent(
        'uwsgi',
        (b) => b.toString('latin1').endsWith('b=1'),
        'POST',
        '/p?q',
        '-d',
        'b=1',
      );
      const size = bytes.readUInt16LE(1);
      expect([bytes[0], bytes[3]]).to.deep.equal([0, 0]);
      expect(bytes.toString('latin1', 4 + size)).to.equal('b=1');
      const vars = bytes.toString('latin1', 4, 4 + size);
      expect(vars).to.include('\x09\0PATH_INFO\x02\0/p');
      expect(vars).to.include('\x0c\0QUERY_STRING\x01\0q');
      expect(vars).to.include('\x0e\0CONTENT_LENGTH\x01\x003');
      expect(vars).to.include('\x0c\0CONTENT_TYPE\x21\0application/x-www-form-urlencoded');
    });

    it('over SCGI is a netstring with CONTENT_LENGTH first and the body behind it', async () => {
      const bytes = await sent(
        'scgi',
        (b) => b.toString('latin1').endsWith('from stdin'),
        'PUT',
        '/p',
        '-d',
        '@-',
      );
      const text = bytes.toString('latin1');
      const colon = text.indexOf(':');
      const end = colon + 1 + Number(text.slice(0, colon));
      expect(text.slice(end)).to.equal(',from stdin');
      expect(text.slice(colon + 1).startsWith('CONTENT_LENGTH\x0010\0')).to.equal(true);
      expect(text).to.include('\0SCGI\x001\0').and.to.include('\0DOCUMENT_URI\0/p\0');
    });

    it('over HTTP has default headers that -H replaces or takes away', async () => {
      const bytes = await sent(
        'http',
        isWhole.http,
        'GET',
        '/é?x',
        '-H',
        'Host: a:1',
        '-H',
        'X: é',
        '-H',
        'Accept:',
      );
      expect(bytes.toString('utf8')).to.equal(
        'GET /%C3%A9?x HTTP/1.1\r\nUser-Agent: viaduct-request\r\nConnection: close\r\nHost: a:1\r\nX: é\r\n\r\n',
      );
    });

    it('over HTTP frames a body by Content-Length, an empty one too', async () => {
      const full = await sent('http', (b) => b.toString('latin1').endsWith('abc'), 'POST', '/', '-d', 'abc');
      expect(full.toString('latin1')).to.match(/\r\nContent-Length: 3\r\n/);
      const empty = await sent('http', isWhole.http, 'POST', '/');
      expect(empty.toString('latin1'))
        .to.match(/\r\nContent-Length: 0\r\n/)
        .and.not.to.match(/chunked/);
    });

    it('refuses params nginx would not send', async () => {
      const { address } = await peer(() => {});
      const io = new FakeIo();
      const big = `X=${'x'.repeat(65_536)}`;
      expect(await run(io, address, 'uwsgi', 'GET', '/', '-p', big)).to.equal(1);
      expect(io.err).to.match(/they take 6\d{4} bytes, wanted at most 65535; nginx refuses/);
    });

    it('says which body file it could not read', async () => {
      const io = new FakeIo();
      expect(await run(io, 'unix:/x', 'uwsgi', 'POST', '/', '-d', '@/nonexistent')).to.equal(1);
      expect(io.err).to.match(/reading the request body '@\/nonexistent' failed: ENOENT/);
    });
  });

  describe('uwsgi and SCGI responses', () => {
    for (const protocol of ['uwsgi', 'scgi'] as const) {
      it(`may begin with a status line over ${protocol}`, async () => {
        const { address } = await answer(protocol, 'HTTP/1.1 418 Teapot\r\nA: b\r\n\r\nx');
        const io = new FakeIo();
        expect(await run(io, address, protocol, 'GET', '/')).to.equal(0);
        expect(io.out).to.equal('HTTP/1.1 418 Teapot\r\nA: b\r\n\r\nx');
      });

      it(`end with Content-Length over ${protocol} even where the daemon does not close`, async () => {
        const left: Promise<void>[] = [];
        const { address } = await peer(async (connection) => {
          await connection.until(isWhole[protocol]);
          connection.write('HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx');
          left.push(connection.hungUp());
        });
        expect(await run(new FakeIo(), address, protocol, 'GET', '/')).to.equal(0);
        expect(left).to.have.length(1);
        await Promise.all(left);
      });
    }
  });

  it('decodes chunks over HTTP and fails where the last one is missing', async () => {
    const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n';
    const io = new FakeIo();
    expect(await run(io, (await answer('http', `${chunked}0\r\n\r\n`)).address, 'http', 'GET', '/')).to.equal(
      0,
    );
    expect(io.out).to.match(/\r\n\r\nabc$/);
    expect(await run(io, (await answer('http', chunked)).address, 'http', 'GET', '/')).to.equal(1);
    expect(io.err).to.match(/ended after 3 bytes, wanted the last chunk/);
  });

  it('asks whether it is an http listener where the answer is no HTTP', async () => {
    const io = new FakeIo();
    expect(await run(io, (await answer('http', endRequest())).address, 'http', 'GET', '/')).to.equal(1);
    expect(io.err).to.match(/HPE_.*; is it an http listener\?/);
  });

  it('shows the switch to another protocol and is done', async () => {
    const upgrade = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n';
    for (const protocol of ['http', 'uwsgi'] as const) {
      const io = new FakeIo();
      // oxlint-disable-next-line no-await-in-loop -- one after the other keeps a failure readable
      const { address } = await answer(protocol, upgrade);
      const argv = ['GET', '/', '-H', 'Upgrade: x', '-H', 'Connection: Upgrade'];
      // oxlint-disable-next-line no-await-in-loop -- see above
      expect(await run(io, address, protocol, ...argv), io.err).to.equal(0);
      expect(io.out).to.equal(upgrade);
    }
  });
});
