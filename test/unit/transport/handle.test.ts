// Taking a connection out of one socket and putting it into another, in one process, on real sockets.
import { expect } from 'chai';
import { once } from 'node:events';
import { connect, createServer, type Server, Socket } from 'node:net';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { attach, detach, isHandle, isStill, type SocketHandle } from '../../../src/transport/handle.ts';
import { SEND_HIGH_WATER } from '../../../src/transport/flow-control.ts';
import { makeTempDir, removeTempDir } from '../../helpers/temp.ts';
import { waitFor } from '../../helpers/wait.ts';

describe('transport/handle', () => {
  let folder: string;
  let server: Server;
  let peer: Socket;
  let socket: Socket;

  beforeEach(async () => {
    folder = await makeTempDir();
    server = createServer({ allowHalfOpen: true }).listen(join(folder, 's'));
    await once(server, 'listening');
    const accepting = once(server, 'connection');
    peer = connect({ path: join(folder, 's'), allowHalfOpen: true });
    [socket] = (await accepting) as [Socket];
  });
  afterEach(async () => {
    peer.destroy();
    socket.destroy();
    const closed = once(server, 'close');
    server.close();
    await closed;
    await removeTempDir(folder);
  });

  function take(): SocketHandle {
    const handle = detach(socket);
    if (handle === null) throw new Error('Cannot test: this Node has no handle below a socket');
    return handle;
  }

  it('reads nothing more, and what comes meanwhile is there for the next', async () => {
    const heard: string[] = [];
    socket.on('data', (chunk) => heard.push(chunk.toString()));
    peer.write('one');
    await waitFor(() => heard.length === 1, { what: 'the first chunk' });
    // In the kernel before anybody could read it.
    peer.write('two');
    const closed = once(socket, 'close');
    const handle = take();
    await closed;
    peer.write('three');
    for (let turn = 0; turn < 5; turn += 1) await nextTurn();
    expect(heard.join()).to.equal('one');

    const next = attach(handle);
    next.on('data', (chunk) => heard.push(chunk.toString()));
    await waitFor(() => heard.join('').length === 11, { what: 'the rest' });
    expect(heard.join('')).to.equal('onetwothree');
    next.end('answer');
    const [answer] = (await once(peer, 'data')) as [Buffer];
    expect(answer.toString()).to.equal('answer');
    next.destroy();
  });

  it('counts as closed where it was, the server included, and the peer notices nothing', async () => {
    let ended = false;
    peer.on('end', () => (ended = true)).resume();
    const handle = take();
    await once(socket, 'close');
    expect([socket.destroyed, ended]).to.deep.equal([true, false]);
    const count = await new Promise((resolve) => server.getConnections((_, found) => resolve(found)));
    expect(count).to.equal(0);
    handle.close();
    await waitFor(() => ended, { what: 'the end, once the handle is closed' });
  });

  it('makes sockets as the listener does', () => {
    const next = attach(take());
    expect(next.allowHalfOpen).to.equal(true);
    expect([next.readableHighWaterMark, next.writableHighWaterMark]).to.deep.equal([
      SEND_HIGH_WATER,
      SEND_HIGH_WATER,
    ]);
    next.destroy();
  });

  it('leaves a socket alone that has nothing of the kind below it', () => {
    const bare = new Socket();
    expect(detach(bare)).to.equal(null);
    expect(bare.destroyed).to.equal(false);
    expect([null, undefined, 1, {}, { close: (): void => undefined }, bare].filter(isHandle)).to.deep.equal(
      [],
    );
  });

  it('isStill() says whether anything waits in the process, or has ended', async () => {
    expect(isStill(socket)).to.equal(true);
    peer.write('x');
    await once(socket, 'readable');
    expect(isStill(socket)).to.equal(false);
    socket.read();
    expect(isStill(socket)).to.equal(true);

    socket.write(Buffer.alloc(8 * 1024 * 1024));
    expect(isStill(socket)).to.equal(false);
    peer.resume();
    await once(socket, 'drain');
    expect(isStill(socket)).to.equal(true);

    peer.end();
    socket.resume();
    await once(socket, 'end');
    expect(isStill(socket)).to.equal(false);
  });
});
