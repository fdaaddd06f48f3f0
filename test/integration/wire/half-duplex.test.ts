// nginx stops sending a request body once it has a response header. An application that answers while it reads must get
// all of the body where that is possible, and an error, not silence, where it is not.
import { expect } from 'chai';
import type { Application } from '../../../src/gateway/contract.ts';
import { CGI_DIALECTS, type Answer, type Dialect, DIALECTS } from '../../helpers/dialects.ts';
import type { Peer } from '../../helpers/peer.ts';
import { waitFor } from '../../helpers/wait.ts';
import { startWorker, type TestWorker } from '../../helpers/worker.ts';
import { Gate } from './apps.ts';

const KB = 1000;

/** Sends back what it reads, piece by piece. */
const pipe: Application = (environ, startResponse) => {
  startResponse('200 OK', []);
  const input = environ['wsgi.input'];
  return (async function* () {
    for (;;) {
      const piece = await input.read(10 * KB);
      if (piece.length === 0) return;
      yield piece;
    }
  })();
};

/** Sends the body in pieces as nginx does: none any more once a byte of a response has come. */
async function sendLikeNginx(dialect: Dialect, peer: Peer, total: number): Promise<number> {
  peer.send(dialect.head({ length: total, keepConn: false }));
  let sent = 0;
  while (sent < total && peer.size === 0 && !peer.over) {
    const piece = Math.min(8 * KB, total - sent);
    peer.send(dialect.body(Buffer.alloc(piece, 'b')));
    sent += piece;
    await waitFor(() => peer.unsent === 0, { what: 'the server to take a piece', interval: 1 });
  }
  if (sent === total) peer.send(dialect.bodyEnd());
  return sent;
}

async function whole(dialect: Dialect, peer: Peer): Promise<Answer | null> {
  return dialect.answer(await peer.whole(), true);
}

describe('wire: answers while the body is still coming', () => {
  let worker: TestWorker;

  afterEach(async () => {
    await worker.stop();
    await worker.quiet();
  });

  async function start(dialect: Dialect, app: Application): Promise<Peer> {
    worker = await startWorker({ listeners: [{ protocol: dialect.protocol }], mounts: [{ app }] });
    return worker.connect();
  }

  for (const dialect of CGI_DIALECTS) {
    const { protocol } = dialect;

    it(`an echo of 60 kB over ${protocol} is whole`, async () => {
      const peer = await start(dialect, pipe);
      expect(await sendLikeNginx(dialect, peer, 60 * KB)).to.equal(60 * KB);
      const answer = await whole(dialect, peer);
      expect(answer).to.include({ status: 200, whole: true });
      expect(answer?.body.length).to.equal(60 * KB);
    });

    it(`an echo of 1 MB over ${protocol} fails instead of waiting for ever`, async () => {
      const peer = await start(dialect, pipe);
      expect(await sendLikeNginx(dialect, peer, 1000 * KB)).to.be.below(1000 * KB);
      await waitFor(() => worker.requests.length === 1, { what: 'the request to end', timeout: 4000 });
      expect(worker.requests[0]).to.include({ aborted: 'sending' });
      expect(worker.lines.map(({ msg }) => msg).join()).to.include('the web server stops sending it');
      const answer = dialect.answer(await peer.whole());
      if (protocol === 'fastcgi') expect(answer?.whole).to.equal(false);
    });

    it(`a ${protocol} response that begins while the application waits goes out as soon as the body is here`, async () => {
      const gate = new Gate();
      const peer = await start(dialect, (environ, startResponse) => {
        startResponse('200 OK', []);
        return (async function* () {
          yield await environ['wsgi.input'].read(3);
          await gate.app(environ, () => () => Promise.resolve());
          yield Buffer.from('!');
        })();
      });
      peer.send(dialect.head({ length: 6, keepConn: false }));
      peer.send(dialect.body('abc'));
      await waitFor(() => gate.calls.length === 1, { what: 'the application to wait' });
      // Held: a header would stop nginx.
      expect(peer.size).to.equal(0);
      peer.send(dialect.body('def'));
      peer.send(dialect.bodyEnd());
      await peer.until('the first bytes', (all) => dialect.answer(all)?.body.toString() === 'abc');
      gate.release();
      expect((await whole(dialect, peer))?.body.toString()).to.equal('abc!');
    });

    it(`an application that never touched a ${protocol} body is not held back`, async () => {
      const gate = new Gate();
      const peer = await start(dialect, (environ, startResponse) => {
        startResponse('200 OK', []);
        return (async function* () {
          yield Buffer.from('now');
          await gate.app(environ, () => () => Promise.resolve());
        })();
      });
      peer.send(dialect.head({ length: 6, keepConn: false }));
      await peer.until('the first bytes', (all) => dialect.answer(all)?.body.toString() === 'now');
      gate.release();
      await peer.whole();
    });
  }

  it('HTTP clients go on sending, so an echo of 1 MB flows', async () => {
    const { http } = DIALECTS;
    const peer = await start(http, pipe);
    peer.send(http.head({ length: 1000 * KB, params: ['HTTP_CONNECTION', 'close'] }));
    peer.send(Buffer.alloc(10 * KB, 'b'));
    await peer.until('the first bytes', (all) => http.answer(all)?.status === 200);
    peer.send(Buffer.alloc(990 * KB, 'b'));
    expect((await whole(http, peer))?.whole).to.equal(true);
    expect(worker.requests[0]).to.include({ bytesIn: 1000 * KB, bytesOut: 1000 * KB });
  });
});
